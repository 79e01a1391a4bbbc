//! How long a series stood at one value: from each reading of it to the next reading. What lies before the first reading of
//! a window and behind its last is not counted.

use super::Part;
use crate::codec::{Reader, Writer};
use crate::error::Result;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Duration {
    state: f64,
    /// Time of the first reading, NaN before it; time and value of the last.
    from_ms: f64,
    to_ms: f64,
    to: f64,
    stood_ms: f64,
}

impl Duration {
    pub(super) fn new(state: f64) -> Self {
        Self {
            state,
            from_ms: f64::NAN,
            to_ms: f64::NAN,
            to: f64::NAN,
            stood_ms: 0.0,
        }
    }

    pub(super) fn load(state: f64, reader: &mut Reader) -> Result<Self> {
        Ok(Self {
            state,
            from_ms: reader.f64()?,
            to_ms: reader.f64()?,
            to: reader.f64()?,
            stood_ms: reader.f64()?,
        })
    }

    /// Milliseconds.
    #[must_use]
    pub fn ms(&self) -> f64 {
        self.stood_ms
    }
}

impl Part for Duration {
    fn add(&mut self, time_ms: f64, value: f64) {
        self.merge(&Self {
            from_ms: time_ms,
            to_ms: time_ms,
            to: value,
            stood_ms: 0.0,
            ..*self
        });
    }

    fn merge(&mut self, later: &Self) {
        if later.from_ms.is_nan() {
            return;
        }
        if self.from_ms.is_nan() {
            self.from_ms = later.from_ms;
        } else if self.to == self.state {
            self.stood_ms += later.from_ms - self.to_ms;
        }
        self.stood_ms += later.stood_ms;
        (self.to_ms, self.to) = (later.to_ms, later.to);
    }

    fn save(&self, writer: &mut Writer) {
        for value in [self.from_ms, self.to_ms, self.to, self.stood_ms] {
            writer.f64(value);
        }
    }
}
