//! The top of the panel: ML-Prod over the lanes and stacks. It has no rate to set: each candidate's rate follows from
//! the squares of its own regrets.
//!
//! Paper: Gaillard, Stoltz & van Erven, "A second-order bound with excess losses" (2014), corollary 4. Cost: one exp and
//! one ln per candidate. Memory: 16 bytes per candidate.

use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::linear::{load_numbers, save_numbers};
use crate::panel::number::{exp, ln};

/// Weights over a few candidates.
#[derive(Clone, Debug, PartialEq)]
pub struct Top {
    log_weight: Vec<f64>,
    squares: Vec<f64>,
    /// Follows from the two above.
    weights: Vec<f64>,
}

impl Top {
    /// Equal weights.
    #[must_use]
    pub fn new(candidates: usize) -> Self {
        let mut top = Self {
            log_weight: vec![0.0; candidates],
            squares: vec![0.0; candidates],
            weights: vec![0.0; candidates],
        };
        top.weigh();
        top
    }

    /// The weights; they add up to 1.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    fn rate(&self, candidate: usize, log_count: f64) -> f64 {
        let rate = (log_count / (1.0 + self.squares[candidate])).sqrt();
        if rate < 0.5 { rate } else { 0.5 }
    }

    fn weigh(&mut self) {
        let log_count = ln(self.weights.len() as f64);
        let most = self
            .log_weight
            .iter()
            .copied()
            .fold(f64::MIN, |most, w| if w > most { w } else { most });
        let mut sum = 0.0;
        for candidate in 0..self.weights.len() {
            let weight = self.rate(candidate, log_count) * exp(self.log_weight[candidate] - most);
            self.weights[candidate] = weight;
            sum += weight;
        }
        self.weights.iter_mut().for_each(|weight| *weight /= sum);
    }

    /// Weighs the candidates anew by their losses, each in [0, 1].
    pub fn update(&mut self, losses: &[f64]) {
        let log_count = ln(self.weights.len() as f64);
        let mut mean = 0.0;
        for (weight, loss) in self.weights.iter().zip(losses) {
            mean += weight * loss;
        }
        for candidate in 0..self.weights.len() {
            let regret = mean - losses[candidate];
            let before = self.rate(candidate, log_count);
            self.squares[candidate] += regret * regret;
            let after = self.rate(candidate, log_count);
            self.log_weight[candidate] = (self.log_weight[candidate] + ln(1.0 + before * regret)) * (after / before);
        }
        self.weigh();
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        save_numbers(&self.log_weight, writer);
        save_numbers(&self.squares, writer);
    }

    /// Reads what `save` wrote into a top of the same size.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn load(&mut self, reader: &mut Reader) -> Result<()> {
        load_numbers(&mut self.log_weight, reader)?;
        load_numbers(&mut self.squares, reader)?;
        self.weigh();
        Ok(())
    }
}
