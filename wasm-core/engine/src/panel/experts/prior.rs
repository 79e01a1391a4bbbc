//! Two experts on labels alone: how often each class comes, and how often a class follows itself. They are the floor
//! that everything else has to beat. Cost: K flops. Memory: 24 K bytes.
//!
//! Paper: Krichevsky & Trofimov, "The performance of universal encoding" (1981).

use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::budget::Cost;
use crate::panel::experts::{Cells, ClassExpert, ClassRow, Expert};
use crate::panel::linear::{load_numbers, save_numbers};

/// Counts of classes and of their repetitions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prior {
    /// Per class: labels, labels that followed one of this class, those of them that were this class again.
    counts: Vec<[f64; 3]>,
    n: f64,
}

impl Prior {
    /// No label yet, `classes` classes.
    #[must_use]
    pub fn new(classes: usize) -> Self {
        Self {
            counts: vec![[0.0; 3]; classes],
            n: 0.0,
        }
    }

    /// Labels so far.
    #[must_use]
    pub fn n(&self) -> f64 {
        self.n
    }

    /// Makes room for more classes.
    pub fn grow(&mut self, classes: usize) {
        self.counts.resize(classes, [0.0; 3]);
    }

    /// The share of a class, half a label in advance for each.
    #[must_use]
    pub fn share(&self, class: usize) -> f64 {
        (self.counts[class][0] + 0.5) / (self.n + 0.5 * self.counts.len() as f64)
    }

    /// The probability of a class when the last label of the key was `last`.
    #[must_use]
    pub fn after(&self, last: usize, class: usize) -> f64 {
        let stay = (self.counts[last][2] + 0.5) / (self.counts[last][1] + 1.0);
        if class == last {
            stay
        } else {
            (1.0 - stay) * self.share(class) / (1.0 - self.share(last))
        }
    }

    /// Counts a label that came after `last`.
    pub fn learn(&mut self, last: Option<usize>, class: usize) {
        self.counts[class][0] += 1.0;
        self.n += 1.0;
        if let Some(last) = last {
            self.counts[last][1] += 1.0;
            self.counts[last][2] += f64::from(u8::from(last == class));
        }
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.f64(self.n);
        save_numbers(self.counts.as_flattened(), writer);
    }

    /// Reads what `save` wrote for as many classes.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.n = reader.f64()?;
        load_numbers(self.counts.as_flattened_mut(), reader)
    }
}

/// The share of classes.
#[derive(Debug)]
pub struct Share;

impl Expert for Share {
    fn cost(&self, _: usize) -> Cost {
        Cost { ns: 20.0, bytes: 0.0 }
    }

    fn names(&self) -> Vec<String> {
        vec!["share of classes".to_owned()]
    }
}

impl ClassExpert for Share {
    fn predict(&mut self, row: &ClassRow, cells: &mut Cells) -> bool {
        cells.fill(|class| row.prior.share(class));
        true
    }
}

/// What follows the key's last class.
#[derive(Debug)]
pub struct LastClass;

impl Expert for LastClass {
    fn cost(&self, _: usize) -> Cost {
        Cost { ns: 20.0, bytes: 0.0 }
    }

    fn names(&self) -> Vec<String> {
        vec!["last class".to_owned()]
    }
}

impl ClassExpert for LastClass {
    fn predict(&mut self, row: &ClassRow, cells: &mut Cells) -> bool {
        let Some(last) = row.last else { return false };
        cells.fill(|class| row.prior.after(last, class));
        true
    }
}
