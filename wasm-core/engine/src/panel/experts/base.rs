//! Experts that need no learning of their own: the bases, said as they are, and the short mean of the key's labels.

use crate::panel::budget::Cost;
use crate::panel::experts::{Expert, NumberExpert, NumberRow};
use crate::panel::inputs::{Inputs, Map};
use crate::panel::regressor::{MEMORY, base_name};

/// The base at one place of a row.
#[derive(Debug)]
pub struct Base {
    place: usize,
    residual: bool,
}

impl Base {
    /// The base at `place`.
    #[must_use]
    pub fn new(place: usize, residual: bool) -> Self {
        Self { place, residual }
    }
}

impl Expert for Base {
    fn cost(&self, _: usize) -> Cost {
        Cost { ns: 20.0, bytes: 0.0 }
    }

    fn names(&self) -> Vec<String> {
        vec![base_name(self.place, self.residual).to_owned()]
    }

    fn started(&self) -> bool {
        self.place != MEMORY
    }

    fn begin(&mut self, inputs: &Inputs, _: usize) -> bool {
        self.place == MEMORY && inputs.width(Map::Memory) > 0
    }
}

impl NumberExpert for Base {
    fn predict(&mut self, row: &NumberRow, out: &mut [f64]) {
        out[0] = row.bases[self.place];
    }
}

/// The average of the key's labels over some five of them.
#[derive(Debug)]
pub struct ShortMean;

impl Expert for ShortMean {
    fn cost(&self, _: usize) -> Cost {
        Cost { ns: 20.0, bytes: 0.0 }
    }

    fn names(&self) -> Vec<String> {
        vec!["short mean".to_owned()]
    }
}

impl NumberExpert for ShortMean {
    fn predict(&mut self, row: &NumberRow, out: &mut [f64]) {
        let [labels, _, _, short, _] = row.inputs.key_labels(row.key);
        if labels > 0.0 {
            out[0] = short;
        }
    }
}
