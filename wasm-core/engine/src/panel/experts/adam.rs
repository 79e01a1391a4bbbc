//! Adam: steps of running means of the gradient over the root of those of its square. It forgets, so that it goes on
//! learning however long a stream is.
//!
//! Paper: Kingma & Ba, "Adam: a method for stochastic optimization" (2015). Cost: a root and two divisions per weight and
//! rate, beside those of `descent.rs`. Memory: that of `descent.rs`.

use super::descent::{RATES, Rule};

const DECAY_MEAN: f64 = 0.9;
const DECAY_SQUARE: f64 = 0.999;
const SMALL: f64 = 1e-8;
/// Labels after which the correction of the running means is nothing.
const CORRECTED: f64 = 40_000.0;

/// The rule; its numbers are the running means of the gradient and of its square.
#[derive(Debug)]
pub struct Adam;

/// `base` to the power of a whole number, by squaring: the same bits everywhere.
fn power(base: f64, times: f64) -> f64 {
    if times >= CORRECTED {
        return 0.0;
    }
    let (mut rest, mut square, mut product) = (times as u32, base, 1.0);
    while rest > 0 {
        if rest & 1 == 1 {
            product *= square;
        }
        square *= square;
        rest >>= 1;
    }
    product
}

impl Rule for Adam {
    const NAME: &'static str = "adam";
    const RATES: [f64; RATES] = [0.1, 0.03, 0.01, 0.003];
    const STEP_NS: f64 = 18.0;

    #[inline]
    fn step(rate: f64, corrections: [f64; 2], [weight, mean, square]: [f64; 3], gradient: f64) -> [f64; 3] {
        let mean = DECAY_MEAN * mean + (1.0 - DECAY_MEAN) * gradient;
        let square = DECAY_SQUARE * square + (1.0 - DECAY_SQUARE) * gradient * gradient;
        let step = rate * mean * corrections[0] / ((square * corrections[1]).sqrt() + SMALL);
        [weight - step, mean, square]
    }

    fn corrections(labels: f64) -> [f64; 2] {
        [DECAY_MEAN, DECAY_SQUARE].map(|decay| 1.0 / (1.0 - power(decay, labels + 1.0)))
    }

    fn turned([weights, means, squares]: [[f64; RATES]; 3]) -> [[f64; RATES]; 3] {
        [weights.map(|w| -w), means.map(|mean| -mean), squares]
    }
}
