//! The fleet's model, once one is installed: ridge for numbers, linear discriminants for classes. It is frozen here; the
//! next release takes its place. Cost: 2 d flops per output. Memory: 8 d bytes per output, kept by the learner.

use crate::panel::experts::{Cells, ClassExpert, ClassRow, Expert, NumberExpert, NumberRow};
use crate::panel::inputs::{Inputs, VALUE_ABS_MAX};
use crate::panel::number::{hold, soften};

/// Probability of a class that the release does not know.
const UNKNOWN: f64 = 1e-6;

/// Asks the installed release.
#[derive(Debug, Default)]
pub struct Release {
    x: Vec<f64>,
    scores: Vec<f64>,
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
    fn names(&self) -> Vec<String> {
        vec!["release".to_owned()]
    }

    fn started(&self) -> bool {
        false
    }
}

impl ClassExpert for Release {
    fn predict(&mut self, row: &ClassRow, cells: &mut Cells) -> bool {
        let Some((model, known)) = row.release else {
            return false;
        };
        self.features(row.x, row.inputs);
        self.scores.clear();
        self.scores.resize(model.labels().len(), 0.0);
        model.class_scores(&self.x, &mut self.scores);
        soften(&mut self.scores);
        cells.fill(|_| UNKNOWN);
        for (&class, &probability) in known.iter().zip(&self.scores) {
            if (class as usize) < cells.classes() {
                cells.set(class as usize, probability);
            }
        }
        true
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
