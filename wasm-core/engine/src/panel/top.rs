//! The top of the panel: ML-Prod over the lanes and stacks. It has no rate to set: each candidate's rate follows from
//! the squares of its own regrets.
//!
//! Paper: Gaillard, Stoltz & van Erven, "A second-order bound with excess losses" (2014), corollary 4. Cost: one exp and
//! one ln per candidate. Memory: 16 bytes per candidate.

use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::linear::{load_numbers, save_numbers};
use crate::panel::number::{exp_each, ln, ln_each};

/// Weights over a few candidates.
#[derive(Clone, Debug, PartialEq)]
pub struct Top {
    log_weight: Vec<f64>,
    squares: Vec<f64>,
    /// These follow from the two above.
    rates: Vec<f64>,
    weights: Vec<f64>,
    /// Working memory: what each gains from a label, before its logarithm and after.
    gains: Vec<f64>,
}

impl Top {
    /// Equal weights.
    #[must_use]
    pub fn new(candidates: usize) -> Self {
        let mut top = Self {
            log_weight: vec![0.0; candidates],
            squares: vec![0.0; candidates],
            rates: vec![0.0; candidates],
            weights: vec![0.0; candidates],
            gains: vec![0.0; candidates],
        };
        top.set_rates();
        top.weigh();
        top
    }

    /// The weights; they add up to 1.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    fn set_rates(&mut self) {
        let log_count = ln(self.rates.len() as f64);
        for (rate, square) in self.rates.iter_mut().zip(&self.squares) {
            let free = (log_count / (1.0 + square)).sqrt();
            *rate = if free < 0.5 { free } else { 0.5 };
        }
    }

    fn weigh(&mut self) {
        let most = self
            .log_weight
            .iter()
            .copied()
            .fold(f64::MIN, |most, w| if w > most { w } else { most });
        for (weight, log_weight) in self.weights.iter_mut().zip(&self.log_weight) {
            *weight = log_weight - most;
        }
        exp_each(&mut self.weights);
        let mut sum = 0.0;
        for (weight, rate) in self.weights.iter_mut().zip(&self.rates) {
            *weight *= rate;
            sum += *weight;
        }
        let scale = 1.0 / sum;
        self.weights.iter_mut().for_each(|weight| *weight *= scale);
    }

    /// Weighs the candidates anew by their losses, each in [0, 1].
    pub fn update(&mut self, losses: &[f64]) {
        let mut mean = 0.0;
        for (weight, loss) in self.weights.iter().zip(losses) {
            mean += weight * loss;
        }
        for (candidate, loss) in losses.iter().enumerate() {
            let regret = mean - loss;
            self.squares[candidate] += regret * regret;
            self.gains[candidate] = 1.0 + self.rates[candidate] * regret;
        }
        ln_each(&mut self.gains);
        for ((log_weight, gain), rate) in self.log_weight.iter_mut().zip(&self.gains).zip(&self.rates) {
            *log_weight = (*log_weight + gain) / rate;
        }
        self.set_rates();
        for (log_weight, rate) in self.log_weight.iter_mut().zip(&self.rates) {
            *log_weight *= rate;
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
        self.set_rates();
        self.weigh();
        Ok(())
    }
}
