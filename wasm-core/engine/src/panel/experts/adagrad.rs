//! AdaGrad: every weight has a rate of its own, which falls with the root of the sum of its squared gradients; rare inputs
//! keep learning fast.
//!
//! Paper: Duchi, Hazan & Singer, "Adaptive subgradient methods for online learning and stochastic optimization" (2011).
//! Cost: a root and a division per weight and rate, beside those of `descent.rs`. Memory: that of `descent.rs`.

use super::descent::{RATES, Rule};

const SMALL: f64 = 1e-8;

/// The rule; its first number is the sum of squared gradients.
#[derive(Debug)]
pub struct AdaGrad;

impl Rule for AdaGrad {
    const NAME: &'static str = "adagrad";
    const RATES: [f64; RATES] = [1.0, 0.3, 0.1, 0.03];
    const STEP_NS: f64 = 15.0;

    #[inline]
    fn step(rate: f64, _: [f64; 2], [weight, squares, other]: [f64; 3], gradient: f64) -> [f64; 3] {
        let squares = squares + gradient * gradient;
        [weight - rate * gradient / (squares.sqrt() + SMALL), squares, other]
    }

    fn turned([weights, squares, other]: [[f64; RATES]; 3]) -> [[f64; RATES]; 3] {
        [weights.map(|w| -w), squares, other]
    }
}
