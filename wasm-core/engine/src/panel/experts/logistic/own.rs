//! The one-pass logistic of this gateway: no release ever touches it, so that its information adds up and can be taken
//! out of a fleet again.

use crate::cholesky::packed_length;
use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::budget::Cost;
use crate::panel::experts::{Cells, ClassExpert, ClassRow, Expert, Truth};
use crate::panel::inputs::{Inputs, Map};

use super::{Filters, Frame, Information, NUMBERS_MAX, WIDTH, cost, fill, names};

/// Prior variance of a row's score, spread over the features: a wide row must not be certain of everything before it has
/// learned anything, since certain rows say nothing to the fleet.
const SCORE_VARIANCE: f64 = 18.0;

fn prior(d: usize) -> f64 {
    let share = SCORE_VARIANCE / d as f64;
    if share < 1.0 { share } else { 1.0 }
}

/// The filters and what they tell the fleet; gone when there are too many classes for the features.
#[derive(Clone, Debug)]
pub struct Own {
    d: usize,
    frame: Frame,
    learning: Option<(Filters, Information)>,
    /// Working memory, never state.
    z: Vec<f64>,
}

impl Own {
    /// An expert over the columns that has seen nothing.
    #[must_use]
    pub fn new(inputs: &Inputs) -> Self {
        let d = inputs.width(Map::Columns) - 1;
        let mut own = Self {
            d,
            frame: Frame::new(d),
            z: Vec::new(),
            learning: Some((Filters::new(d + 1, 2, prior(d)), Information::new(d, 2))),
        };
        own.bound(2);
        own
    }

    /// Falls silent for good when it would take too much.
    fn bound(&mut self, classes: usize) {
        if (classes + 1) * packed_length(self.d + 1) > NUMBERS_MAX {
            self.learning = None;
        }
    }
}

impl Expert for Own {
    fn cost(&self, outputs: usize) -> Cost {
        self.learning
            .as_ref()
            .map_or(Cost::default(), |_| cost(self.d, outputs))
    }

    fn names(&self) -> Vec<String> {
        names("logistic")
    }

    fn width(&self) -> usize {
        WIDTH
    }

    fn save(&self, writer: &mut Writer) {
        self.frame.save(writer);
        writer.bool(self.learning.is_some());
        if let Some((filters, information)) = &self.learning {
            filters.save(writer);
            information.save(writer);
        }
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.frame.load(reader)?;
        self.learning = if reader.bool()? {
            let filters = Filters::load(self.d + 1, prior(self.d), reader)?;
            Some((filters, Information::load(self.d, reader)?))
        } else {
            None
        };
        Ok(())
    }
}

impl ClassExpert for Own {
    fn grow(&mut self, classes: usize) {
        self.bound(classes);
        if let Some((filters, information)) = &mut self.learning {
            filters.grow(classes);
            information.grow(classes);
        }
    }

    fn predict(&mut self, row: &ClassRow, cells: &mut Cells) -> bool {
        let Some((filters, _)) = &mut self.learning else {
            return false;
        };
        self.frame.inputs(row, &mut self.z);
        fill(&filters.scores(&self.z)[..cells.classes()], cells);
        true
    }

    fn learn(&mut self, row: &ClassRow, truth: Truth) {
        if let Some((filters, information)) = &mut self.learning {
            self.frame.settle(row.inputs);
            self.frame.inputs(row, &mut self.z);
            let tells = self.frame.any_settled();
            filters.learn(&self.z, truth.class, true, |place, working| {
                if tells {
                    information.push(place, row.x, working);
                }
            });
        }
    }

    fn forget_information(&mut self) {
        if let Some((filters, information)) = &mut self.learning {
            *information = Information::new(self.d, filters.classes());
        }
    }

    fn information(&self) -> Option<&Information> {
        self.learning.as_ref().map(|(_, information)| information)
    }
}
