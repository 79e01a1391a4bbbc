//! What the rows of this gateway say about each class, in the form that a fleet adds up.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::statistics::{CoMoments, Logistic};

use super::filters::Working;

/// Weighted co-moments per class as this gateway numbers them, and last those of any other class.
#[derive(Clone, Debug)]
pub struct Information {
    d: usize,
    sets: Vec<CoMoments>,
    deviation: Vec<f64>,
}

impl Information {
    /// Of no rows, for `classes` classes.
    #[must_use]
    pub fn new(d: usize, classes: usize) -> Self {
        Self {
            d,
            sets: vec![CoMoments::new(d); classes + 1],
            deviation: Vec::new(),
        }
    }

    /// Makes room: what was never met so far is what the new classes were.
    pub fn grow(&mut self, classes: usize) {
        while self.sets.len() <= classes {
            let other = self.sets[self.sets.len() - 1].clone();
            self.sets.push(other);
        }
    }

    /// Adds what a row says about one output. A row with a missing value teaches the fleet nothing.
    pub fn push(&mut self, place: usize, x: &[f64], working: Working) {
        self.sets[place].push_weighted(x, working.response, working.weight, &mut self.deviation);
    }

    /// The sets of these classes, in this order.
    #[must_use]
    pub fn of_classes(&self, classes: &[usize]) -> Logistic {
        let other = &self.sets[self.sets.len() - 1];
        let set = |&class: &usize| {
            if class + 1 < self.sets.len() {
                &self.sets[class]
            } else {
                other
            }
            .clone()
        };
        Logistic::new(classes.iter().map(set).collect(), other.clone())
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.u32(self.sets.len() as u32);
        for set in &self.sets {
            set.save(writer);
        }
    }

    /// Reads what `save` wrote.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(d: usize, reader: &mut Reader) -> Result<Self> {
        let count = reader.count(16 + 8 * d)?;
        if count == 0 {
            return Err(CoreError::Corrupt);
        }
        let mut information = Self::new(d, count - 1);
        for set in &mut information.sets {
            *set = CoMoments::load(information.d, reader)?;
        }
        Ok(information)
    }
}
