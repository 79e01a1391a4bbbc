//! Implicit stochastic gradient descent at eight rates at once, one SIMD lane each: the panel finds the rate that works
//! today, so none has to be tuned. The implicit step solves for the prediction after the step, which keeps every rate
//! stable.
//!
//! Paper: Toulis & Airoldi, "Asymptotic and finite-sample properties of estimators based on stochastic gradients"
//! (2017); Kulis & Bartlett, "Implicit online learning" (2010). Cost: 32 m flops per output to serve and learn.
//! Memory: 64 m bytes per output.

use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::linear::{load_numbers, save_numbers};
use crate::panel::number::{hold, sigmoid};

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
        for lane in 0..LANES {
            g[lane] = (y - sigmoid(scores[lane])) / (1.0 + c[lane] * 0.25);
        }
        for lane in 0..LANES {
            let p = sigmoid(scores[lane] + c[lane] * g[lane]);
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
