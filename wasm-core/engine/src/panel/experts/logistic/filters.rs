//! Extended Kalman filters, one per class and one for any class not met yet: "no" in every row so far. A class that turns
//! up begins as a copy of that one, so its first rows count as if it had been there from the start.

use crate::cholesky::{dot, row_start};
use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::linear::{add_scaled, load_numbers, save_numbers, symmetric_times, symmetric_update, triangle_len};
use crate::panel::number::soften;

/// Least curvature of the likelihood.
const CURVATURE_MIN: f64 = 1e-4;
/// A variance under this is rounding: the filter begins its covariance anew.
const VARIANCE_MIN: f64 = -1e-9;

/// One filter: weights and their covariance.
#[derive(Clone, Debug)]
struct Filter {
    weights: Vec<f64>,
    covariance: Vec<f64>,
}

/// What a row says about one output: how much it counts and the response it would have liked.
#[derive(Clone, Copy, Debug)]
pub struct Working {
    /// h = p (1 - p).
    pub weight: f64,
    /// z + (y - p) / h.
    pub response: f64,
}

/// The filters of all classes; the last is that of any other class.
#[derive(Clone, Debug)]
pub struct Filters {
    m: usize,
    prior: f64,
    filters: Vec<Filter>,
    gain: Vec<f64>,
    scores: Vec<f64>,
    shares: Vec<f64>,
}

impl Filters {
    /// Zero weights with covariance `prior` I, for `classes` classes and any other.
    #[must_use]
    pub fn new(m: usize, classes: usize, prior: f64) -> Self {
        let mut filters = Self {
            m,
            prior,
            filters: Vec::new(),
            gain: vec![0.0; m],
            scores: Vec::new(),
            shares: Vec::new(),
        };
        let mut first = Filter {
            weights: vec![0.0; m],
            covariance: vec![0.0; triangle_len(m)],
        };
        reset(&mut first.covariance, m, prior);
        filters.filters = vec![first; classes + 1];
        filters
    }

    /// From weights and covariances that were made elsewhere, the one of any other class last.
    #[must_use]
    pub fn from_parts(m: usize, prior: f64, parts: Vec<(Vec<f64>, Vec<f64>)>) -> Self {
        Self {
            m,
            prior,
            filters: parts
                .into_iter()
                .map(|(weights, covariance)| Filter { weights, covariance })
                .collect(),
            gain: vec![0.0; m],
            scores: Vec::new(),
            shares: Vec::new(),
        }
    }

    /// Classes it tells apart, without the other one.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.filters.len() - 1
    }

    /// Makes room: what was never met so far is what the new classes were.
    pub fn grow(&mut self, classes: usize) {
        while self.classes() < classes {
            let other = self.filters[self.classes()].clone();
            self.filters.push(other);
        }
    }

    /// The scores of the classes, and last that of any other, for the inputs `x`.
    pub fn scores(&mut self, x: &[f64]) -> &[f64] {
        self.scores.clear();
        self.scores
            .extend(self.filters.iter().map(|filter| dot(&filter.weights, x)));
        &self.scores
    }

    /// Learns that the row `x` is of `class`; tells `each` output (by place) what the row said about it.
    pub fn learn(&mut self, x: &[f64], class: usize, mut each: impl FnMut(usize, Working)) {
        self.scores.clear();
        self.scores
            .extend(self.filters.iter().map(|filter| dot(&filter.weights, x)));
        self.shares.clone_from(&self.scores);
        soften(&mut self.shares);
        for (place, filter) in self.filters.iter_mut().enumerate() {
            let p = self.shares[place];
            let h = p * (1.0 - p);
            let h = if h > CURVATURE_MIN { h } else { CURVATURE_MIN };
            let residual = f64::from(u8::from(place == class)) - p;
            each(
                place,
                Working {
                    weight: h,
                    response: self.scores[place] + residual / h,
                },
            );
            symmetric_times(&filter.covariance, x, &mut self.gain);
            let mut variance = dot(&self.gain, x);
            if variance.is_nan() || variance < VARIANCE_MIN {
                reset(&mut filter.covariance, self.m, self.prior);
                symmetric_times(&filter.covariance, x, &mut self.gain);
                variance = dot(&self.gain, x);
            }
            let share = 1.0 / (1.0 + h * variance);
            add_scaled(&mut filter.weights, residual * share, &self.gain);
            symmetric_update(&mut filter.covariance, &self.gain, h * share, 0.0);
        }
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.u32(self.filters.len() as u32);
        for filter in &self.filters {
            save_numbers(&filter.weights, writer);
            save_numbers(&filter.covariance, writer);
        }
    }

    /// Reads what `save` wrote.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(m: usize, prior: f64, reader: &mut Reader) -> Result<Self> {
        let count = reader.count(8 * (m + triangle_len(m)))?;
        if count == 0 {
            return Err(crate::error::CoreError::Corrupt);
        }
        let mut filters = Self::new(m, count - 1, prior);
        for filter in &mut filters.filters {
            load_numbers(&mut filter.weights, reader)?;
            load_numbers(&mut filter.covariance, reader)?;
        }
        Ok(filters)
    }
}

fn reset(covariance: &mut [f64], m: usize, prior: f64) {
    covariance.fill(0.0);
    for i in 0..m {
        covariance[row_start(i) + i] = prior;
    }
}
