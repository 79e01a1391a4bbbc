//! Betting on every weight by itself: a weight grows with what has been won by it so far, so there is no rate to set, and
//! none that fits one input and not another. It learns fast from few rows and goes on slowly, which suits late labels.
//!
//! Paper: Mhammedi & Koolen, "Lipschitz and comparator-norm adaptivity in online learning" (2020), FreeGrad with clipped
//! gradients, one bettor per coordinate; Huber (1964) for numbers. Cost: 2 m flops per output to serve, one exp, one
//! square root and some 20 flops per input and output to learn. Memory: 40 m bytes per output.

use crate::cholesky::dot;
use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::budget::Cost;
use crate::panel::experts::{Cells, ClassExpert, ClassRow, Expert, NumberExpert, NumberRow, Truth, from_base, outputs};
use crate::panel::inputs::{Inputs, Map};
use crate::panel::linear::{load_numbers, save_numbers};
use crate::panel::number::{exp, hold, sigmoid, soften};
use crate::panel::regressor::base_name;

/// Weights and exponents are held to these, so that nothing overflows.
const WEIGHT_MAX: f64 = 1e3;
const EXPONENT_MAX: f64 = 30.0;
/// Gradients of numbers are held to this many mean errors (Huber).
const HUBER: f64 = 1.5;

/// One bettor per weight.
#[derive(Clone, Debug, PartialEq)]
struct Bettors {
    m: usize,
    /// Per weight: sum of gradients, sum of their squares, first and largest one.
    stakes: Vec<[f64; 4]>,
    /// These follow from the stakes.
    weights: Vec<f64>,
}

impl Bettors {
    fn new(m: usize, outputs: usize) -> Self {
        Self {
            m,
            stakes: vec![[0.0; 4]; m * outputs],
            weights: vec![0.0; m * outputs],
        }
    }

    fn cost(&self, outputs: usize) -> Cost {
        let weights = (self.m * outputs) as f64;
        Cost {
            ns: 60.0 * outputs as f64 + 11.0 * weights,
            bytes: 40.0 * weights,
        }
    }

    fn score(&self, output: usize, x: &[f64]) -> f64 {
        dot(&self.weights[output * self.m..][..self.m], x)
    }

    fn learn(&mut self, output: usize, x: &[f64], gradient: f64) {
        let places = output * self.m..(output + 1) * self.m;
        let stakes = &mut self.stakes[places.clone()];
        for ((stake, weight), &x) in stakes.iter_mut().zip(&mut self.weights[places]).zip(x) {
            let gradient = gradient * x;
            let size = gradient.abs();
            let [sum, squares, first, most] = *stake;
            let begins = first == 0.0;
            let clipped = if begins || size <= most {
                gradient
            } else if gradient > 0.0 {
                most
            } else {
                -most
            };
            let square = clipped * clipped;
            *stake = [
                sum + clipped,
                squares + square + if begins { square } else { 0.0 },
                if begins { size } else { first },
                if size > most { size } else { most },
            ];
            *weight = weight_of(*stake);
        }
    }

    fn grow(&mut self, outputs: usize) {
        if self.stakes.len() == self.m && outputs > 1 {
            let against: Vec<[f64; 4]> = self
                .stakes
                .iter()
                .map(|&[sum, rest @ ..]| [-sum, rest[0], rest[1], rest[2]])
                .collect();
            self.stakes.splice(0..0, against);
        }
        self.stakes.resize(self.m * outputs, [0.0; 4]);
        self.weigh();
    }

    fn weigh(&mut self) {
        self.weights = self.stakes.iter().map(|&stake| weight_of(stake)).collect();
    }

    fn save(&self, writer: &mut Writer) {
        save_numbers(self.stakes.as_flattened(), writer);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        load_numbers(self.stakes.as_flattened_mut(), reader)?;
        self.weigh();
        Ok(())
    }
}

fn weight_of([sum, squares, first, most]: [f64; 4]) -> f64 {
    let size = sum.abs();
    let reach = squares + most * size;
    let below = reach * reach * squares.sqrt();
    let grown = sum * sum / (2.0 * reach + 1e-300);
    let grown = exp(if grown < EXPONENT_MAX { grown } else { EXPONENT_MAX });
    let weight = -sum * (2.0 * squares + most * size) * first * first / (below + 1e-300) * grown;
    hold(weight, -WEIGHT_MAX, WEIGHT_MAX)
}

/// For classes, over one map.
#[derive(Debug)]
pub struct CoinClasses {
    map: Map,
    bettors: Bettors,
    scores: Vec<f64>,
}

impl CoinClasses {
    /// No bet made, over the inputs of `map`.
    #[must_use]
    pub fn new(inputs: &Inputs, map: Map) -> Self {
        Self {
            map,
            bettors: Bettors::new(inputs.width(map), 1),
            scores: Vec::new(),
        }
    }
}

impl Expert for CoinClasses {
    fn cost(&self, outputs: usize) -> Cost {
        self.bettors.cost(outputs)
    }

    fn names(&self) -> Vec<String> {
        vec![format!("coin {}", self.map.name())]
    }

    fn map(&self) -> Option<Map> {
        Some(self.map)
    }

    fn save(&self, writer: &mut Writer) {
        self.bettors.save(writer);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.bettors.load(reader)
    }
}

impl ClassExpert for CoinClasses {
    fn grow(&mut self, classes: usize) {
        self.bettors.grow(outputs(classes));
    }

    fn predict(&mut self, row: &ClassRow, cells: &mut Cells) -> bool {
        cells.fill_scores(|output| self.bettors.score(output, row.z));
        true
    }

    fn learn(&mut self, row: &ClassRow, truth: Truth) {
        let Self { scores, bettors, .. } = self;
        scores.clear();
        scores.extend((0..truth.outputs()).map(|output| bettors.score(output, row.z)));
        if let [score] = &mut scores[..] {
            *score = sigmoid(*score);
        } else {
            soften(scores);
        }
        for (output, p) in scores.iter().enumerate() {
            bettors.learn(output, row.z, p - truth.of(output));
        }
    }
}

/// For numbers, over one map and from one base.
#[derive(Debug)]
pub struct CoinNumbers {
    map: Map,
    base: usize,
    residual: bool,
    bettors: Bettors,
    /// Labels learned, mean absolute distance of the label from the base: the unit of the bets.
    n: f64,
    unit: f64,
}

impl CoinNumbers {
    /// No bet made, over the inputs of `map`, on what is missing to the base at this place.
    #[must_use]
    pub fn new(inputs: &Inputs, map: Map, base: usize, residual: bool) -> Self {
        Self {
            map,
            base,
            residual,
            bettors: Bettors::new(inputs.width(map), 1),
            n: 0.0,
            unit: 0.0,
        }
    }
}

impl Expert for CoinNumbers {
    fn cost(&self, _: usize) -> Cost {
        self.bettors.cost(1)
    }

    fn names(&self) -> Vec<String> {
        vec![format!(
            "coin {} from {}",
            self.map.name(),
            base_name(self.base, self.residual)
        )]
    }

    fn map(&self) -> Option<Map> {
        Some(self.map)
    }

    fn save(&self, writer: &mut Writer) {
        writer.f64(self.n);
        writer.f64(self.unit);
        self.bettors.save(writer);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.n = reader.f64()?;
        self.unit = reader.f64()?;
        self.bettors.load(reader)
    }
}

impl NumberExpert for CoinNumbers {
    fn predict(&mut self, row: &NumberRow, out: &mut [f64]) {
        let score = self.bettors.score(0, row.z) * self.unit;
        out[0] = from_base(row.bases[self.base], score, row.range);
    }

    fn learn(&mut self, row: &NumberRow, label: f64, errors: &[f64]) {
        let distance = label - row.bases[self.base];
        if !distance.is_finite() {
            return;
        }
        self.n += 1.0;
        let rate = 1.0 / if self.n < 1000.0 { self.n } else { 1000.0 };
        self.unit += (distance.abs() - self.unit) * rate;
        let most = HUBER * errors[0];
        if most > 1e-120 {
            let miss = self.bettors.score(0, row.z) * self.unit - distance;
            self.bettors.learn(0, row.z, hold(miss / most, -1.0, 1.0));
        }
    }
}
