//! The expert of one column: the label is some column plus a slowly moving offset. Right when the current value is among
//! the features, or when another instrument measures the same thing; and a base for the experts that learn the rest.
//! Cost: 4 d flops. Memory: 16 d bytes.

use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::number::believed;

/// Rate at which offsets and errors follow.
const RATE: f64 = 0.02;

/// Per column its offset and its mean absolute error.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    n: f64,
    offset: Vec<f64>,
    error: Vec<f64>,
    best: Option<u32>,
}

impl Columns {
    /// Nothing known of `d` columns.
    #[must_use]
    pub fn new(d: usize) -> Self {
        Self {
            n: 0.0,
            offset: vec![0.0; d],
            error: vec![0.0; d],
            best: None,
        }
    }

    /// The best column so far plus its offset; NaN before the second label or where the value is missing.
    #[must_use]
    pub fn value(&self, x: &[f64]) -> f64 {
        self.best
            .map_or(f64::NAN, |best| x[best as usize] + self.offset[best as usize])
    }

    /// Learns the label of a row.
    pub fn learn(&mut self, x: &[f64], label: f64) {
        let rate = if RATE > 1.0 / (self.n + 1.0) {
            RATE
        } else {
            1.0 / (self.n + 1.0)
        };
        let mut least = f64::INFINITY;
        for (column, &x) in x.iter().enumerate() {
            if x.is_nan() {
                continue;
            }
            let miss = label - x - self.offset[column];
            if self.n > 0.0 {
                let error = self.error[column];
                self.error[column] += rate * (believed(miss.abs(), error, self.n) - error);
                if self.error[column] < least {
                    least = self.error[column];
                    self.best = Some(column as u32);
                }
            }
            self.offset[column] += rate * miss;
        }
        self.n += 1.0;
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.f64(self.n);
        writer.u32(self.best.map_or(u32::MAX, |best| best));
        crate::panel::linear::save_numbers(&self.offset, writer);
        crate::panel::linear::save_numbers(&self.error, writer);
    }

    /// Reads what `save` wrote for as many columns.
    ///
    /// # Errors
    /// `Truncated`, or `Corrupt` for a column that is not there.
    pub fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.n = reader.f64()?;
        self.best = match reader.u32()? {
            u32::MAX => None,
            best if (best as usize) < self.offset.len() => Some(best),
            _ => return Err(crate::error::CoreError::Corrupt),
        };
        crate::panel::linear::load_numbers(&mut self.offset, reader)?;
        crate::panel::linear::load_numbers(&mut self.error, reader)
    }
}
