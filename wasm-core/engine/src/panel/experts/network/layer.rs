//! A layer of a network: weights unit by unit, how much each mattered lately, and what holds them where they mattered before.

use crate::cholesky::dot;
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::panel::linear::{load_numbers, save_numbers};
use crate::panel::number::hold;

const RATE: f64 = 0.02;
/// Rate at which mean squares of gradients follow.
const DECAY: f64 = 0.005;
const SMALL: f64 = 1e-8;
const WEIGHT_MAX: f64 = 100.0;
/// How many labels a held concept counts for, and the most that one step goes back to it.
const HELD_LABELS: f64 = 400.0;
const BACK_MAX: f64 = 0.25;
/// What is left of the importance of a concept when the next one is held.
const FADING: f64 = 0.5;

/// Weights and what is known of them; all vectors are as long as the weights, or empty.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    inputs: usize,
    weights: Vec<f64>,
    /// Per unit the mean square of its gradients.
    squares: Vec<f64>,
    /// Per weight the same: the diagonal of the Fisher information.
    fisher: Vec<f64>,
    /// Weights and information some labels ago, the older first.
    snapshots: [Vec<f64>; 4],
    /// Where weights are held, and how strongly; empty before the first change.
    held: Vec<f64>,
    importance: Vec<f64>,
}

/// The finaliser of splitmix64.
pub(super) fn mixed(seed: u64) -> u64 {
    let z = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Layer {
    /// Weights of 0.
    pub(super) fn zero(inputs: usize, units: usize) -> Self {
        Self {
            inputs,
            weights: vec![0.0; inputs * units],
            squares: vec![0.0; units],
            fisher: vec![0.0; inputs * units],
            snapshots: Default::default(),
            held: Vec::new(),
            importance: Vec::new(),
        }
    }

    /// Weights drawn evenly from ±√(3 / inputs), the same ones each time for a number.
    pub(super) fn drawn(inputs: usize, units: usize, number: u64) -> Self {
        let mut layer = Self::zero(inputs, units);
        let reach = (3.0 / inputs as f64).sqrt();
        let mut seed = mixed(number + 1);
        for weight in &mut layer.weights {
            seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let uniform = (mixed(seed) >> 11) as f64 / 9_007_199_254_740_992.0;
            *weight = reach * (2.0 * uniform - 1.0);
        }
        layer
    }

    /// The score of each unit.
    pub(super) fn scores<'a>(&'a self, x: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        self.weights.chunks_exact(self.inputs).map(|weights| dot(weights, x))
    }

    /// What gradients of the units mean for an input.
    pub(super) fn back(&self, input: usize, gradients: &[f64]) -> f64 {
        let weights = self.weights.iter().skip(input).step_by(self.inputs);
        weights.zip(gradients).map(|(weight, gradient)| weight * gradient).sum()
    }

    /// One step down the gradients of the units, and back towards what is held.
    pub(super) fn step(&mut self, x: &[f64], gradients: &[f64]) {
        let length = dot(x, x) / self.inputs as f64;
        for (unit, &gradient) in gradients.iter().enumerate() {
            let square = &mut self.squares[unit];
            *square += DECAY * (gradient * gradient * length - *square);
            let rate = RATE / ((*square).sqrt() + SMALL);
            let places = unit * self.inputs..(unit + 1) * self.inputs;
            let weights = &mut self.weights[places.clone()];
            let fisher = &mut self.fisher[places.clone()];
            for ((weight, fisher), &x) in weights.iter_mut().zip(fisher).zip(x) {
                let slope = gradient * x;
                *fisher += DECAY * (slope * slope - *fisher);
                *weight = hold(*weight - rate * slope, -WEIGHT_MAX, WEIGHT_MAX);
            }
            if !self.held.is_empty() {
                let held = self.held[places.clone()].iter().zip(&self.importance[places]);
                for (weight, (held, importance)) in weights.iter_mut().zip(held) {
                    let back = hold(rate * HELD_LABELS * importance, 0.0, BACK_MAX);
                    *weight += back * (held - *weight);
                }
            }
        }
    }

    /// Takes a snapshot; the two newest are kept.
    pub(super) fn remember(&mut self) {
        let [weights, fisher, newer, newer_fisher] = &mut self.snapshots;
        std::mem::swap(weights, newer);
        std::mem::swap(fisher, newer_fisher);
        newer.clone_from(&self.weights);
        newer_fisher.clone_from(&self.fisher);
    }

    /// Holds the weights as they were in the older snapshot.
    pub(super) fn hold(&mut self) {
        let [weights, fisher, ..] = &self.snapshots;
        if weights.len() != self.weights.len() {
            return;
        }
        self.held.clone_from(weights);
        self.importance.resize(fisher.len(), 0.0);
        for (importance, fisher) in self.importance.iter_mut().zip(fisher) {
            *importance = FADING * *importance + fisher;
        }
    }

    /// Room for more inputs; what was held and remembered of fewer is let go.
    pub(super) fn widen(&mut self, more: usize) {
        let (before, after) = (self.inputs, self.inputs + more);
        for numbers in [&mut self.weights, &mut self.fisher] {
            let wider = numbers.chunks_exact(before).flat_map(|unit| {
                let added = std::iter::repeat_n(0.0, after - before);
                unit.iter().copied().chain(added)
            });
            *numbers = wider.collect();
        }
        self.inputs = after;
        self.let_go();
    }

    /// From one unit (class 1 against class 0) to one per class.
    pub(super) fn grow(&mut self, units: usize) {
        if self.squares.len() == 1 && units > 1 {
            let halves: Vec<f64> = self.weights.iter().map(|weight| 0.5 * weight).collect();
            self.weights = halves.iter().map(|half| -half).chain(halves.iter().copied()).collect();
            let again = self.fisher.clone();
            self.fisher.extend(again);
            self.squares.push(self.squares[0]);
        }
        self.weights.resize(units * self.inputs, 0.0);
        self.fisher.resize(units * self.inputs, 0.0);
        self.squares.resize(units, 0.0);
        self.let_go();
    }

    fn let_go(&mut self) {
        self.snapshots = Default::default();
        self.held = Vec::new();
        self.importance = Vec::new();
    }

    /// Writes the state.
    pub(super) fn save(&self, writer: &mut Writer) {
        save_numbers(&self.weights, writer);
        save_numbers(&self.squares, writer);
        save_numbers(&self.fisher, writer);
        for numbers in self.optional() {
            writer.bool(!numbers.is_empty());
            save_numbers(numbers, writer);
        }
    }

    fn optional(&self) -> impl Iterator<Item = &Vec<f64>> {
        self.snapshots.iter().chain([&self.held, &self.importance])
    }

    /// Reads what `save` wrote into a layer of the same shape.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub(super) fn load(&mut self, reader: &mut Reader) -> Result<()> {
        load_numbers(&mut self.weights, reader)?;
        load_numbers(&mut self.squares, reader)?;
        load_numbers(&mut self.fisher, reader)?;
        let count = self.weights.len();
        let optional = self.snapshots.iter_mut().chain([&mut self.held, &mut self.importance]);
        for numbers in optional {
            *numbers = vec![0.0; if reader.bool()? { count } else { 0 }];
            load_numbers(numbers, reader)?;
        }
        let [weights, fisher, newer, newer_fisher] = self.snapshots.each_ref().map(Vec::len);
        if weights == fisher && newer == newer_fisher && self.held.len() == self.importance.len() {
            Ok(())
        } else {
            Err(CoreError::Corrupt)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_with_half_a_snapshot_is_refused() {
        let bytes = |layer: &Layer| {
            let mut writer = Writer::new();
            layer.save(&mut writer);
            writer.into_vec()
        };
        let mut whole = Layer::drawn(3, 2, 0);
        for _ in 0..2 {
            whole.remember();
        }
        whole.hold();
        assert!(Layer::zero(3, 2).load(&mut Reader::new(&bytes(&whole))).is_ok());
        for half in 0..4 {
            let mut layer = whole.clone();
            layer.snapshots[half] = Vec::new();
            let loaded = Layer::zero(3, 2).load(&mut Reader::new(&bytes(&layer)));
            assert_eq!(loaded, Err(CoreError::Corrupt), "{half}");
        }
    }
}
