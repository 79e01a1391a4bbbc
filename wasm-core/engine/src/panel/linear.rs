//! The few loops of linear algebra under the panel. Sums are laid out by hand in four lanes that are added in one fixed
//! order, so that scalar and SIMD builds give the same bits. Nothing here allocates. The dot product is `cholesky::dot`.
//!
//! A symmetric matrix of `m` rows is its lower triangle by rows: row i has i + 1 numbers, m (m + 1) / 2 in all.

use crate::codec::{Reader, Writer};
use crate::error::Result;

/// `y[i] += a * x[i]`.
#[inline]
pub fn add_scaled(y: &mut [f64], a: f64, x: &[f64]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// Numbers in the lower triangle of `m` rows.
#[must_use]
pub fn triangle_len(m: usize) -> usize {
    m * (m + 1) / 2
}

/// `out = P x` for the symmetric `p`. About 2 m² flops.
pub fn symmetric_times(p: &[f64], x: &[f64], out: &mut [f64]) {
    let m = x.len();
    let mut at = 0;
    for i in 0..m {
        let row = &p[at..at + i];
        let (row4, row_rest) = row.as_chunks::<4>();
        let (x4, x_rest) = x[..i].as_chunks::<4>();
        let (out_before, out_here) = out.split_at_mut(i);
        let (out4, out_rest) = out_before.as_chunks_mut::<4>();
        let xi = x[i];
        let mut sum = [0.0; 4];
        for ((row, x), out) in row4.iter().zip(x4).zip(out4) {
            for lane in 0..4 {
                sum[lane] += row[lane] * x[lane];
                out[lane] += row[lane] * xi;
            }
        }
        let mut rest = p[at + i] * xi;
        for ((&row, &x), out) in row_rest.iter().zip(x_rest).zip(out_rest) {
            rest += row * x;
            *out += row * xi;
        }
        out_here[0] = ((sum[0] + sum[2]) + (sum[1] + sum[3])) + rest;
        at += i + 1;
    }
}

/// `P = keep P - c g g' + add I`. About 1.5 m² flops.
pub fn symmetric_update(p: &mut [f64], g: &[f64], keep: f64, c: f64, add: f64) {
    let mut at = 0;
    for i in 0..g.len() {
        let row = &mut p[at..=at + i];
        let gi = c * g[i];
        for (p, &gj) in row.iter_mut().zip(g) {
            *p = keep * *p - gi * gj;
        }
        row[i] += add;
        at += i + 1;
    }
}

/// Writes numbers whose count both sides know.
pub fn save_numbers(numbers: &[f64], writer: &mut Writer) {
    for &number in numbers {
        writer.f64(number);
    }
}

/// Reads what `save_numbers` wrote into as many places.
///
/// # Errors
/// `Truncated`.
pub fn load_numbers(numbers: &mut [f64], reader: &mut Reader) -> Result<()> {
    for number in numbers {
        *number = reader.f64()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_triangle_acts_as_the_full_matrix() {
        let m = 11;
        let value = |i: usize, j: usize| 1.0 / (1.0 + (i + j) as f64) + f64::from(u8::from(i == j));
        let mut p = Vec::new();
        for i in 0..m {
            for j in 0..=i {
                p.push(value(i, j));
            }
        }
        let x: Vec<f64> = (0..m).map(|i| (i as f64) - 4.5).collect();
        let mut out = vec![7.0; m];
        symmetric_times(&p, &x, &mut out);
        for i in 0..m {
            let truth: f64 = (0..m).map(|j| value(i, j) * x[j]).sum();
            assert!((out[i] - truth).abs() < 1e-12, "row {i}");
        }
        symmetric_update(&mut p, &x, 0.5, 0.25, 3.0);
        assert!((p[triangle_len(4)] - (0.5 * value(4, 0) - 0.25 * x[4] * x[0])).abs() < 1e-12);
        assert!((p[triangle_len(5) - 1] - (0.5 * value(4, 4) - 0.25 * x[4] * x[4] + 3.0)).abs() < 1e-12);
    }
}
