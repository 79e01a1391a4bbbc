//! What the first-order experts share: linear models at four rates side by side, of which the panel finds the one that
//! works today. How a weight moves is the rule's business (`adagrad.rs`, `adam.rs`, `ftrl.rs`). Classes learn by the
//! logistic loss, one output per class from three on; numbers what is missing to a base, in units of its mean size,
//! with gradients held to 1.5 mean errors (Huber 1964).
//!
//! Cost: 8 m flops per output to serve, and one step of the rule per weight to learn. Memory: 96 m bytes per output.

use std::fmt::Debug;
use std::marker::PhantomData;

use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::budget::Cost;
use crate::panel::experts::{Cells, ClassExpert, ClassRow, Expert, NumberExpert, NumberRow, Truth, from_base, outputs};
use crate::panel::inputs::{Inputs, Map};
use crate::panel::linear::{load_numbers, save_numbers};
use crate::panel::number::{hold, sigmoid};

/// Rates side by side.
pub const RATES: usize = 4;
/// Weights are held to this, so that nothing overflows.
const WEIGHT_MAX: f64 = 1e3;
/// Gradients of numbers are held to this many mean errors.
const HUBER: f64 = 1.5;

/// How one weight moves.
pub trait Rule: Debug {
    /// The name of its experts.
    const NAME: &'static str;
    /// Its rates, inputs having a deviation of 1.
    const RATES: [f64; RATES];
    /// Nominal nanoseconds of a step of one weight at all rates.
    const STEP_NS: f64;

    /// One step: `state` is the weight and two numbers of the rule's own.
    fn step(rate: f64, corrections: [f64; 2], state: [f64; 3], gradient: f64) -> [f64; 3];

    /// What steps after so many labels are given beside their rate.
    fn corrections(labels: f64) -> [f64; 2] {
        let _ = labels;
        [1.0; 2]
    }

    /// The state that says the opposite.
    fn turned(state: [[f64; RATES]; 3]) -> [[f64; RATES]; 3];
}

/// What numbers are measured in while they are learned: the mean size of what is missing to a base.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Unit {
    labels: f64,
    size: f64,
}

impl Unit {
    /// The mean size so far.
    #[must_use]
    pub fn size(self) -> f64 {
        self.size
    }

    /// One more distance from the base.
    pub fn learn(&mut self, distance: f64) {
        self.labels += 1.0;
        let rate = 1.0 / if self.labels < 1000.0 { self.labels } else { 1000.0 };
        self.size += (distance.abs() - self.size) * rate;
    }

    /// The gradient of a score that should have been `distance`, from -1 to 1, where the mean error is `error`.
    #[must_use]
    pub fn gradient(self, score: f64, distance: f64, error: f64) -> f64 {
        let most = HUBER * error;
        if most > 1e-120 {
            hold((score * self.size - distance) / most, -1.0, 1.0)
        } else {
            0.0
        }
    }

    /// Writes it.
    pub fn save(self, writer: &mut Writer) {
        writer.f64(self.labels);
        writer.f64(self.size);
    }

    /// Reads what `save` wrote.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn load(reader: &mut Reader) -> Result<Self> {
        Ok(Self {
            labels: reader.f64()?,
            size: reader.f64()?,
        })
    }
}

/// Linear models over one map, at all rates of a rule.
#[derive(Debug)]
pub struct Descent<R> {
    map: Map,
    base: usize,
    m: usize,
    labels: f64,
    unit: Unit,
    /// Per output and input: weights, then the two numbers of the rule, at each rate.
    states: Vec<[[f64; RATES]; 3]>,
    rule: PhantomData<R>,
}

impl<R: Rule> Descent<R> {
    /// Zero weights over the inputs of `map`; numbers start from the base at this place.
    #[must_use]
    pub fn new(inputs: &Inputs, map: Map, base: usize) -> Self {
        let m = inputs.width(map);
        Self {
            map,
            base,
            m,
            labels: 0.0,
            unit: Unit::default(),
            states: vec![[[0.0; RATES]; 3]; m],
            rule: PhantomData,
        }
    }

    fn scores(&self, output: usize, x: &[f64]) -> [f64; RATES] {
        let mut scores = [0.0; RATES];
        for ([weights, ..], &x) in self.states[output * self.m..][..self.m].iter().zip(x) {
            for lane in 0..RATES {
                scores[lane] += weights[lane] * x;
            }
        }
        scores
    }

    fn step(&mut self, output: usize, x: &[f64], gradients: [f64; RATES]) {
        let corrections = R::corrections(self.labels);
        for (state, &x) in self.states[output * self.m..][..self.m].iter_mut().zip(x) {
            let [weights, first, second] = state;
            for lane in 0..RATES {
                let before = [weights[lane], first[lane], second[lane]];
                let after = R::step(R::RATES[lane], corrections, before, gradients[lane] * x);
                weights[lane] = hold(after[0], -WEIGHT_MAX, WEIGHT_MAX);
                [first[lane], second[lane]] = [after[1], after[2]];
            }
        }
    }
}

impl<R: Rule> Expert for Descent<R> {
    fn cost(&self, outputs: usize) -> Cost {
        let weights = (self.m * outputs) as f64;
        Cost {
            ns: 40.0 + 60.0 * outputs as f64 + R::STEP_NS * weights,
            bytes: 96.0 * weights,
        }
    }

    fn names(&self) -> Vec<String> {
        R::RATES
            .iter()
            .map(|rate| format!("{} {} {rate}", R::NAME, self.map.name()))
            .collect()
    }

    fn width(&self) -> usize {
        RATES
    }

    fn map(&self) -> Option<Map> {
        Some(self.map)
    }

    fn save(&self, writer: &mut Writer) {
        writer.f64(self.labels);
        self.unit.save(writer);
        save_numbers(self.states.as_flattened().as_flattened(), writer);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.labels = reader.f64()?;
        self.unit = Unit::load(reader)?;
        load_numbers(self.states.as_flattened_mut().as_flattened_mut(), reader)
    }
}

impl<R: Rule> ClassExpert for Descent<R> {
    fn grow(&mut self, classes: usize) {
        // From class 1 against class 0 to one model per class: that of class 0 is the old one, turned around.
        if self.states.len() == self.m && classes > 2 {
            let against: Vec<[[f64; RATES]; 3]> = self.states.iter().map(|&state| R::turned(state)).collect();
            self.states.splice(0..0, against);
        }
        self.states.resize(self.m * outputs(classes), [[0.0; RATES]; 3]);
    }

    fn predict(&mut self, row: &ClassRow, cells: &mut Cells) -> bool {
        cells.fill_lanes(|output| self.scores(output, row.z));
        true
    }

    fn learn(&mut self, row: &ClassRow, truth: Truth) {
        for output in 0..truth.outputs() {
            let y = truth.of(output);
            let gradients = self.scores(output, row.z).map(|score| sigmoid(score) - y);
            self.step(output, row.z, gradients);
        }
        self.labels += 1.0;
    }
}

impl<R: Rule> NumberExpert for Descent<R> {
    fn predict(&mut self, row: &NumberRow, out: &mut [f64]) {
        for (out, score) in out.iter_mut().zip(self.scores(0, row.z)) {
            *out = from_base(row.bases[self.base], score * self.unit.size(), row.range);
        }
    }

    fn learn(&mut self, row: &NumberRow, label: f64, errors: &[f64]) {
        let distance = label - row.bases[self.base];
        if !distance.is_finite() {
            return;
        }
        self.unit.learn(distance);
        let scores = self.scores(0, row.z);
        let gradient = |lane: usize| self.unit.gradient(scores[lane], distance, errors[lane]);
        self.step(0, row.z, std::array::from_fn(gradient));
        self.labels += 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::experts::adagrad::AdaGrad;
    use crate::panel::experts::adam::Adam;
    use crate::panel::experts::ftrl::Ftrl;

    /// The weight after these gradients at one rate.
    fn after<R: Rule>(rate: f64, gradients: &[f64]) -> f64 {
        let mut state = [0.0; 3];
        for (labels, &gradient) in gradients.iter().enumerate() {
            state = R::step(rate, R::corrections(labels as f64), state, gradient);
        }
        state[0]
    }

    #[test]
    fn adagrad_divides_by_the_root_of_the_sum_of_squares() {
        let truth = -0.1 * 3.0 / 3.0 - 0.1 * 4.0 / 5.0;
        assert!((after::<AdaGrad>(0.1, &[3.0, 4.0]) - truth).abs() < 1e-8);
        assert_eq!(after::<AdaGrad>(0.1, &[0.0, 0.0]), 0.0);
    }

    #[test]
    fn adam_corrects_its_moments_for_their_beginning() {
        // By hand: m = .1, .29; v = .001, .004999; corrected by 1 - .9^t and 1 - .999^t.
        let first = 0.01;
        let second = 0.01 * (0.29 / 0.19) / libm::sqrt(0.004_999 / 0.001_999);
        assert!((after::<Adam>(0.01, &[1.0]) + first).abs() < 1e-8);
        assert!((after::<Adam>(0.01, &[1.0, 2.0]) + first + second).abs() < 1e-8);
    }

    #[test]
    fn ftrl_keeps_weights_at_zero_until_there_is_enough_to_say() {
        // By hand, α 0.5, β 1, λ1 0.1: z = .05 stays at 0; then n = .05² + 1, σ = (√n - .05) / .5 of a weight of 0, z = 1.05.
        assert_eq!(after::<Ftrl>(0.5, &[0.05]), 0.0);
        let n: f64 = 0.05 * 0.05 + 1.0;
        let truth = -(1.05 - 0.1) / ((1.0 + n.sqrt()) / 0.5);
        assert!((after::<Ftrl>(0.5, &[0.05, 1.0]) - truth).abs() < 1e-12);
        // One more: σ of a weight that is not 0 any more.
        let (next, sigma) = (n + 0.25, ((n + 0.25).sqrt() - n.sqrt()) / 0.5);
        let z = 1.05 - 0.5 - sigma * truth;
        let truth = -(z - 0.1) / ((1.0 + next.sqrt()) / 0.5);
        assert!((after::<Ftrl>(0.5, &[0.05, 1.0, -0.5]) - truth).abs() < 1e-12);
    }

    #[test]
    fn a_third_class_finds_the_first_two_as_they_were() {
        fn check<R: Rule>() {
            let inputs = Inputs::new(vec![false; 2], 1, false);
            let mut expert = Descent::<R>::new(&inputs, Map::Columns, 0);
            let prior = crate::panel::experts::prior::Prior::new(3);
            let x = [0.0; 2];
            let row = |z| ClassRow {
                z,
                x: &x,
                serial: 1,
                last: None,
                prior: &prior,
                inputs: &inputs,
                release: None,
            };
            let rows = (0..50).map(|at| [1.0, f64::from(at % 5) - 2.0, f64::from(at % 3) - 1.0]);
            let rows: Vec<[f64; 3]> = rows.collect();
            for z in &rows {
                let class = usize::from(z[1] > 0.0);
                ClassExpert::learn(&mut expert, &row(z), Truth { class, classes: 2 });
            }
            let before = expert.scores(0, &[1.0, 2.0, 0.0]);
            assert!(before.iter().all(|score| *score > 0.0), "{}: {before:?}", R::NAME);
            expert.grow(3);
            assert_eq!(expert.scores(1, &[1.0, 2.0, 0.0]), before);
            assert_eq!(expert.scores(0, &[1.0, 2.0, 0.0]), before.map(|score| -score));
            assert_eq!(expert.scores(2, &[1.0, 2.0, 0.0]), [0.0; RATES]);
        }
        check::<AdaGrad>();
        check::<Adam>();
        check::<Ftrl>();
    }
}
