//! A correlation matrix as whole numbers: its Cholesky factor, each element below the diagonal in `bits` bits. What is read
//! back is positive semidefinite with ones on its diagonal whatever the numbers are, so rounding can never make a merge
//! singular, and a stranger cannot either. Each element is rounded with those before it as they will be read, so that
//! errors do not add up: a correlation is off by half a step at most where the factor has room for it.

use crate::cholesky::{dot, packed_length, row_start};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

use super::SQUARES_MIN;

/// Bits of one element; up to 8 one byte each, above that all high bytes before all low ones, which pack better.
pub(crate) const BITS: core::ops::RangeInclusive<u8> = 8..=16;
/// A column whose diagonal is below this is a combination of those before it.
const DIAGONAL_MIN: f64 = 1e-6;

/// What the squares of a row may be above 1 by rounding.
const ROUNDING: f64 = 1e-9;

/// Sets times order cubed up to which a factor is made and read: reading multiplies it out, and a stranger's few bytes must
/// not take a coordinator's seconds.
const WORK_MAX: usize = 40_000_000;

/// Whether so many sets of that order travel as factors.
pub(super) fn fits(sets: usize, order: usize) -> bool {
    sets.saturating_mul(order * order * order) <= WORK_MAX
}

/// Elements below the diagonal.
pub(super) const fn below(order: usize) -> usize {
    packed_length(order) - order
}

/// The largest code.
fn scale(bits: u8) -> f64 {
    f64::from((1_u32 << (bits - 1)) - 1)
}

/// Appends the codes of the correlations of a scatter with these roots of its diagonal. Costs order³/6 multiplications.
pub(super) fn encode(order: usize, matrix: &[f64], roots: &[f64], bits: u8, writer: &mut Writer) {
    let scale = scale(bits);
    let mut codes: Vec<i16> = Vec::with_capacity(below(order));
    let mut factor: Vec<f64> = Vec::with_capacity(packed_length(order));
    let mut row: Vec<f64> = Vec::with_capacity(order);
    for i in 0..order {
        row.clear();
        let mut room = 1.0_f64;
        for j in 0..i {
            let other = &factor[row_start(j)..=row_start(j) + j];
            let unit = roots[i] * roots[j];
            let wanted = if unit > SQUARES_MIN && other[j] > DIAGONAL_MIN {
                (matrix[row_start(i) + j] / unit - dot(&row, &other[..j])) / other[j]
            } else {
                0.0
            };
            // whole numbers up to 32,767 and room for them: neither a sum of squares above 1 nor an overflow
            let limit = (room.max(0.0).sqrt() * scale).floor();
            let code = (wanted * scale).round().clamp(-limit, limit);
            #[expect(clippy::cast_possible_truncation, reason = "within the limit above")]
            codes.push(code as i16);
            row.push(code / scale);
            room -= (code / scale) * (code / scale);
        }
        factor.extend_from_slice(&row);
        factor.push(room.max(0.0).sqrt());
    }
    if bits > 8 {
        for code in &codes {
            writer.u8(code.to_be_bytes()[0]);
        }
    }
    for code in codes {
        writer.u8(code.to_be_bytes()[1]);
    }
}

/// Reads what `encode` wrote, as the scatter with these roots of its diagonal.
///
/// # Errors
/// `Truncated`; `BadNumbers` for codes that are no row of such a factor.
pub(super) fn decode(order: usize, roots: &[f64], bits: u8, reader: &mut Reader) -> Result<Vec<f64>> {
    let count = below(order);
    let high = if bits > 8 { reader.raw(count)? } else { &[] };
    let low = reader.raw(count)?;
    let code = |at: usize| match high.get(at) {
        Some(&high) => i16::from_be_bytes([high, low[at]]),
        None => i16::from(i8::from_be_bytes([low[at]])),
    };
    let scale = scale(bits);
    let mut factor: Vec<f64> = Vec::with_capacity(packed_length(order));
    let mut matrix: Vec<f64> = Vec::with_capacity(packed_length(order));
    for i in 0..order {
        let begin = factor.len();
        factor.extend((0..i).map(|j| f64::from(code(begin - i + j)) / scale));
        let room = 1.0 - dot(&factor[begin..], &factor[begin..]);
        if room < -ROUNDING {
            return Err(CoreError::BadNumbers);
        }
        factor.push(room.max(0.0).sqrt());
        for j in 0..i {
            let other = &factor[row_start(j)..=row_start(j) + j];
            matrix.push(dot(&factor[begin..=begin + j], other) * roots[i] * roots[j]);
        }
        matrix.push(roots[i] * roots[i]);
    }
    Ok(matrix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cholesky::Cholesky;

    /// The scatter of rows of which the third column is the sum of the first two, and the fourth never varies.
    fn scatter() -> (usize, Vec<f64>) {
        let order = 5;
        let mut scatter = vec![0.0; packed_length(order)];
        for row in 0..40_u32 {
            let a = f64::from(row % 7) - 3.0;
            let b = f64::from(row % 5) - 2.0;
            let deviation = [a, 1e6 * b, a + b, 0.0, a - b + f64::from(row % 3)];
            crate::statistics::scatter::add_square(&mut scatter, &deviation, 1.0);
        }
        (order, scatter)
    }

    fn roots(order: usize, scatter: &[f64]) -> Vec<f64> {
        (0..order).map(|i| scatter[row_start(i) + i].sqrt()).collect()
    }

    #[test]
    fn correlations_come_back_within_a_step() {
        let (order, sent) = scatter();
        let roots = roots(order, &sent);
        for bits in BITS {
            let mut writer = Writer::new();
            encode(order, &sent, &roots, bits, &mut writer);
            assert_eq!(writer.len(), below(order) * if bits > 8 { 2 } else { 1 });
            let read = decode(order, &roots, bits, &mut Reader::new(writer.as_slice())).expect("what was written");
            for i in 0..order {
                for j in 0..=i {
                    let unit = (roots[i] * roots[j]).max(1e-12);
                    let off = (read[row_start(i) + j] - sent[row_start(i) + j]).abs() / unit;
                    assert!(off <= 1.5 / scale(bits), "{off} at {i}, {j} with {bits} bits");
                }
            }
            for length in 0..writer.len() {
                assert_eq!(
                    decode(order, &roots, bits, &mut Reader::new(&writer.as_slice()[..length])).err(),
                    Some(CoreError::Truncated)
                );
            }
        }
    }

    #[test]
    fn any_numbers_are_positive_semidefinite_or_refused() {
        let order = 6;
        let roots = vec![2.0; order];
        let mut state = 7_u32;
        let mut taken = 0;
        for round in 0..2_000 {
            let bytes: Vec<u8> = (0..2 * below(order))
                .map(|at| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    // small high bytes in every second round, so that some of the rows have room
                    let byte = (state >> 24) as u8;
                    if round % 2 == 0 && at < below(order) {
                        (byte & 31).wrapping_sub(16)
                    } else {
                        byte
                    }
                })
                .collect();
            let Ok(matrix) = decode(order, &roots, 16, &mut Reader::new(&bytes)) else {
                continue;
            };
            taken += 1;
            let loaded = (0..order)
                .flat_map(|i| (0..=i).map(move |j| (i, j)))
                .map(|(i, j)| matrix[row_start(i) + j] / 4.0 + if i == j { 1e-9 } else { 0.0 })
                .collect();
            assert!(Cholesky::new(order, loaded, 0.0).is_ok());
        }
        assert!(taken > 100, "{taken}");
    }
}
