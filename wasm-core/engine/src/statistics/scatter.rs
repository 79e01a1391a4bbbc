//! A centred scatter matrix (sums of products of deviations), packed by rows: its update, its merge and its check.

use crate::cholesky::{Cholesky, packed_length, row_start};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::panel::lanes::Quad;

use super::{VALUE_ABS_MAX, factor};

/// A sum of squared deviations up to this counts as zero: its square root is the inverse of the largest value.
pub(crate) const SQUARES_MIN: f64 = 1e-200;
/// How far below zero the smallest eigenvalue of a correlation matrix may be by rounding alone. Each update adds a
/// rounded but symmetric square, so honest errors stay near 1e-12 even after 10^9 rows.
const EIGENVALUE_TOLERANCE: f64 = 1e-8;

/// The same after correlations were rounded to 32 bits.
pub(crate) const COMPACT_TOLERANCE: f64 = 1e-4;

/// Adds `scale * deviation * deviationᵀ`. Costs order²/2 multiplications.
pub(crate) fn add_square(scatter: &mut [f64], deviation: &[f64], scale: f64) {
    let mut rest = scatter;
    for (i, &row_deviation) in deviation.iter().enumerate() {
        let (row, below) = rest.split_at_mut(i + 1);
        let factor = row_deviation * scale;
        for (element, &column_deviation) in row.iter_mut().zip(deviation) {
            *element += factor * column_deviation;
        }
        rest = below;
    }
}

/// Adds another scatter element by element.
pub(crate) fn add(scatter: &mut [f64], other: &[f64]) {
    for (element, &more) in scatter.iter_mut().zip(other) {
        *element += more;
    }
}

/// `add` and then `add_square`, in one pass with the same bits.
pub(crate) fn add_both(scatter: &mut [f64], other: &[f64], deviation: &[f64], scale: f64) {
    let (mut rest, mut more) = (scatter, other);
    for (i, &row_deviation) in deviation.iter().enumerate() {
        let (row, below) = rest.split_at_mut(i + 1);
        let (their_row, their_below) = more.split_at(i + 1);
        let factor = row_deviation * scale;
        let (fours, rest_of_row) = row.as_chunks_mut::<4>();
        let (their_fours, their_rest) = their_row.as_chunks::<4>();
        let (deviations, _) = deviation.as_chunks::<4>();
        let all = Quad::all(factor);
        for ((four, theirs), columns) in fours.iter_mut().zip(their_fours).zip(deviations) {
            *four = Quad::of(four).and(Quad::of(theirs)).plus(all, Quad::of(columns)).lane();
        }
        let columns = &deviation[i + 1 - rest_of_row.len()..];
        for ((element, &theirs), &column_deviation) in rest_of_row.iter_mut().zip(their_rest).zip(columns) {
            *element = (*element + theirs) + factor * column_deviation;
        }
        (rest, more) = (below, their_below);
    }
}

/// Checks that `scatter` can be the scatter of `n` rows: finite, within what values of bounded size allow, and
/// positive semidefinite up to rounding.
///
/// # Errors
/// `BadNumbers`.
pub(crate) fn check(order: usize, scatter: &[f64], n: f64) -> Result<()> {
    check_within(order, scatter, n, EIGENVALUE_TOLERANCE)
}

/// As `check`, with another tolerance for rounding.
///
/// # Errors
/// `BadNumbers`.
pub(crate) fn check_within(order: usize, scatter: &[f64], n: f64, tolerance: f64) -> Result<()> {
    assert_eq!(
        scatter.len(),
        packed_length(order),
        "the scatter is a packed lower triangle"
    );
    let squares_max = n * (2.0 * VALUE_ABS_MAX) * (2.0 * VALUE_ABS_MAX);
    let mut scales = Vec::with_capacity(order);
    for i in 0..order {
        let squares = scatter[row_start(i) + i];
        if !(0.0..=squares_max).contains(&squares) {
            return Err(CoreError::BadNumbers);
        }
        scales.push(1.0 / if squares > SQUARES_MIN { squares } else { SQUARES_MIN }.sqrt());
    }
    let mut correlation = Vec::with_capacity(scatter.len());
    for (i, &scale) in scales.iter().enumerate() {
        let row = &scatter[row_start(i)..row_start(i) + i];
        correlation.extend(
            row.iter()
                .zip(&scales)
                .map(|(&element, &column)| element * scale * column),
        );
        correlation.push(1.0 + tolerance);
    }
    match Cholesky::new(order, correlation, 0.0) {
        Ok(_) => Ok(()),
        Err(_) => Err(CoreError::BadNumbers),
    }
}

/// How correlations travel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Precision {
    /// Each as f32.
    Float,
    /// Their Cholesky factor in so many bits an element (`factor.rs`).
    Bits(u8),
}

impl Precision {
    /// The byte that says so.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Float => 32,
            Self::Bits(bits) => bits,
        }
    }

    /// The same where so many sets of that order can travel so, else as f32.
    pub(crate) fn within(self, sets: usize, order: usize) -> Self {
        if factor::fits(sets, order) { self } else { Self::Float }
    }

    /// Reads the byte of so many sets of that order.
    ///
    /// # Errors
    /// `Truncated`, `Foreign`, `Limit` for more than can be read in bits.
    pub(crate) fn read(sets: usize, order: usize, reader: &mut Reader) -> Result<Self> {
        match reader.u8()? {
            32 => Ok(Self::Float),
            bits if factor::BITS.contains(&bits) && factor::fits(sets, order) => Ok(Self::Bits(bits)),
            bits if factor::BITS.contains(&bits) => Err(CoreError::Limit),
            _ => Err(CoreError::Foreign),
        }
    }
}

/// Appends a symmetric positive semidefinite matrix: the roots of its diagonal as f64, then by rows the correlations under
/// it. Half the bytes as f32 and less in bits, whatever the units.
pub(crate) fn encode_compact(order: usize, matrix: &[f64], precision: Precision, writer: &mut Writer) {
    let roots: Vec<f64> = (0..order).map(|i| root(matrix[row_start(i) + i])).collect();
    for &root in &roots {
        writer.f64(root);
    }
    if let Precision::Bits(bits) = precision {
        return factor::encode(order, matrix, &roots, bits, writer);
    }
    for i in 0..order {
        for j in 0..i {
            let scale = roots[i] * roots[j];
            let correlation = if scale > SQUARES_MIN {
                matrix[row_start(i) + j] / scale
            } else {
                0.0
            };
            writer.u32((correlation as f32).to_bits());
        }
    }
}

/// Reads what `encode_compact` wrote.
pub(crate) fn decode_compact(order: usize, precision: Precision, reader: &mut Reader) -> Result<Vec<f64>> {
    let roots = super::numbers(reader, order)?;
    if let Precision::Bits(bits) = precision {
        return factor::decode(order, &roots, bits, reader);
    }
    let below = factor::below(order);
    if reader.remaining() / 4 < below {
        return Err(CoreError::Truncated);
    }
    let mut matrix = Vec::with_capacity(packed_length(order));
    for i in 0..order {
        for j in 0..i {
            let correlation = f64::from(f32::from_bits(reader.u32()?));
            if correlation.is_nan() || correlation.abs() > 1.0 + COMPACT_TOLERANCE {
                return Err(CoreError::BadNumbers);
            }
            matrix.push(correlation * roots[i] * roots[j]);
        }
        matrix.push(roots[i] * roots[i]);
    }
    Ok(matrix)
}

fn root(square: f64) -> f64 {
    if square > 0.0 { square.sqrt() } else { 0.0 }
}
