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
use crate::panel::lanes::{Lane, Quad};
use crate::panel::number::{Number, exp, hold, sigmoid, soften};
use crate::panel::regressor::base_name;
use crate::panel::symmetric::lanes;

/// Bettors side by side.
const LANE: usize = 4;

/// Weights and exponents are held to these, so that nothing overflows.
const WEIGHT_MAX: f64 = 1e3;
const EXPONENT_MAX: f64 = 30.0;
/// Gradients of numbers are held to this many mean errors (Huber).
const HUBER: f64 = 1.5;

/// What bettors have at stake: sum of gradients, sum of their squares, first and largest one; four bettors side by side.
type Stakes = [Lane; 4];

/// One bettor per weight.
#[derive(Clone, Debug, PartialEq)]
struct Bettors {
    m: usize,
    /// Output by output; what is over in the last ones is 0.
    stakes: Vec<Stakes>,
    /// These follow from the stakes.
    weights: Vec<f64>,
}

impl Bettors {
    fn new(m: usize, outputs: usize) -> Self {
        Self {
            m,
            stakes: vec![Stakes::default(); lanes(m) * outputs],
            weights: vec![0.0; m * outputs],
        }
    }

    fn cost(&self, outputs: usize) -> Cost {
        let weights = (self.m * outputs) as f64;
        Cost {
            ns: 60.0 * outputs as f64 + 9.0 * weights,
            bytes: 40.0 * weights,
        }
    }

    fn score(&self, output: usize, x: &[f64]) -> f64 {
        dot(&self.weights[output * self.m..][..self.m], x)
    }

    fn learn(&mut self, output: usize, x: &[f64], gradient: f64) {
        let stakes = &mut self.stakes[output * lanes(self.m)..][..lanes(self.m)];
        let weights = &mut self.weights[output * self.m..][..self.m];
        let gradient = Quad::all(gradient);
        let ((fours, weights), (x, last)) = (weights.as_chunks_mut::<LANE>(), x.as_chunks::<LANE>());
        for ((stakes, weights), x) in stakes.iter_mut().zip(fours).zip(x) {
            *weights = bet(stakes, gradient * Quad::of(x)).lane();
        }
        if let (Some(stakes), false) = (stakes.last_mut(), last.is_empty()) {
            let x = std::array::from_fn(|lane| last.get(lane).copied().unwrap_or(0.0));
            let bets = bet(stakes, gradient * Quad::of(&x)).lane();
            weights.iter_mut().zip(bets).for_each(|(weight, bet)| *weight = bet);
        }
    }

    fn grow(&mut self, outputs: usize) {
        if self.stakes.len() == lanes(self.m) && outputs > 1 {
            let against = |&[sum, rest @ ..]: &Stakes| [sum.map(|sum| -sum), rest[0], rest[1], rest[2]];
            let against: Vec<Stakes> = self.stakes.iter().map(against).collect();
            self.stakes.splice(0..0, against);
        }
        self.stakes.resize(lanes(self.m) * outputs, Stakes::default());
        self.weigh();
    }

    fn weigh(&mut self) {
        self.weights.clear();
        for stakes in self.stakes.chunks_exact(lanes(self.m)) {
            let weights = stakes
                .iter()
                .flat_map(|stakes| weight_of(stakes.each_ref().map(Quad::of)).lane());
            self.weights.extend(weights.take(self.m));
        }
    }

    fn save(&self, writer: &mut Writer) {
        for stakes in self.stakes.chunks_exact(lanes(self.m)) {
            for at in 0..self.m {
                for numbers in &stakes[at / LANE] {
                    writer.f64(numbers[at % LANE]);
                }
            }
        }
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        for stakes in self.stakes.chunks_exact_mut(lanes(self.m)) {
            for at in 0..self.m {
                for numbers in &mut stakes[at / LANE] {
                    numbers[at % LANE] = reader.f64()?;
                }
            }
        }
        self.weigh();
        Ok(())
    }
}

/// Four bettors learn their gradients; answers with the weights that follow.
#[inline(always)]
fn bet(stakes: &mut Stakes, gradient: Quad) -> Quad {
    let size = gradient.abs();
    let [sum, squares, first, most] = stakes.each_ref().map(Quad::of);
    // The first gradient counts as it is, and its square twice.
    let limit = first.if_zero(size, most);
    let clipped = gradient.held(Quad::all(0.0) - limit, limit);
    let square = clipped * clipped;
    let told = [
        sum + clipped,
        squares + square + first.if_zero(square, Quad::all(0.0)),
        first.if_zero(size, first),
        most.or_above(size),
    ];
    *stakes = told.map(Quad::lane);
    weight_of(told)
}

#[inline(always)]
fn weight_of([sum, squares, first, most]: [Quad; 4]) -> Quad {
    let (two, least) = (Quad::all(2.0), Quad::all(1e-300));
    let size = sum.abs();
    let reach = squares + most * size;
    let below = reach * reach * squares.sqrt();
    let grown = sum * sum / (two * reach + least);
    let grown = exp(grown.or_below(Quad::all(EXPONENT_MAX)));
    let weight = (Quad::all(0.0) - sum) * (two * squares + most * size) * first * first / (below + least) * grown;
    weight.held(Quad::all(-WEIGHT_MAX), Quad::all(WEIGHT_MAX))
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
