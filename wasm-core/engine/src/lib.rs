//! The Rivulet data plane: a pure fold from blocks of messages to predictions. No I/O, no clock, no randomness that is
//! not seeded in its state, no JavaScript types. Modules are listed in the order data meets them.

pub mod error;
pub mod codec;
pub mod parts;
pub mod json;
pub mod names;
pub mod number;
pub mod expression;
pub mod plan;
pub mod wire;
pub mod route;
pub mod decode;
pub mod sparkplug;
pub mod zone;
pub mod time;
pub mod repeat;
pub mod window;
pub mod output;
pub mod series;
pub mod forward;
pub mod features;
pub mod cholesky;
pub mod spread;
pub mod drift;
pub mod statistics;
pub mod panel;
pub mod learner;
pub mod release;
pub mod merge;
pub mod task;
pub mod ledger;
pub mod evaluate;
pub mod engine;
