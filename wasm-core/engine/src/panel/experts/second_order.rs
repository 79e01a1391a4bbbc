//! The second-order expert: one covariance P over the inputs, shared by one weight vector per output. For classes it is
//! an extended Kalman filter on the logistic (or softmax) likelihood, for numbers recursive least squares with Huber
//! weights. Forgetting is bounded: P = (1 - f) P + f p0 I never exceeds its prior, so a quiet stream cannot wind it up.
//!
//! Papers: Haykin (ed.), "Kalman filtering and neural networks" (2001), ch. 2; Parkum et al., "Recursive forgetting
//! algorithms" (1992); MacKay, "The evidence framework applied to classification networks" (1992) for the moderated
//! probability; Huber (1964). Cost: 2 m² flops to serve, m² to learn (3 m² when the label is late).
//! Memory: 4 m (m + 1) + 8 m per output bytes.

mod classes;
mod numbers;

use crate::cholesky::dot;
use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::budget::{Cost, FLOP_NS};
use crate::panel::linear::{add_scaled, load_numbers, save_numbers, symmetric_times, symmetric_update, triangle_len};
pub use classes::SecondOrderClasses;
pub use numbers::SecondOrderNumbers;

/// π / 8, of MacKay's moderation.
const MODERATION: f64 = std::f64::consts::PI / 8.0;
/// Least curvature of the logistic likelihood.
const CURVATURE_MIN: f64 = 1e-4;

/// How much of the covariance goes back to the prior when the world has changed.
const ADAPTED: f64 = 0.05;

/// How far under zero rounding may bring x'Px.
const VARIANCE_SLACK: f64 = 1e-9;

/// The covariance is multiplied out when its scale has fallen this far.
const SCALE_MIN: f64 = 0.5;

/// A linear model with its covariance.
#[derive(Clone, Debug)]
pub struct SecondOrder {
    m: usize,
    prior: f64,
    forgetting: f64,
    weights: Vec<f64>,
    /// P = `scale` · this: forgetting then costs nothing per entry.
    covariance: Vec<f64>,
    scale: f64,
    /// P x of the row it was computed for last, and x'Px: not state, only saved work.
    gain: Vec<f64>,
    variance: f64,
    gain_of: u64,
}

impl SecondOrder {
    /// Zero weights, P = `prior` I.
    #[must_use]
    pub fn new(m: usize, outputs: usize, prior: f64, forgetting: f64) -> Self {
        let mut model = Self {
            m,
            prior,
            forgetting,
            weights: vec![0.0; m * outputs],
            covariance: vec![0.0; triangle_len(m)],
            scale: 1.0,
            gain: vec![0.0; m],
            variance: 0.0,
            gain_of: 0,
        };
        model.reset_covariance();
        model
    }

    fn reset_covariance(&mut self) {
        self.covariance.fill(0.0);
        self.scale = 1.0;
        for i in 0..self.m {
            self.covariance[triangle_len(i) + i] = self.prior;
        }
    }

    /// The world has changed: a part of the covariance goes back to the prior, so that the next rows count for more.
    pub fn adapt(&mut self) {
        let kept = (1.0 - ADAPTED) * self.scale;
        self.covariance.iter_mut().for_each(|entry| *entry *= kept);
        self.scale = 1.0;
        for i in 0..self.m {
            self.covariance[triangle_len(i) + i] += ADAPTED * self.prior;
        }
        self.gain_of = 0;
    }

    /// From one output (class 1 against class 0) to one per class.
    pub fn grow(&mut self, outputs: usize) {
        if self.weights.len() == self.m && outputs > 1 {
            let halves: Vec<f64> = self.weights.iter().map(|w| w * 0.5).collect();
            self.weights = halves.iter().map(|w| -w).chain(halves.iter().copied()).collect();
        }
        self.weights.resize(self.m * outputs, 0.0);
    }

    /// What a row takes: twice P x and once the update of P, and the outputs.
    #[must_use]
    pub fn cost(&self, outputs: usize) -> Cost {
        let (m, outputs) = (self.m as f64, outputs as f64);
        Cost {
            ns: 60.0 + FLOP_NS * m * (5.0 * m + 6.0 * outputs) + 30.0 * outputs,
            bytes: 4.0 * m * (m + 1.0) + 8.0 * m * (outputs + 1.0),
        }
    }

    /// Number of inputs.
    #[must_use]
    pub fn m(&self) -> usize {
        self.m
    }

    /// The score of one output.
    #[must_use]
    pub fn score(&self, output: usize, x: &[f64]) -> f64 {
        dot(&self.weights[output * self.m..][..self.m], x)
    }

    /// x'Px, how uncertain the score is. `row` numbers the served rows from 1: when nothing was learned in between, the
    /// work is kept for `learn`.
    pub fn uncertainty(&mut self, x: &[f64], row: u64) -> f64 {
        if self.gain_of != row {
            self.compute_gain(x);
            if self.variance.is_nan() || self.variance < -VARIANCE_SLACK {
                // Rounding has made P indefinite (or a number overflowed): the curvature is learned anew.
                self.reset_covariance();
                self.compute_gain(x);
            }
            self.variance = if self.variance > 0.0 { self.variance } else { 0.0 };
            self.gain_of = row;
        }
        self.variance
    }

    fn compute_gain(&mut self, x: &[f64]) {
        symmetric_times(&self.covariance, x, &mut self.gain);
        for gain in &mut self.gain {
            *gain *= self.scale;
        }
        self.variance = dot(&self.gain, x);
    }

    /// The factor that moderates a score by its uncertainty.
    #[must_use]
    pub fn moderation(variance: f64) -> f64 {
        1.0 / (1.0 + MODERATION * variance).sqrt()
    }

    /// Learns an example. `residuals[output]` is the label minus the prediction (a probability, or a number),
    /// `weights[output]` how much it counts; `curvature` is p (1 - p), or 1 for numbers.
    pub fn learn(&mut self, x: &[f64], row: u64, curvature: f64, residuals: impl Iterator<Item = f64>) {
        let variance = self.uncertainty(x, row);
        let h = if curvature > CURVATURE_MIN {
            curvature
        } else {
            CURVATURE_MIN
        };
        let share = 1.0 / (1.0 + h * variance);
        let keep = 1.0 - self.forgetting;
        let shrink = if self.forgetting > 0.0 { keep.sqrt() } else { 1.0 };
        for (weights, residual) in self.weights.chunks_exact_mut(self.m).zip(residuals) {
            add_scaled(weights, residual * share, &self.gain);
            if self.forgetting > 0.0 {
                weights.iter_mut().for_each(|weight| *weight *= shrink);
            }
        }
        self.scale *= keep;
        let inverse = 1.0 / self.scale;
        symmetric_update(
            &mut self.covariance,
            &self.gain,
            keep * h * share * inverse,
            self.forgetting * self.prior * inverse,
        );
        if self.scale < SCALE_MIN {
            for entry in &mut self.covariance {
                *entry *= self.scale;
            }
            self.scale = 1.0;
        }
        self.gain_of = 0;
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.f64(self.scale);
        save_numbers(&self.weights, writer);
        save_numbers(&self.covariance, writer);
    }

    /// Reads what `save` wrote into a model of the same shape.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.scale = reader.f64()?;
        load_numbers(&mut self.weights, reader)?;
        load_numbers(&mut self.covariance, reader)
    }
}
