//! The panel: many cheap experts, weighed by how well they have predicted so far, so that a task has nothing to tune.
//! In the order of a row: inputs, experts, shares (lanes of weights), stack, top, guard, interval.

pub mod number;
pub mod linear;
pub mod moments;
pub mod keys;
pub mod values;
pub mod waves;
pub mod inputs;
pub mod prior;
pub mod column;
pub mod sgd;
pub mod second_order;
pub mod passive_aggressive;
pub mod shares;
pub mod top;
pub mod guard;
pub mod row;
pub mod classifier;
pub mod regressor;
pub mod interval;

use inputs::{Inputs, Map, VALUE_ABS_MAX};

/// Most inputs of a second-order expert: 128 take 66 KB and about 60,000 flops per row. Wider rows are left to the
/// experts whose cost is linear.
pub const SECOND_ORDER_INPUTS_MAX: usize = 128;

impl Map {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Label => "columns",
            Self::Context => "context",
            Self::Full => "columns+context",
            Self::Waves => "waves",
            Self::OneHot => "categories",
            Self::Memory => "memory",
        }
    }
}

/// The features for a release: its model knows nothing of missing values, so the column's mean stands in.
fn release_inputs(x: &[f64], inputs: &Inputs, out: &mut Vec<f64>) {
    out.clear();
    out.extend(x.iter().enumerate().map(|(column, &x)| {
        if x.is_nan() {
            inputs.column_mean(column)
        } else {
            number::hold(x, -VALUE_ABS_MAX, VALUE_ABS_MAX)
        }
    }));
}
