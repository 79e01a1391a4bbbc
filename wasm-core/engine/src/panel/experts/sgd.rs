//! Implicit stochastic gradient descent at eight rates at once, one SIMD lane each: the panel finds the rate that works
//! today, so none has to be tuned. The implicit step solves for the prediction after the step, which keeps every rate
//! stable.
//!
//! Paper: Toulis & Airoldi, "Asymptotic and finite-sample properties of estimators based on stochastic gradients"
//! (2017); Kulis & Bartlett, "Implicit online learning" (2010). Cost: 32 m flops per output to serve and learn.
//! Memory: 64 m bytes per output.

use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::budget::Cost;
use crate::panel::experts::{Cells, ClassExpert, ClassRow, Expert, NumberExpert, NumberRow, Truth, from_base, outputs};
use crate::panel::inputs::{Inputs, Map};
use crate::panel::linear::{load_numbers, save_numbers};
use crate::panel::number::{hold, sigmoid_each};

/// Rates side by side.
pub const LANES: usize = 8;
/// The first rate, in units of 1 / mean squared length of the inputs; each next is a quarter.
const RATE_FIRST: f64 = 160.0;

/// Eight linear models per output.
#[derive(Clone, Debug, PartialEq)]
pub struct SgdLanes {
    m: usize,
    weights: Vec<[f64; LANES]>,
    rows: f64,
    square_mean: f64,
}

impl SgdLanes {
    /// Zero weights for `outputs` outputs of `m` inputs.
    #[must_use]
    pub fn new(m: usize, outputs: usize) -> Self {
        Self {
            m,
            weights: vec![[0.0; LANES]; m * outputs],
            rows: 0.0,
            square_mean: 0.0,
        }
    }

    /// From one output (class 1 against class 0) to one per class.
    pub fn grow(&mut self, outputs: usize) {
        if self.weights.len() == self.m && outputs > 1 {
            let negated: Vec<[f64; LANES]> = self.weights.iter().map(|w| w.map(|w| -w)).collect();
            self.weights.splice(0..0, negated);
        }
        self.weights.resize(self.m * outputs, [0.0; LANES]);
    }

    /// The scores of one output.
    #[must_use]
    pub fn scores(&self, output: usize, x: &[f64]) -> [f64; LANES] {
        let mut scores = [0.0; LANES];
        for (weights, &x) in self.weights[output * self.m..][..self.m].iter().zip(x) {
            for lane in 0..LANES {
                scores[lane] += weights[lane] * x;
            }
        }
        scores
    }

    /// Takes note of the length of the inputs; call once per row before learning its outputs. Returns x'x.
    pub fn begin(&mut self, x: &[f64]) -> f64 {
        let square = crate::cholesky::dot(x, x);
        self.rows += 1.0;
        let rate = if self.rows < 10_000.0 { 1.0 / self.rows } else { 1e-4 };
        self.square_mean += (square - self.square_mean) * rate;
        square
    }

    fn steps(&self, square: f64) -> [f64; LANES] {
        let mut rate = RATE_FIRST
            / if self.square_mean > 1e-3 {
                self.square_mean
            } else {
                1e-3
            };
        std::array::from_fn(|_| {
            let step = rate * square;
            rate *= 0.25;
            step
        })
    }

    fn step(&mut self, output: usize, x: &[f64], gradient: [f64; LANES], square: f64) {
        let scale = if square > 0.0 { 1.0 / square } else { 0.0 };
        for (weights, &x) in self.weights[output * self.m..][..self.m].iter_mut().zip(x) {
            let x = x * scale;
            for lane in 0..LANES {
                weights[lane] += gradient[lane] * x;
            }
        }
    }

    /// Learns one output of logistic loss, `y` 0 or 1: solves g = y - σ(s + c g), c = rate · x'x, starting from the curvature's bound
    /// and by one Newton step from there.
    pub fn learn_logistic(&mut self, output: usize, x: &[f64], y: f64, square: f64) {
        let scores = self.scores(output, x);
        let c = self.steps(square);
        let mut g = [0.0; LANES];
        let mut p = scores;
        sigmoid_each(&mut p);
        for lane in 0..LANES {
            g[lane] = (y - p[lane]) / (1.0 + c[lane] * 0.25);
            p[lane] = scores[lane] + c[lane] * g[lane];
        }
        sigmoid_each(&mut p);
        for lane in 0..LANES {
            let p = p[lane];
            let slope = 1.0 + c[lane] * p * (1.0 - p);
            g[lane] = hold(g[lane] - (g[lane] - y + p) / slope, y - 1.0, y);
        }
        for lane in 0..LANES {
            g[lane] *= c[lane];
        }
        self.step(output, x, g, square);
    }

    /// Learns one output of squared loss.
    pub fn learn_squared(&mut self, output: usize, x: &[f64], y: f64, square: f64) {
        let scores = self.scores(output, x);
        let c = self.steps(square);
        let mut g = [0.0; LANES];
        for lane in 0..LANES {
            g[lane] = c[lane] * (y - scores[lane]) / (1.0 + c[lane]);
        }
        self.step(output, x, g, square);
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.f64(self.rows);
        writer.f64(self.square_mean);
        save_numbers(self.weights.as_flattened(), writer);
    }

    /// Reads what `save` wrote into lanes of the same shape.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.rows = reader.f64()?;
        self.square_mean = reader.f64()?;
        load_numbers(self.weights.as_flattened_mut(), reader)
    }
}

/// The lanes over one map; for numbers from a base.
#[derive(Debug)]
pub struct Sgd {
    map: Map,
    base: usize,
    /// Classes take two exponentials per lane, numbers none.
    logistic: bool,
    lanes: SgdLanes,
}

impl Sgd {
    /// For classes, over the inputs of `map`.
    #[must_use]
    pub fn classes(inputs: &Inputs, map: Map) -> Self {
        Self {
            logistic: true,
            ..Self::numbers(inputs, map, 0)
        }
    }

    /// For numbers, over the inputs of `map`, from the base at this place.
    #[must_use]
    pub fn numbers(inputs: &Inputs, map: Map, base: usize) -> Self {
        Self {
            map,
            base,
            logistic: false,
            lanes: SgdLanes::new(inputs.width(map), 1),
        }
    }
}

impl Expert for Sgd {
    fn cost(&self, outputs: usize) -> Cost {
        let outputs = outputs as f64;
        let m = self.lanes.m as f64;
        Cost {
            ns: outputs * (if self.logistic { 215.0 } else { 45.0 } + 5.0 * m),
            bytes: 64.0 * m * outputs,
        }
    }

    fn names(&self) -> Vec<String> {
        (0..LANES)
            .map(|lane| format!("sgd {} {lane}", self.map.name()))
            .collect()
    }

    fn width(&self) -> usize {
        LANES
    }

    fn map(&self) -> Option<Map> {
        Some(self.map)
    }

    fn save(&self, writer: &mut Writer) {
        self.lanes.save(writer);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.lanes.load(reader)
    }
}

impl ClassExpert for Sgd {
    fn grow(&mut self, classes: usize) {
        self.lanes.grow(outputs(classes));
    }

    fn predict(&mut self, row: &ClassRow, cells: &mut Cells) -> bool {
        cells.fill_lanes(|output| self.lanes.scores(output, row.z));
        true
    }

    fn learn(&mut self, row: &ClassRow, truth: Truth) {
        let square = self.lanes.begin(row.z);
        for output in 0..truth.outputs() {
            self.lanes.learn_logistic(output, row.z, truth.of(output), square);
        }
    }
}

impl NumberExpert for Sgd {
    fn predict(&mut self, row: &NumberRow, out: &mut [f64]) {
        for (out, score) in out.iter_mut().zip(self.lanes.scores(0, row.z)) {
            *out = from_base(row.bases[self.base], score, row.range);
        }
    }

    fn learn(&mut self, row: &NumberRow, label: f64, _: &[f64]) {
        let base = row.bases[self.base];
        if base.is_finite() {
            let square = self.lanes.begin(row.z);
            self.lanes.learn_squared(0, row.z, label - base, square);
        }
    }
}
