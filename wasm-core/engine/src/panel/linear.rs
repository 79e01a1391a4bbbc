//! What vectors of the panel have in common. The dot product is `cholesky::dot`, matrices are in `symmetric.rs`.

use crate::codec::{Reader, Writer};
use crate::error::Result;

/// `y[i] += a * x[i]`.
#[inline]
pub fn add_scaled(y: &mut [f64], a: f64, x: &[f64]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += a * x;
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
