//! Random Fourier features: with them a linear expert draws any smooth curve over a few columns. Wider rows do without:
//! there the second-order experts already use up the budget, and so few waves could not cover the space.
//!
//! Paper: Rahimi & Recht, "Random features for large-scale kernel machines" (2007). Cost: (2 d + 16) flops per wave.
//! Memory: 8 (d + 1) bytes per wave.

use crate::cholesky::dot;
use crate::panel::number::cos_turns;

/// Waves over rows of at most `COLUMNS_MAX` columns.
const WAVES: usize = 48;
/// Most columns with waves.
const COLUMNS_MAX: usize = 4;
/// Widths of the bumps that the waves add up to, in standard deviations, by turns.
const WIDTHS: [f64; 2] = [0.35, 0.7];
/// Start of the random directions: any number would do, but it must never change.
const SEED: u64 = 0x5157_6176_6573;
const TURNS_PER_RADIAN: f64 = 0.159_154_943_091_895_35;

/// Directions and phases of the waves, the same in every learner with as many columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Waves {
    d: usize,
    directions: Vec<f64>,
    phases: Vec<f64>,
}

impl Waves {
    /// The waves over `d` columns; none when there are too many columns.
    #[must_use]
    pub fn new(d: usize) -> Self {
        let mut waves = Self {
            d,
            directions: Vec::new(),
            phases: Vec::new(),
        };
        if d == 0 || d > COLUMNS_MAX {
            return waves;
        }
        let mut state = SEED;
        let mut uniform = || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0
        };
        let root = (d as f64).sqrt();
        for wave in 0..WAVES {
            for _ in 0..d {
                let gauss = (0..12).fold(-6.0, |sum, _| sum + uniform());
                waves
                    .directions
                    .push(gauss * TURNS_PER_RADIAN / (WIDTHS[wave % 2] * root));
            }
            waves.phases.push(uniform());
        }
        waves
    }

    /// How many waves there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.phases.len()
    }

    /// Writes the height of every wave at the standardised columns `z`.
    pub fn inputs(&self, z: &[f64], out: &mut [f64]) {
        for ((out, direction), phase) in out
            .iter_mut()
            .zip(self.directions.chunks_exact(self.d.max(1)))
            .zip(&self.phases)
        {
            *out = dot(direction, z) + phase;
        }
        out.iter_mut().for_each(|turns| *turns = cos_turns(*turns));
    }
}
