//! The panel: many cheap experts, weighed by how well they have predicted so far, so that a task has nothing to tune.
//! In the order of a row: inputs, experts, shares (lanes of weights), stack, top, guard, interval.

pub mod number;
pub mod linear;
pub mod lanes;
pub mod symmetric;
pub mod moments;
pub mod keys;
pub mod values;
pub mod series;
pub mod waves;
pub mod inputs;
pub mod experts;
pub mod roster;
pub mod standing;
pub mod budget;
pub mod choice;
pub mod shares;
pub mod top;
pub mod guard;
pub mod row;
pub mod classifier;
pub mod regressor;
pub mod interval;
