//! The second-order logistic that a fleet can add up: per class an extended Kalman filter on the softmax likelihood with a
//! covariance of its own, and the information of every row around the score it was predicted with
//! (`statistics/logistic.rs`). Two experts of one kind: `Own` never sees a release, so that what it sends depends on no
//! other gateway; `Fork` starts again from each release and goes on learning.
//!
//! Paper: Haykin (ed.), "Kalman filtering and neural networks" (2001), ch. 2. Cost: (K + 1) · 3.5 m² flops per row, for
//! m = d + 1 and K classes. Memory: (K + 1) · 8 m² bytes; both fall silent beyond `NUMBERS_MAX`.

mod filters;
mod fork;
mod frame;
mod information;
mod own;

use filters::Filters;
pub use fork::Fork;
use frame::Frame;
pub use information::Information;
pub use own::Own;

use crate::panel::budget::Cost;
use crate::panel::experts::Cells;

/// How far scores are trusted: each temperature is a prediction of its own.
pub const TEMPERATURES: [f64; 3] = [0.5, 1.0, 2.0];
/// Predictions of one such expert.
pub const WIDTH: usize = TEMPERATURES.len();
/// Largest covariances of one expert, in numbers: ten classes of 60 features, not a hundred of them.
const NUMBERS_MAX: usize = 65_536;
/// Kept back for every class, so that no certainty is fatal.
pub const DOUBT: f64 = 1e-3;

/// Names of the predictions.
fn names(of: &str) -> Vec<String> {
    TEMPERATURES.iter().map(|t| format!("{of} ×{t}")).collect()
}

/// Fills the cells from one score per class, at every temperature.
fn fill(scores: &[f64], cells: &mut Cells) {
    for (place, temperature) in TEMPERATURES.into_iter().enumerate() {
        cells.fill_softmax(place, temperature, DOUBT, scores);
    }
}

/// What a row takes with filters of their own for every class, and the information beside them.
fn cost(d: usize, outputs: usize) -> Cost {
    let (m, classes) = ((d + 1) as f64, (outputs + 1) as f64);
    Cost {
        ns: classes * (260.0 + 0.47 * m * m),
        bytes: classes * 8.0 * m * (m + 2.0),
    }
}
