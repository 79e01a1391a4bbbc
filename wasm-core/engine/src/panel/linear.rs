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

/// `out = P x` for the symmetric `p`. About 2 m² flops. Rows are taken two by two, so that `out` is passed over half as
/// often.
pub fn symmetric_times(p: &[f64], x: &[f64], out: &mut [f64]) {
    let m = x.len();
    let mut i = 0;
    let mut at = 0;
    if m % 2 == 1 {
        out[0] = p[0] * x[0];
        (i, at) = (1, 1);
    }
    while i < m {
        let (upper, lower) = p[at..at + 2 * i + 3].split_at(i + 1);
        let (before, here) = out.split_at_mut(i);
        let (corner, diagonal) = (lower[i], lower[i + 1]);
        let [a, b] = two_rows(&upper[..i], &lower[..i], &x[..i], [x[i], x[i + 1]], before);
        here[0] = a + upper[i] * x[i] + corner * x[i + 1];
        here[1] = b + corner * x[i] + diagonal * x[i + 1];
        at += 2 * i + 3;
        i += 2;
    }
}

/// Adds `scale[0] * upper + scale[1] * lower` to `out` and returns both rows' dot products with `x`.
#[inline]
fn two_rows(upper: &[f64], lower: &[f64], x: &[f64], scale: [f64; 2], out: &mut [f64]) -> [f64; 2] {
    let (upper4, upper_rest) = upper.as_chunks::<4>();
    let (lower4, lower_rest) = lower.as_chunks::<4>();
    let (x4, x_rest) = x.as_chunks::<4>();
    let (out4, out_rest) = out.as_chunks_mut::<4>();
    let mut a = [0.0; 4];
    let mut b = [0.0; 4];
    for (((upper, lower), x), out) in upper4.iter().zip(lower4).zip(x4).zip(out4) {
        for lane in 0..4 {
            a[lane] += upper[lane] * x[lane];
            b[lane] += lower[lane] * x[lane];
            out[lane] += upper[lane] * scale[0] + lower[lane] * scale[1];
        }
    }
    let mut rest = [0.0; 2];
    for (((upper, lower), x), out) in upper_rest.iter().zip(lower_rest).zip(x_rest).zip(out_rest) {
        rest[0] += upper * x;
        rest[1] += lower * x;
        *out += upper * scale[0] + lower * scale[1];
    }
    let sum = |lanes: [f64; 4]| (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
    [sum(a) + rest[0], sum(b) + rest[1]]
}

/// `P = P - c g g' + add I`. About m² flops, also two rows at a time.
pub fn symmetric_update(p: &mut [f64], g: &[f64], c: f64, add: f64) {
    let m = g.len();
    let mut i = 0;
    let mut at = 0;
    if m % 2 == 1 {
        p[0] += add - c * g[0] * g[0];
        (i, at) = (1, 1);
    }
    while i < m {
        let (upper, lower) = p[at..at + 2 * i + 3].split_at_mut(i + 1);
        let (a, b) = (c * g[i], c * g[i + 1]);
        for ((upper, lower), g) in upper.iter_mut().zip(&mut lower[..=i]).zip(g) {
            *upper -= a * g;
            *lower -= b * g;
        }
        upper[i] += add;
        lower[i + 1] += add - b * g[i + 1];
        at += 2 * i + 3;
        i += 2;
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
        for m in [1, 2, 11, 12] {
            times_of(m);
        }
    }

    fn times_of(m: usize) {
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
        for (i, out) in out.iter().enumerate() {
            let truth: f64 = (0..m).map(|j| value(i, j) * x[j]).sum();
            assert!((out - truth).abs() < 1e-12, "row {i} of {m}");
        }
        if m < 5 {
            return;
        }
        symmetric_update(&mut p, &x, 0.25, 3.0);
        assert!((p[triangle_len(4)] - (value(4, 0) - 0.25 * x[4] * x[0])).abs() < 1e-12);
        assert!((p[triangle_len(5) - 1] - (value(4, 4) - 0.25 * x[4] * x[4] + 3.0)).abs() < 1e-12);
    }
}
