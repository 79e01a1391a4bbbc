//! Area under straight lines between neighbouring readings, in value × hours, and the mean over time that follows from it.
//! What lies before the first reading of a window and behind its last is not in it.

use super::{HOUR_MS, Part};
use crate::codec::{Reader, Writer};
use crate::error::Result;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Integral {
    /// First reading; its time is NaN before it.
    from_ms: f64,
    from: f64,
    /// Last reading.
    to_ms: f64,
    to: f64,
    /// Value × hours.
    area: f64,
}

impl Integral {
    pub(super) fn new() -> Self {
        Self {
            from_ms: f64::NAN,
            from: f64::NAN,
            to_ms: f64::NAN,
            to: f64::NAN,
            area: 0.0,
        }
    }

    pub(super) fn load(reader: &mut Reader) -> Result<Self> {
        Ok(Self {
            from_ms: reader.f64()?,
            from: reader.f64()?,
            to_ms: reader.f64()?,
            to: reader.f64()?,
            area: reader.f64()?,
        })
    }

    /// Value × hours; 0 for one reading.
    #[must_use]
    pub fn area(&self) -> f64 {
        self.area
    }

    /// Mean over the time between first and last reading; of one moment the last reading.
    #[must_use]
    pub fn mean(&self) -> f64 {
        let hours = (self.to_ms - self.from_ms) / HOUR_MS;
        if hours > 0.0 { self.area / hours } else { self.to }
    }
}

impl Part for Integral {
    fn add(&mut self, time_ms: f64, value: f64) {
        self.merge(&Self {
            from_ms: time_ms,
            from: value,
            to_ms: time_ms,
            to: value,
            area: 0.0,
        });
    }

    fn merge(&mut self, later: &Self) {
        if later.from_ms.is_nan() {
            return;
        }
        if self.from_ms.is_nan() {
            self.clone_from(later);
            return;
        }
        let hours = (later.from_ms - self.to_ms) / HOUR_MS;
        self.area += hours * f64::midpoint(self.to, later.from) + later.area;
        (self.to_ms, self.to) = (later.to_ms, later.to);
    }

    fn save(&self, writer: &mut Writer) {
        for value in [self.from_ms, self.from, self.to_ms, self.to, self.area] {
            writer.f64(value);
        }
    }
}
