//! Numbers side by side, for the loops that cost most. Compilers turn such loops into SIMD natively but leave half of them
//! scalar in WebAssembly, so there the instructions are named; elsewhere the same sums are written out as loops. Every
//! operation rounds as the scalar one does, lane by lane, so all builds give the same bits.

#[cfg(target_feature = "simd128")]
use core::arch::wasm32 as wasm;

use std::ops::{Add, Div, Mul, Sub};

use crate::panel::number::Number;
#[cfg(target_feature = "simd128")]
use crate::panel::number::{MANTISSA_BITS, MANTISSA_FIRST, TWO_52};

/// Four numbers of a vector.
pub type Lane = [f64; 4];

/// Four numbers being worked on.
#[cfg(target_feature = "simd128")]
#[derive(Clone, Copy, Debug)]
pub struct Quad(wasm::v128, wasm::v128);

/// Four numbers being worked on.
#[cfg(not(target_feature = "simd128"))]
#[derive(Clone, Copy, Debug)]
pub struct Quad(Lane);

#[cfg(target_feature = "simd128")]
impl Quad {
    /// The four numbers of a lane.
    #[inline(always)]
    #[must_use]
    pub fn of(&[a, b, c, d]: &Lane) -> Self {
        Self(wasm::f64x2(a, b), wasm::f64x2(c, d))
    }

    /// One number, four times.
    #[inline(always)]
    #[must_use]
    pub fn all(number: f64) -> Self {
        Self(wasm::f64x2_splat(number), wasm::f64x2_splat(number))
    }

    /// Back to a lane.
    #[inline(always)]
    #[must_use]
    pub fn lane(self) -> Lane {
        let Self(low, high) = self;
        [
            wasm::f64x2_extract_lane::<0>(low),
            wasm::f64x2_extract_lane::<1>(low),
            wasm::f64x2_extract_lane::<0>(high),
            wasm::f64x2_extract_lane::<1>(high),
        ]
    }

    /// `self + other`.
    #[inline(always)]
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(wasm::f64x2_add(self.0, other.0), wasm::f64x2_add(self.1, other.1))
    }

    /// `self + a b`, rounded twice.
    #[inline(always)]
    #[must_use]
    pub fn plus(self, a: Self, b: Self) -> Self {
        Self(
            wasm::f64x2_add(self.0, wasm::f64x2_mul(a.0, b.0)),
            wasm::f64x2_add(self.1, wasm::f64x2_mul(a.1, b.1)),
        )
    }

    /// `self - a b`, rounded twice.
    #[inline(always)]
    #[must_use]
    pub fn less(self, a: Self, b: Self) -> Self {
        Self(
            wasm::f64x2_sub(self.0, wasm::f64x2_mul(a.0, b.0)),
            wasm::f64x2_sub(self.1, wasm::f64x2_mul(a.1, b.1)),
        )
    }

    /// `(0 + 2) + (1 + 3)`.
    #[inline(always)]
    #[must_use]
    pub fn sum(self) -> f64 {
        let pair = wasm::f64x2_add(self.0, self.1);
        wasm::f64x2_extract_lane::<0>(pair) + wasm::f64x2_extract_lane::<1>(pair)
    }
}

#[cfg(not(target_feature = "simd128"))]
impl Quad {
    /// The four numbers of a lane.
    #[inline(always)]
    #[must_use]
    pub fn of(lane: &Lane) -> Self {
        Self(*lane)
    }

    /// One number, four times.
    #[inline(always)]
    #[must_use]
    pub fn all(number: f64) -> Self {
        Self([number; 4])
    }

    /// Back to a lane.
    #[inline(always)]
    #[must_use]
    pub fn lane(self) -> Lane {
        self.0
    }

    /// `self + other`.
    #[inline(always)]
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] + other.0[lane]))
    }

    /// `self + a b`, rounded twice.
    #[inline(always)]
    #[must_use]
    pub fn plus(self, a: Self, b: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] + a.0[lane] * b.0[lane]))
    }

    /// `self - a b`, rounded twice.
    #[inline(always)]
    #[must_use]
    pub fn less(self, a: Self, b: Self) -> Self {
        Self(std::array::from_fn(|lane| self.0[lane] - a.0[lane] * b.0[lane]))
    }

    /// `(0 + 2) + (1 + 3)`.
    #[inline(always)]
    #[must_use]
    pub fn sum(self) -> f64 {
        let [a, b, c, d] = self.0;
        (a + c) + (b + d)
    }
}

/// Calculates lane by lane: by a SIMD instruction where there are some, else number by number.
macro_rules! each {
    ($simd:expr, $scalar:expr, $($quad:expr),+) => {{
        #[cfg(target_feature = "simd128")]
        let of = Quad($simd($($quad.0),+), $simd($($quad.1),+));
        #[cfg(not(target_feature = "simd128"))]
        let of = Quad(std::array::from_fn(|lane| $scalar($($quad.0[lane]),+)));
        of
    }};
}

impl Add for Quad {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        each!(wasm::f64x2_add, f64::add, self, other)
    }
}

impl Sub for Quad {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        each!(wasm::f64x2_sub, f64::sub, self, other)
    }
}

impl Mul for Quad {
    type Output = Self;

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        each!(wasm::f64x2_mul, f64::mul, self, other)
    }
}

impl Div for Quad {
    type Output = Self;

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        each!(wasm::f64x2_div, f64::div, self, other)
    }
}

impl Number for Quad {
    #[inline(always)]
    fn all(number: f64) -> Self {
        Self::all(number)
    }

    // Pseudo-minimum and -maximum are comparisons as `f64`'s are here, not IEEE's minimum and maximum.
    #[inline(always)]
    fn or_above(self, low: Self) -> Self {
        each!(wasm::f64x2_pmax, |low, x: f64| x.or_above(low), low, self)
    }

    #[inline(always)]
    fn or_below(self, high: Self) -> Self {
        each!(wasm::f64x2_pmin, |high, x: f64| x.or_below(high), high, self)
    }

    #[inline(always)]
    fn abs(self) -> Self {
        each!(wasm::f64x2_abs, f64::abs, self)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        each!(wasm::f64x2_sqrt, f64::sqrt, self)
    }

    #[inline(always)]
    fn if_zero(self, zero: Self, other: Self) -> Self {
        each!(if_zero, f64::if_zero, self, zero, other)
    }

    #[inline(always)]
    fn power_of_two(self) -> Self {
        each!(power_of_two, f64::power_of_two, self)
    }

    #[inline(always)]
    fn mantissa(self) -> Self {
        each!(mantissa, f64::mantissa, self)
    }

    #[inline(always)]
    fn exponent(self) -> Self {
        each!(exponent, f64::exponent, self)
    }
}

#[cfg(target_feature = "simd128")]
#[inline(always)]
fn if_zero(numbers: wasm::v128, zero: wasm::v128, other: wasm::v128) -> wasm::v128 {
    wasm::v128_bitselect(zero, other, wasm::f64x2_eq(numbers, wasm::f64x2_splat(0.0)))
}

#[cfg(target_feature = "simd128")]
#[inline(always)]
fn power_of_two(numbers: wasm::v128) -> wasm::v128 {
    wasm::i64x2_add(wasm::i64x2_shl(numbers, 52), wasm::u64x2_splat(1023 << 52))
}

#[cfg(target_feature = "simd128")]
#[inline(always)]
fn mantissa(numbers: wasm::v128) -> wasm::v128 {
    let first = wasm::u64x2_splat(MANTISSA_FIRST);
    let moved = wasm::v128_and(wasm::i64x2_sub(numbers, first), wasm::u64x2_splat(MANTISSA_BITS));
    wasm::i64x2_add(moved, first)
}

#[cfg(target_feature = "simd128")]
#[inline(always)]
fn exponent(numbers: wasm::v128) -> wasm::v128 {
    let moved = wasm::i64x2_sub(numbers, wasm::u64x2_splat(MANTISSA_FIRST));
    let biased = wasm::u64x2_shr(wasm::i64x2_add(moved, wasm::u64x2_splat(1023 << 52)), 52);
    let whole = wasm::v128_or(biased, wasm::f64x2_splat(TWO_52));
    wasm::f64x2_sub(
        wasm::f64x2_sub(whole, wasm::f64x2_splat(TWO_52)),
        wasm::f64x2_splat(1023.0),
    )
}

/// How many numbers in single precision stand side by side in `Sixteen`.
pub const SIXTEEN: usize = 16;

/// Sixteen sums in single precision. None may become NaN.
#[cfg(target_feature = "simd128")]
#[derive(Clone, Copy, Debug)]
pub struct Sixteen([wasm::v128; 4]);

/// Sixteen sums in single precision. None may become NaN.
#[cfg(not(target_feature = "simd128"))]
#[derive(Clone, Copy, Debug)]
pub struct Sixteen([f32; SIXTEEN]);

#[cfg(target_feature = "simd128")]
impl Sixteen {
    /// Sixteen zeros.
    #[inline(always)]
    #[must_use]
    pub fn zero() -> Self {
        Self([wasm::f32x4_splat(0.0); 4])
    }

    /// Adds the square of `number` less each of `others`.
    #[inline(always)]
    #[must_use]
    pub fn plus_square(self, number: f32, others: &[f32; SIXTEEN]) -> Self {
        let number = wasm::f32x4_splat(number);
        let (fours, _) = others.as_chunks::<4>();
        Self(std::array::from_fn(|four| {
            let [a, b, c, d] = fours[four];
            let step = wasm::f32x4_sub(number, wasm::f32x4(a, b, c, d));
            wasm::f32x4_add(self.0[four], wasm::f32x4_mul(step, step))
        }))
    }

    /// One bit per sum, the first one lowest, that says whether it is at most `limit`.
    #[inline(always)]
    #[must_use]
    pub fn up_to(self, limit: f32) -> u32 {
        let limit = wasm::f32x4_splat(limit);
        let [a, b, c, d] = self.0.map(|sums| wasm::f32x4_le(sums, limit));
        let (low, high) = (wasm::i16x8_narrow_i32x4(a, b), wasm::i16x8_narrow_i32x4(c, d));
        u32::from(wasm::i8x16_bitmask(wasm::i8x16_narrow_i16x8(low, high)))
    }

    /// The sums.
    #[inline(always)]
    #[must_use]
    pub fn sums(self) -> [f32; SIXTEEN] {
        let mut sums = [0.0; SIXTEEN];
        let (fours, _) = sums.as_chunks_mut::<4>();
        for (out, four) in fours.iter_mut().zip(self.0) {
            *out = [
                wasm::f32x4_extract_lane::<0>(four),
                wasm::f32x4_extract_lane::<1>(four),
                wasm::f32x4_extract_lane::<2>(four),
                wasm::f32x4_extract_lane::<3>(four),
            ];
        }
        sums
    }
}

#[cfg(not(target_feature = "simd128"))]
impl Sixteen {
    /// Sixteen zeros.
    #[inline(always)]
    #[must_use]
    pub fn zero() -> Self {
        Self([0.0; SIXTEEN])
    }

    /// Adds the square of `number` less each of `others`.
    #[inline(always)]
    #[must_use]
    pub fn plus_square(self, number: f32, others: &[f32; SIXTEEN]) -> Self {
        Self(std::array::from_fn(|lane| {
            let step = number - others[lane];
            self.0[lane] + step * step
        }))
    }

    /// One bit per sum, the first one lowest, that says whether it is at most `limit`.
    #[inline(always)]
    #[must_use]
    pub fn up_to(self, limit: f32) -> u32 {
        let bits = self.0.iter().enumerate();
        bits.fold(0, |mask, (lane, &sum)| mask | u32::from(sum <= limit) << lane)
    }

    /// The sums.
    #[inline(always)]
    #[must_use]
    pub fn sums(self) -> [f32; SIXTEEN] {
        self.0
    }
}
