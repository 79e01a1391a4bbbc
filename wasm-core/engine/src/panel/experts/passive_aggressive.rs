//! Passive-aggressive classification (PA-I): each mistake, and each right answer without a margin, moves the weights
//! just far enough, by at most `AGGRESSIVENESS`. It follows change faster than anything else in the panel. Its margin
//! becomes a probability by a slope that is learned online (one weight, second order).
//!
//! Paper: Crammer et al., "Online passive-aggressive algorithms" (2006). Cost: 4 m flops per output. Memory: 8 m + 16
//! bytes per output.

use crate::cholesky::dot;
use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::budget::Cost;
use crate::panel::experts::{Cells, ClassExpert, ClassRow, Expert, Truth, outputs};
use crate::panel::inputs::{Inputs, Map};
use crate::panel::linear::{add_scaled, load_numbers, save_numbers};
use crate::panel::number::sigmoid;

const AGGRESSIVENESS: f64 = 1.0;
/// Uncertainty of the slope to begin with, and how much of it comes back per label.
const SLOPE_PRIOR: f64 = 1.0;
const SLOPE_FORGETTING: f64 = 1e-3;

/// One margin per output.
#[derive(Clone, Debug, PartialEq)]
pub struct PassiveAggressive {
    map: Map,
    m: usize,
    weights: Vec<f64>,
    slope: f64,
    slope_variance: f64,
}

impl PassiveAggressive {
    /// Zero weights for the inputs of `map`, one output.
    #[must_use]
    pub fn new(inputs: &Inputs, map: Map) -> Self {
        let m = inputs.width(map);
        Self {
            map,
            m,
            weights: vec![0.0; m],
            slope: 1.0,
            slope_variance: SLOPE_PRIOR,
        }
    }

    /// The margin of one output times the slope: a logit.
    #[must_use]
    pub fn score(&self, output: usize, x: &[f64]) -> f64 {
        dot(&self.weights[output * self.m..][..self.m], x) * self.slope
    }

    /// Learns one output, `y` 0 or 1.
    pub fn learn_output(&mut self, output: usize, x: &[f64], y: f64) {
        let weights = &mut self.weights[output * self.m..][..self.m];
        let margin = dot(weights, x);
        let p = sigmoid(margin * self.slope);
        let h = p * (1.0 - p) * margin * margin;
        self.slope_variance = (1.0 - SLOPE_FORGETTING) * self.slope_variance + SLOPE_FORGETTING * SLOPE_PRIOR;
        self.slope_variance /= 1.0 + h * self.slope_variance;
        let slope = self.slope + self.slope_variance * (y - p) * margin;
        self.slope = crate::panel::number::hold(slope, 0.05, 20.0);
        let sign = 2.0 * y - 1.0;
        let loss = 1.0 - sign * margin;
        let square = dot(x, x);
        if loss > 0.0 && square > 0.0 {
            let step = loss / square;
            add_scaled(
                weights,
                sign * if step < AGGRESSIVENESS { step } else { AGGRESSIVENESS },
                x,
            );
        }
    }
}

impl Expert for PassiveAggressive {
    fn cost(&self, outputs: usize) -> Cost {
        let weights = (self.m * outputs) as f64;
        Cost {
            ns: 65.0 * outputs as f64 + 1.2 * weights,
            bytes: 8.0 * weights,
        }
    }

    fn names(&self) -> Vec<String> {
        vec![format!("passive-aggressive {}", self.map.name())]
    }

    fn map(&self) -> Option<Map> {
        Some(self.map)
    }

    fn save(&self, writer: &mut Writer) {
        writer.f64(self.slope);
        writer.f64(self.slope_variance);
        save_numbers(&self.weights, writer);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.slope = reader.f64()?;
        self.slope_variance = reader.f64()?;
        load_numbers(&mut self.weights, reader)
    }
}

impl ClassExpert for PassiveAggressive {
    fn grow(&mut self, classes: usize) {
        if self.weights.len() == self.m && classes > 2 {
            let negated: Vec<f64> = self.weights.iter().map(|w| -w).collect();
            self.weights.splice(0..0, negated);
        }
        self.weights.resize(self.m * outputs(classes), 0.0);
    }

    fn predict(&mut self, row: &ClassRow, cells: &mut Cells) -> bool {
        cells.fill_scores(|output| self.score(output, row.z));
        true
    }

    fn learn(&mut self, row: &ClassRow, truth: Truth) {
        for output in 0..truth.outputs() {
            self.learn_output(output, row.z, truth.of(output));
        }
    }
}
