//! The second-order expert: one covariance P over the inputs, shared by one weight vector per output. For classes it is
//! an extended Kalman filter on the logistic (or softmax) likelihood, for numbers recursive least squares with Huber
//! weights. Forgetting is bounded: P = (1 - f) P + f p0 I never exceeds its prior, so a quiet stream cannot wind it up.
//!
//! Papers: Haykin (ed.), "Kalman filtering and neural networks" (2001), ch. 2; Parkum et al., "Recursive forgetting
//! algorithms" (1992); MacKay, "The evidence framework applied to classification networks" (1992) for the moderated
//! probability; Huber (1964). Cost: 2 m² flops to serve, m² to learn (3 m² when the label is late).
//! Memory: 4 m (m + 4) + 8 m per output bytes.

mod classes;
mod numbers;

use crate::cholesky::dot;
use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::budget::Cost;
use crate::panel::linear::{add_scaled, load_numbers, save_numbers};
use crate::panel::symmetric::{Lane, Symmetric, fill_lanes, lanes};
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
    covariance: Symmetric,
    scale: f64,
    /// The inputs of the row that P x was computed for last, P x and x'Px: not state, only saved work.
    inputs: Vec<Lane>,
    gain: Vec<Lane>,
    variance: f64,
    gain_of: u64,
}

impl SecondOrder {
    /// Zero weights, P = `prior` I.
    #[must_use]
    pub fn new(m: usize, outputs: usize, prior: f64, forgetting: f64) -> Self {
        Self {
            m,
            prior,
            forgetting,
            weights: vec![0.0; m * outputs],
            covariance: Symmetric::identity(m, prior),
            scale: 1.0,
            inputs: vec![Lane::default(); lanes(m)],
            gain: vec![Lane::default(); lanes(m)],
            variance: 0.0,
            gain_of: 0,
        }
    }

    fn reset_covariance(&mut self) {
        self.covariance.set_identity(self.prior);
        self.scale = 1.0;
    }

    /// The world has changed: a part of the covariance goes back to the prior, so that the next rows count for more.
    pub fn adapt(&mut self) {
        self.covariance.scale((1.0 - ADAPTED) * self.scale);
        self.scale = 1.0;
        self.covariance.add_identity(ADAPTED * self.prior);
        self.gain_of = 0;
    }

    /// From one output (class 1 against class 0) to one per class.
    pub fn grow(&mut self, outputs: usize) {
        Self::grow_weights(&mut self.weights, self.m, outputs);
    }

    /// The same for the weights of `m` inputs alone.
    pub fn grow_weights(weights: &mut Vec<f64>, m: usize, outputs: usize) {
        if weights.len() == m && outputs > 1 {
            let halves: Vec<f64> = weights.iter().map(|w| w * 0.5).collect();
            *weights = halves.iter().map(|w| -w).chain(halves.iter().copied()).collect();
        }
        weights.resize(m * outputs, 0.0);
    }

    /// Forgets everything.
    pub fn restart(&mut self) {
        self.weights.fill(0.0);
        self.reset_covariance();
        self.gain_of = 0;
    }

    /// The weights, output by output.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// What a row takes: twice P x and once the update of P, and the outputs.
    #[must_use]
    pub fn cost(&self, outputs: usize) -> Cost {
        let (m, outputs) = ((4 * lanes(self.m)) as f64, outputs as f64);
        Cost {
            ns: 130.0 + m * (3.0 + 0.2 * m) + outputs * (20.0 + 0.8 * m),
            bytes: 4.0 * m * (m + 4.0) + 8.0 * m * (outputs + 2.0),
        }
    }

    /// Only these inputs stay, with what is known of them.
    pub fn keep(&mut self, kept: &[bool]) {
        let stays = |weights: &[f64]| {
            let pairs = weights.iter().zip(kept);
            pairs
                .filter(|&(_, &kept)| kept)
                .map(|(&weight, _)| weight)
                .collect::<Vec<f64>>()
        };
        self.weights = self.weights.chunks_exact(self.m).flat_map(stays).collect();
        self.covariance = self.covariance.keep(kept);
        self.m = kept.iter().filter(|&&kept| kept).count();
        self.inputs = vec![Lane::default(); lanes(self.m)];
        self.gain = vec![Lane::default(); lanes(self.m)];
        self.gain_of = 0;
    }

    /// What these inputs say is something else from now on: the others stand as if these had never been there (the posterior
    /// given that their weights are zero), and these begin anew, with the prior.
    pub fn renew(&mut self, inputs: std::ops::Range<usize>) {
        self.covariance.scale(self.scale);
        self.scale = 1.0;
        self.gain_of = 0;
        let mut unit = vec![0.0; self.m];
        for input in inputs {
            unit.fill(0.0);
            unit[input] = 1.0;
            self.compute_gain(&unit);
            let variance = self.variance;
            if variance > 0.0 {
                for weights in self.weights.chunks_exact_mut(self.m) {
                    let factor = -weights[input] / variance;
                    add_scaled(weights, factor, self.gain.as_flattened());
                }
                self.covariance.update(&self.gain, 1.0 / variance, 0.0);
            } else {
                // Rounding has made P indefinite: nothing is known of what goes with what.
                self.reset_covariance();
            }
            for weights in self.weights.chunks_exact_mut(self.m) {
                weights[input] = 0.0;
            }
            self.covariance.part(input, self.prior);
        }
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
        fill_lanes(&mut self.inputs, x);
        self.covariance.times(&self.inputs, &mut self.gain);
        for gain in self.gain.as_flattened_mut() {
            *gain *= self.scale;
        }
        self.variance = dot(self.gain.as_flattened(), self.inputs.as_flattened());
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
            add_scaled(weights, residual * share, self.gain.as_flattened());
            if self.forgetting > 0.0 {
                weights.iter_mut().for_each(|weight| *weight *= shrink);
            }
        }
        self.scale *= keep;
        let inverse = 1.0 / self.scale;
        self.covariance.update(
            &self.gain,
            keep * h * share * inverse,
            self.forgetting * self.prior * inverse,
        );
        if self.scale < SCALE_MIN {
            self.covariance.scale(self.scale);
            self.scale = 1.0;
        }
        self.gain_of = 0;
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.f64(self.scale);
        save_numbers(&self.weights, writer);
        self.covariance.save(writer);
    }

    /// Reads what `save` wrote into a model of the same shape.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.scale = reader.f64()?;
        load_numbers(&mut self.weights, reader)?;
        self.covariance.load(reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_that_begins_anew_leaves_the_others_as_if_it_had_never_been_there() {
        let mut with = SecondOrder::new(5, 1, 2.0, 0.0);
        let mut without = SecondOrder::new(5, 1, 2.0, 0.0);
        for row in 0..40_u64 {
            let angle = row as f64;
            let x = [
                1.0,
                libm::sin(angle),
                libm::cos(0.7 * angle),
                libm::sin(angle) + libm::cos(1.3 * angle),
                0.3,
            ];
            let y = 2.0 * x[1] - x[2] + 0.5 * x[3];
            let parted = [x[0], 0.0, x[2], 0.0, x[4]];
            for (model, x) in [(&mut with, x), (&mut without, parted)] {
                let residual = y - model.score(0, &x);
                model.learn(&x, row + 1, 1.0, std::iter::once(residual));
            }
        }
        with.renew(1..2);
        with.renew(3..4);
        for input in 0..5 {
            let (found, wanted) = (with.weights()[input], without.weights()[input]);
            assert!((found - wanted).abs() < 1e-9, "input {input}: {found} for {wanted}");
            let mut unit = [0.0; 5];
            unit[input] = 1.0;
            let (found, wanted) = (
                with.uncertainty(&unit, 100 + input as u64),
                without.uncertainty(&unit, 100 + input as u64),
            );
            assert!(
                (found - wanted).abs() < 1e-9,
                "variance of {input}: {found} for {wanted}"
            );
        }
    }
}
