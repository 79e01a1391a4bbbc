//! The fleet's model for numbers, once one is installed: a ridge. It is frozen here; the
//! next release takes its place. Cost: 2 d flops per output. Memory: 8 d bytes per output, kept by the learner.

use crate::panel::budget::{Cost, FLOP_NS};
use crate::panel::experts::{Expert, NumberExpert, NumberRow};
use crate::panel::inputs::{Inputs, VALUE_ABS_MAX};
use crate::panel::number::hold;

/// Asks the installed release.
#[derive(Debug, Default)]
pub struct Release {
    x: Vec<f64>,
}

impl Release {
    /// Its model knows nothing of missing values, so the column's mean stands in.
    fn features(&mut self, x: &[f64], inputs: &Inputs) {
        self.x.clear();
        self.x.extend(x.iter().enumerate().map(|(column, &x)| {
            if x.is_nan() {
                inputs.column_mean(column)
            } else {
                hold(x, -VALUE_ABS_MAX, VALUE_ABS_MAX)
            }
        }));
    }
}

impl Expert for Release {
    fn cost(&self, outputs: usize) -> Cost {
        Cost {
            ns: 2.0 * FLOP_NS * (self.x.len() * outputs) as f64,
            bytes: 0.0,
        }
    }

    fn names(&self) -> Vec<String> {
        vec!["release".to_owned()]
    }

    fn started(&self) -> bool {
        false
    }
}

impl NumberExpert for Release {
    fn predict(&mut self, row: &NumberRow, out: &mut [f64]) {
        if let Some(model) = row.release {
            self.features(row.x, row.inputs);
            out[0] = hold(model.value(&self.x), row.range.0, row.range.1);
        }
    }
}
