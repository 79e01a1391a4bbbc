//! FTRL-proximal: per weight an own rate as AdaGrad has, and a toll on its size that keeps weights with nothing to say at
//! zero.
//!
//! Paper: McMahan et al., "Ad click prediction: a view from the trenches" (2013), algorithm 1. Cost: two roots and two divisions
//! per weight and rate, beside those of `descent.rs`. Memory: that of `descent.rs`.

use super::descent::{RATES, Rule};

/// β of the rate α / (β + √n), and the tolls λ1 and λ2.
const BETA: f64 = 1.0;
const TOLL: f64 = 0.1;
const TOLL_SQUARE: f64 = 0.0;

/// The rule; its numbers are z and n of the paper.
#[derive(Debug)]
pub struct Ftrl;

impl Rule for Ftrl {
    const NAME: &'static str = "ftrl";
    const RATES: [f64; RATES] = [1.0, 0.3, 0.1, 0.03];
    const STEP_NS: f64 = 27.0;

    #[inline]
    fn step(rate: f64, _: [f64; 2], [weight, z, n]: [f64; 3], gradient: f64) -> [f64; 3] {
        let next = n + gradient * gradient;
        let root = next.sqrt();
        let z = z + gradient - (root - n.sqrt()) / rate * weight;
        let beyond = z.abs() - TOLL;
        let size = beyond / ((BETA + root) / rate + TOLL_SQUARE);
        let weight = if beyond <= 0.0 {
            0.0
        } else if z > 0.0 {
            -size
        } else {
            size
        };
        [weight, z, next]
    }

    fn turned([weights, z, n]: [[f64; RATES]; 3]) -> [[f64; RATES]; 3] {
        [weights.map(|w| -w), z.map(|z| -z), n]
    }
}
