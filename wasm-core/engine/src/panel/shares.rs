//! Lanes of fixed share: each lane keeps one weight per expert, multiplies it by how well the expert did to the power of
//! the lane's rate, and gives a small share of everything back to all, so that an expert whose day has come is up in a
//! few labels. A lane is one pair of rate and share; the top of the panel finds the lane that fits the stream and the
//! delay of its labels.
//!
//! Paper: Herbster & Warmuth, "Tracking the best expert" (1998); Freund et al., "Using and combining predictors that
//! specialize" (1997) for experts that join later. Cost: 4 M flops per lane. Memory: 8 M bytes per lane.

use crate::cholesky::dot;
use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::linear::{load_numbers, save_numbers};
use crate::panel::number::normalise;
use crate::panel::standing::retain;

/// Least weight of an expert, so that none is lost to underflow between two sharings.
const WEIGHT_MIN: f64 = 1e-12;

/// The weights of all lanes.
#[derive(Clone, Debug, PartialEq)]
pub struct Shares {
    experts: usize,
    share: &'static [f64],
    /// 1 for experts that take part, else 0.
    started: Vec<f64>,
    weights: Vec<f64>,
    /// How many take part.
    count: f64,
}

impl Shares {
    /// Lanes with these shares; the experts that have `started` weigh the same, the others nothing.
    #[must_use]
    pub fn new(started: Vec<bool>, share: &'static [f64]) -> Self {
        let experts = started.len();
        let count = started.iter().filter(|&&started| started).count() as f64;
        let row = started.iter().map(|&started| if started { 1.0 / count } else { 0.0 });
        let weights = (0..share.len()).flat_map(|_| row.clone()).collect();
        let started = started
            .into_iter()
            .map(|started| f64::from(u8::from(started)))
            .collect();
        Self {
            experts,
            share,
            started,
            weights,
            count,
        }
    }

    /// How many lanes there are.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.share.len()
    }

    /// The weights of one lane; they add up to 1.
    #[must_use]
    pub fn lane(&self, lane: usize) -> &[f64] {
        &self.weights[lane * self.experts..][..self.experts]
    }

    /// True once an expert takes part.
    #[must_use]
    pub fn started(&self, expert: usize) -> bool {
        self.started[expert] > 0.0
    }

    /// An expert joins, or joins anew, with an equal share.
    pub fn join(&mut self, expert: usize) {
        self.started[expert] = 1.0;
        let count: f64 = self.started.iter().sum();
        self.count = count;
        for lane in self.weights.chunks_exact_mut(self.experts) {
            lane[expert] = 0.0;
            let rest: f64 = lane.iter().sum();
            let scale = if rest > 0.0 { (1.0 - 1.0 / count) / rest } else { 0.0 };
            lane.iter_mut().for_each(|weight| *weight *= scale);
            lane[expert] = 1.0 / count;
        }
    }

    /// The share of one among all that take part.
    #[must_use]
    pub fn equal(&self) -> f64 {
        1.0 / self.count
    }

    /// Gives the experts from `first` on these weights in a lane; the others keep theirs among each other in what is left.
    pub fn enter(&mut self, lane: usize, first: usize, weights: &[f64]) {
        let lane = &mut self.weights[lane * self.experts..][..self.experts];
        let places = first..first + weights.len();
        lane[places.clone()].fill(0.0);
        let (rest, taken) = (lane.iter().sum::<f64>(), weights.iter().sum::<f64>());
        let scale = if rest > 0.0 { (1.0 - taken) / rest } else { 0.0 };
        lane.iter_mut().for_each(|weight| *weight *= scale);
        lane[places].copy_from_slice(weights);
    }

    /// Gives `to` the weight of `from` in every lane; the others make way.
    pub fn match_weight(&mut self, from: usize, to: usize) {
        for lane in self.weights.chunks_exact_mut(self.experts) {
            let rest = 1.0 - lane[to];
            let weight = lane[from];
            lane[to] = weight;
            let scale = 1.0 / (rest + weight);
            lane.iter_mut().for_each(|weight| *weight *= scale);
        }
    }

    /// The world has changed: half of what every expert weighs is shared out evenly.
    pub fn adapt(&mut self) {
        let given = 0.5 / self.count;
        for lane in self.weights.chunks_exact_mut(self.experts) {
            for (weight, &started) in lane.iter_mut().zip(&self.started) {
                *weight = 0.5 * *weight + given * started;
            }
        }
    }

    /// Only these experts stay; what the others weighed is shared out in proportion.
    pub fn keep(&mut self, kept: &[bool]) {
        let mut weights = Vec::new();
        for lane in self.weights.chunks_exact(self.experts) {
            let mut lane = lane.to_vec();
            retain(&mut lane, kept);
            normalise(&mut lane);
            weights.extend(lane);
        }
        retain(&mut self.started, kept);
        (self.experts, self.weights) = (self.started.len(), weights);
        self.count = self.started.iter().sum();
    }

    /// Weighs the experts of one lane anew; `likelihood` is in (0, 1] per expert, the lane's rate already in it.
    pub fn update(&mut self, lane: usize, likelihood: &[f64]) {
        let share = self.share[lane];
        let weights = &mut self.weights[lane * self.experts..][..self.experts];
        for ((weight, &likelihood), &started) in weights.iter_mut().zip(likelihood).zip(&self.started) {
            *weight = *weight * likelihood + WEIGHT_MIN * started;
        }
        let scale = (1.0 - share) / dot(weights, &self.started);
        let given = share / self.count;
        for (weight, &started) in weights.iter_mut().zip(&self.started) {
            *weight = *weight * scale + given * started;
        }
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        for &started in &self.started {
            writer.bool(started > 0.0);
        }
        save_numbers(&self.weights, writer);
    }

    /// Reads what `save` wrote into shares of the same shape.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(&mut self, reader: &mut Reader) -> Result<()> {
        for started in &mut self.started {
            *started = f64::from(u8::from(reader.bool()?));
        }
        self.count = self.started.iter().sum();
        load_numbers(&mut self.weights, reader)
    }
}
