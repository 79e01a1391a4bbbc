//! Cholesky factorisation and solving of symmetric systems in `f64`. A matrix is its lower triangle, packed by rows:
//! element (i, j), j ≤ i, stands at `i(i+1)/2 + j`. Every sum has a fixed order, so that the bits are the same in
//! native, scalar and simd builds.

use crate::error::{CoreError, Result};

/// Elements of the packed lower triangle of an order × order matrix.
#[must_use]
pub const fn packed_length(order: usize) -> usize {
    order * (order + 1) / 2
}

/// Where row `row` of a packed lower triangle begins; the row has `row + 1` elements.
#[must_use]
pub const fn row_start(row: usize) -> usize {
    packed_length(row)
}

/// Dot product of two slices of one length: four lanes, then `(0 + 1) + (2 + 3)`, then the rest in order.
#[must_use]
pub fn dot(left: &[f64], right: &[f64]) -> f64 {
    assert_eq!(left.len(), right.len(), "both sides of a dot product have one length");
    let (left_lanes, left_rest) = left.as_chunks::<4>();
    let (right_lanes, right_rest) = right.as_chunks::<4>();
    let mut lanes = [0.0; 4];
    for (a, b) in left_lanes.iter().zip(right_lanes) {
        for lane in 0..4 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let mut sum = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
    for (a, b) in left_rest.iter().zip(right_rest) {
        sum += a * b;
    }
    sum
}

/// The factor L of a positive definite matrix A = L Lᵀ.
#[derive(Clone, Debug)]
pub struct Cholesky {
    order: usize,
    factor: Vec<f64>,
}

impl Cholesky {
    /// Factors the packed matrix `a`, whose diagonal should be near 1. Costs order³/6 multiplications.
    ///
    /// # Errors
    /// `Singular` when a pivot is not above `pivot_min`.
    pub fn new(order: usize, mut a: Vec<f64>, pivot_min: f64) -> Result<Self> {
        assert_eq!(a.len(), packed_length(order), "the matrix is a packed lower triangle");
        for i in 0..order {
            let (above, row) = a.split_at_mut(row_start(i));
            for j in 0..i {
                let other = &above[row_start(j)..=row_start(j) + j];
                row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
            }
            let pivot = row[i] - dot(&row[..i], &row[..i]);
            if pivot.is_nan() || pivot <= pivot_min {
                return Err(CoreError::Singular);
            }
            row[i] = pivot.sqrt();
        }
        Ok(Self { order, factor: a })
    }

    /// The factor as it was packed.
    ///
    /// # Errors
    /// `Corrupt` when it is none.
    pub fn from_packed(order: usize, factor: Vec<f64>) -> Result<Self> {
        let diagonal = (0..order).map(|i| factor.get(row_start(i) + i).copied().unwrap_or(0.0));
        let sound = factor.iter().all(|number| number.is_finite()) && diagonal.into_iter().all(|number| number > 0.0);
        if sound && factor.len() == packed_length(order) {
            Ok(Self { order, factor })
        } else {
            Err(CoreError::Corrupt)
        }
    }

    /// The factor: a packed lower triangle.
    #[must_use]
    pub fn packed(&self) -> &[f64] {
        &self.factor
    }

    /// Solves L y = b in place: y has the length that b has in the metric of A⁻¹. Costs order²/2 multiplications.
    pub fn whiten(&self, b: &mut [f64]) {
        assert_eq!(b.len(), self.order, "the right side has the order of the matrix");
        for i in 0..self.order {
            let row = self.row(i);
            b[i] = (b[i] - dot(&row[..i], &b[..i])) / row[i];
        }
    }

    /// Solves A x = b in place. Costs order² multiplications.
    pub fn solve(&self, b: &mut [f64]) {
        self.whiten(b);
        for i in (0..self.order).rev() {
            let row = self.row(i);
            let x = b[i] / row[i];
            b[i] = x;
            for (target, l) in b[..i].iter_mut().zip(row) {
                *target -= l * x;
            }
        }
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.factor[row_start(i)..=row_start(i) + i]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_a_system_with_a_known_answer() {
        // A = [[4, 2, 1], [2, 5, 3], [1, 3, 6]], x = [1, -2, 3]
        let cholesky = Cholesky::new(3, vec![4.0, 2.0, 5.0, 1.0, 3.0, 6.0], 0.0).unwrap();
        let mut b = [3.0, 1.0, 13.0];
        cholesky.solve(&mut b);
        for (found, expected) in b.iter().zip([1.0, -2.0, 3.0]) {
            assert!((found - expected).abs() < 1e-14, "{found} is not {expected}");
        }
    }

    #[test]
    fn an_indefinite_matrix_is_singular() {
        assert_eq!(
            Cholesky::new(2, vec![1.0, 2.0, 1.0], 0.0).err(),
            Some(CoreError::Singular)
        );
        assert_eq!(Cholesky::new(1, vec![f64::NAN], 0.0).err(), Some(CoreError::Singular));
    }

    #[test]
    fn dot_adds_lanes_and_rest() {
        let numbers: Vec<f64> = (1..=11).map(f64::from).collect();
        assert_eq!(dot(&numbers, &numbers), 506.0);
    }
}
