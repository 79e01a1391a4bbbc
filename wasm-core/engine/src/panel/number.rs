//! Exponential, logarithm and logistic function in plain arithmetic: the same bits on every machine and in every build,
//! without branches, so that loops over them become SIMD. Error against `libm`: below 1e-14 relative (exp), 1e-15 (ln).

use std::ops::{Add, Div, Mul, Sub};

use crate::panel::lanes::Quad;

const LOG2_E: f64 = std::f64::consts::LOG2_E;
/// ln 2 in two parts: the first has 20 zero bits at its end, so that a small integer times it is exact.
const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// 1.5 · 2^52: added, it leaves a number rounded to an integer in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// 2^52, whose low bits take a small unsigned integer as they are.
pub const TWO_52: f64 = 4_503_599_627_370_496.0;
/// sqrt 1/2, where the mantissas of `Number::mantissa` begin.
pub const MANTISSA_FIRST: u64 = 0x3FE6_A09E_667F_3BCD;
/// The bits of a mantissa.
pub const MANTISSA_BITS: u64 = 0x000F_FFFF_FFFF_FFFF;

/// What can be calculated on one number, or on several side by side.
pub trait Number: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> {
    /// One number, wherever there is room.
    fn all(number: f64) -> Self;
    /// The greater of both; NaN becomes `low`.
    fn or_above(self, low: Self) -> Self;
    /// The lesser of both; NaN becomes `high`.
    fn or_below(self, high: Self) -> Self;
    /// Without the sign.
    fn abs(self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// `zero` where this is 0, else `other`.
    fn if_zero(self, zero: Self, other: Self) -> Self;
    /// 2 to the power of the integer in the low bits of a number that `ROUND` was added to.
    fn power_of_two(self) -> Self;
    /// Mantissa in [sqrt 1/2, sqrt 2), and the exponent that goes with it.
    fn mantissa(self) -> Self;
    /// See `mantissa`.
    fn exponent(self) -> Self;

    /// Held to [low, high]; NaN becomes `low`.
    #[inline(always)]
    fn held(self, low: Self, high: Self) -> Self {
        self.or_above(low).or_below(high)
    }
}

impl Number for f64 {
    #[inline(always)]
    fn all(number: f64) -> Self {
        number
    }

    #[inline(always)]
    fn or_above(self, low: Self) -> Self {
        if self > low { self } else { low }
    }

    #[inline(always)]
    fn or_below(self, high: Self) -> Self {
        if self < high { self } else { high }
    }

    #[inline(always)]
    fn abs(self) -> Self {
        f64::abs(self)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }

    #[inline(always)]
    fn if_zero(self, zero: Self, other: Self) -> Self {
        if self == 0.0 { zero } else { other }
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        f64::from_bits((self.to_bits() << 52).wrapping_add(1023 << 52))
    }

    #[inline(always)]
    fn mantissa(self) -> Self {
        let moved = self.to_bits().wrapping_sub(MANTISSA_FIRST) & MANTISSA_BITS;
        f64::from_bits(moved.wrapping_add(MANTISSA_FIRST))
    }

    #[inline(always)]
    fn exponent(self) -> Self {
        let biased = self.to_bits().wrapping_sub(MANTISSA_FIRST).wrapping_add(1023 << 52) >> 52;
        (f64::from_bits(biased | TWO_52.to_bits()) - TWO_52) - 1023.0
    }
}

/// c0 + x (c1 + x (c2 + …)).
#[inline(always)]
fn series<N: Number, const COUNT: usize>(x: N, coefficients: [f64; COUNT]) -> N {
    let mut terms = coefficients.into_iter().rev().map(N::all);
    let last = terms.next().unwrap_or(N::all(0.0));
    terms.fold(last, |sum, coefficient| coefficient + x * sum)
}

/// e to the power of `x`, with `x` held to [-700, 700]. NaN gives e^-700.
#[inline(always)]
#[must_use]
pub fn exp<N: Number>(x: N) -> N {
    let x = x.held(N::all(-700.0), N::all(700.0));
    let shifted = x * N::all(LOG2_E) + N::all(ROUND);
    let k = shifted - N::all(ROUND);
    let r = (x - k * N::all(LN2_HIGH)) - k * N::all(LN2_LOW);
    let r2 = r * r;
    let even = series(
        r2,
        [
            1.0,
            1.0 / 2.0,
            1.0 / 24.0,
            1.0 / 720.0,
            1.0 / 40_320.0,
            1.0 / 3_628_800.0,
        ],
    );
    let odd = series(
        r2,
        [
            1.0,
            1.0 / 6.0,
            1.0 / 120.0,
            1.0 / 5_040.0,
            1.0 / 362_880.0,
            1.0 / 39_916_800.0,
        ],
    );
    (even + r * odd) * shifted.power_of_two()
}

/// Natural logarithm of `x`, with `x` held to at least the smallest normal number. Not for NaN or infinity.
#[inline(always)]
#[must_use]
pub fn ln<N: Number>(x: N) -> N {
    // The mantissa is brought to [sqrt 1/2, sqrt 2) by moving the exponent's border there.
    let x = x.or_above(N::all(f64::MIN_POSITIVE));
    let (mantissa, k) = (x.mantissa(), x.exponent());
    let one = N::all(1.0);
    let s = (mantissa - one) / (mantissa + one);
    let q = s * s;
    let tail = q * series(
        q,
        [
            1.0 / 3.0,
            1.0 / 5.0,
            1.0 / 7.0,
            1.0 / 9.0,
            1.0 / 11.0,
            1.0 / 13.0,
            1.0 / 15.0,
            1.0 / 17.0,
            1.0 / 19.0,
        ],
    );
    let twice = N::all(2.0) * s;
    k * N::all(LN2_HIGH) + ((twice + twice * tail) + k * N::all(LN2_LOW))
}

/// Errors that a mean is made of before single ones are limited.
const ERRORS_FREE: f64 = 8.0;
/// A single error counts in a mean of errors as at most this many times the mean: one broken reading says little about how
/// well all others were predicted, and errors that stay large are in the mean within some ten rows.
const ERROR_REACH: f64 = 20.0;

/// What an error counts as in a running mean of `n` errors that stands at `mean`.
#[inline]
#[must_use]
pub fn believed(error: f64, mean: f64, n: f64) -> f64 {
    let most = ERROR_REACH * mean;
    if n > ERRORS_FREE && mean > 0.0 && error > most {
        most
    } else {
        error
    }
}

/// The cosine of `turns` full turns, for up to a million turns; error below 1e-7, which a random feature does not notice.
#[inline]
#[must_use]
pub fn cos_turns(turns: f64) -> f64 {
    let t = turns - ((turns + ROUND) - ROUND);
    let t2 = t * t;
    // cos 2πt = 1 - 2 sin² πt, with the Taylor series of sin πt up to t^11 over half a turn.
    let sine = t
        * (std::f64::consts::PI
            + t2 * (-5.167_712_780_049_97
                + t2 * (2.550_164_039_877_345
                    + t2 * (-0.599_264_529_320_792 + t2 * (0.082_145_886_611_128_2 - t2 * 0.007_370_430_945_714_35)))));
    1.0 - 2.0 * sine * sine
}

/// The logistic function 1 / (1 + e^-x).
#[inline]
#[must_use]
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// `exp` of every number, four at a time.
pub fn exp_each(numbers: &mut [f64]) {
    let (fours, rest) = numbers.as_chunks_mut::<4>();
    for four in fours {
        *four = exp(Quad::of(four)).lane();
    }
    rest.iter_mut().for_each(|number| *number = exp(*number));
}

/// `sigmoid` of every number, four at a time.
#[inline]
pub fn sigmoid_each(numbers: &mut [f64]) {
    numbers.iter_mut().for_each(|number| *number = -*number);
    exp_each(numbers);
    numbers.iter_mut().for_each(|number| *number = 1.0 / (1.0 + *number));
}

/// The tenth power of every number in (0, 1].
pub fn tenth_power_each(numbers: &mut [f64]) {
    for number in numbers {
        let square = *number * *number;
        let fourth = square * square;
        *number = fourth * fourth * square;
    }
}

/// `ln` of every number, four at a time.
pub fn ln_each(numbers: &mut [f64]) {
    let (fours, rest) = numbers.as_chunks_mut::<4>();
    for four in fours {
        *four = ln(Quad::of(four)).lane();
    }
    rest.iter_mut().for_each(|number| *number = ln(*number));
}

/// Softmax in place.
pub fn soften(scores: &mut [f64]) {
    let most = scores
        .iter()
        .copied()
        .fold(f64::MIN, |most, score| if score > most { score } else { most });
    scores.iter_mut().for_each(|score| *score = exp(*score - most));
    normalise(scores);
}

/// Brings numbers to the sum 1; all become 0 where their sum is not positive.
pub fn normalise(p: &mut [f64]) {
    let sum: f64 = p.iter().sum();
    let scale = if sum > 0.0 { 1.0 / sum } else { 0.0 };
    p.iter_mut().for_each(|p| *p *= scale);
}

/// `value` held to [low, high]; NaN becomes `low`.
#[inline]
#[must_use]
pub fn hold(value: f64, low: f64, high: f64) -> f64 {
    let above = if value > low { value } else { low };
    if above < high { above } else { high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_and_ln_agree_with_libm() {
        for step in -7000..7000 {
            let x = f64::from(step) * 0.0999;
            let truth = libm::exp(x);
            assert!(
                (exp(x) - truth).abs() <= 1e-14 * truth,
                "exp({x}): {}",
                (exp(x) - truth) / truth
            );
            let truth = libm::log(exp(x));
            assert!(
                (ln(exp(x)) - truth).abs() <= 1e-15 * (1.0 + truth.abs()),
                "ln(exp({x}))"
            );
        }
    }

    #[test]
    fn cosines_agree_with_libm() {
        for step in -3000..3000 {
            let turns = f64::from(step) * 0.0123;
            let truth = libm::cos(turns * 2.0 * std::f64::consts::PI);
            assert!((cos_turns(turns) - truth).abs() < 5e-7, "cos({turns} turns)");
        }
    }

    #[test]
    fn ends_of_the_range_stay_finite() {
        assert!(exp(f64::INFINITY).is_finite() && exp(f64::NEG_INFINITY) > 0.0 && exp(f64::NAN) > 0.0);
        assert!(ln(0.0).is_finite() && ln(-1.0).is_finite());
        assert_eq!((sigmoid(0.0), ln(1.0), exp(0.0)), (0.5, 0.0, 1.0));
        assert_eq!(hold(f64::NAN, -1.0, 1.0), -1.0);
    }
}
