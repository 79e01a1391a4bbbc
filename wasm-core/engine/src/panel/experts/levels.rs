//! Raw levels: the label as a weighted sum of the columns as they are, in units of their root mean square, without a mean
//! and without a bias. Where columns measure the same thing as the label, the weights of the first rows already say "some
//! average of them", and that stays right when all of them move far from their means; the other experts only know how
//! far a column is from its mean. Labels that come late leave them long behind.
//!
//! Paper: Haykin, "Adaptive filter theory" (2002), recursive least squares; Huber (1964). Cost and memory: those of a
//! second-order expert of d inputs.

use super::second_order::SecondOrder;
use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::budget::Cost;
use crate::panel::experts::{Expert, NumberExpert, NumberRow};
use crate::panel::inputs::{Inputs, VALUE_ABS_MAX};
use crate::panel::number::hold;
use crate::panel::regressor::huber;

/// Prior variance of the weights: that of one row.
const PRIOR: f64 = 1.0;
/// A level is held to this many root mean squares.
const LEVEL_ABS_MAX: f64 = 8.0;
/// Most columns, as for other second-order experts.
const COLUMNS_MAX: usize = 128;

/// Silent before the first label, and for rows with too many columns.
#[derive(Debug)]
pub struct Levels {
    forgetting: f64,
    model: Option<SecondOrder>,
    learned: bool,
    /// Working memory, never state: the inputs of a row.
    levels: Vec<f64>,
}

impl Levels {
    /// Over all columns.
    #[must_use]
    pub fn new(inputs: &Inputs, forgetting: f64) -> Self {
        let d = inputs.categorical().len();
        Self {
            forgetting,
            model: (1..=COLUMNS_MAX)
                .contains(&d)
                .then(|| SecondOrder::new(d, 1, PRIOR, forgetting)),
            learned: false,
            levels: Vec::new(),
        }
    }

    fn look(&mut self, row: &NumberRow) {
        self.levels.clear();
        self.levels.extend(row.x.iter().enumerate().map(|(column, &x)| {
            let moments = row.inputs.column(column);
            let x = if x.is_nan() {
                moments.mean()
            } else {
                hold(x, -VALUE_ABS_MAX, VALUE_ABS_MAX)
            };
            hold(x * moments.inverse_root_mean_square(), -LEVEL_ABS_MAX, LEVEL_ABS_MAX)
        }));
    }
}

impl Expert for Levels {
    fn cost(&self, outputs: usize) -> Cost {
        self.model.as_ref().map_or(Cost::default(), |model| model.cost(outputs))
    }

    fn names(&self) -> Vec<String> {
        vec![format!("levels {}", self.forgetting)]
    }

    fn adapt(&mut self) {
        if let Some(model) = &mut self.model {
            model.adapt();
        }
    }

    fn save(&self, writer: &mut Writer) {
        writer.bool(self.learned);
        if let Some(model) = &self.model {
            model.save(writer);
        }
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.learned = reader.bool()?;
        self.model.as_mut().map_or(Ok(()), |model| model.load(reader))
    }
}

impl NumberExpert for Levels {
    fn predict(&mut self, row: &NumberRow, out: &mut [f64]) {
        if self.learned {
            self.look(row);
            if let Some(model) = &self.model {
                out[0] = hold(model.score(0, &self.levels), row.range.0, row.range.1);
            }
        }
    }

    fn learn(&mut self, row: &NumberRow, label: f64, errors: &[f64]) {
        self.look(row);
        if let Some(model) = &mut self.model {
            self.learned = true;
            let residual = label - model.score(0, &self.levels);
            let weight = huber(residual, errors[0]);
            model.learn(&self.levels, row.serial, weight, std::iter::once(weight * residual));
        }
    }
}
