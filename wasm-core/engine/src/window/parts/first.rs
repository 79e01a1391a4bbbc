//! The reading with the earliest event time; of equal times the one that came first.

use super::Part;
use crate::codec::{Reader, Writer};
use crate::error::Result;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct First {
    /// The reading.
    pub value: f64,
    /// Its event time; infinite before the first.
    pub time_ms: f64,
}

impl First {
    pub(super) fn new() -> Self {
        Self {
            value: f64::NAN,
            time_ms: f64::INFINITY,
        }
    }

    pub(in crate::window) fn load(reader: &mut Reader) -> Result<Self> {
        Ok(Self {
            value: reader.f64()?,
            time_ms: reader.f64()?,
        })
    }
}

impl Part for First {
    fn add(&mut self, time_ms: f64, value: f64) {
        if time_ms < self.time_ms {
            *self = Self { value, time_ms };
        }
    }

    fn merge(&mut self, later: &Self) {
        self.add(later.time_ms, later.value);
    }

    fn save(&self, writer: &mut Writer) {
        writer.f64(self.value);
        writer.f64(self.time_ms);
    }
}
