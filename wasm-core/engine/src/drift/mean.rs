//! A running mean, with the arithmetic of the references: their alarms come at the same row only with the same rounding.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

/// Mean of `n` values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Mean {
    pub(super) n: f64,
    pub(super) value: f64,
}

impl Mean {
    pub(super) fn update(&mut self, x: f64) {
        self.n += 1.0;
        self.value += (x - self.value) / self.n;
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.f64(self.n);
        writer.f64(self.value);
    }

    pub(super) fn load(reader: &mut Reader) -> Result<Self> {
        let mean = Self {
            n: reader.f64()?,
            value: reader.f64()?,
        };
        if mean.n >= 0.0 && mean.value.is_finite() {
            Ok(mean)
        } else {
            Err(CoreError::Corrupt)
        }
    }
}
