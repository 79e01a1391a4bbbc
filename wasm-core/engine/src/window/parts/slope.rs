//! Least-squares slope of the readings against event time, from centred co-moments (T. Chan, G. Golub, R. LeVeque, 1979).

use super::{HOUR_MS, Part, number};
use crate::codec::{Reader, Writer};
use crate::error::Result;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Slope {
    count: u64,
    /// Times are relative to that of the first reading that came: an epoch in milliseconds has no digits left for a mean.
    origin_ms: f64,
    time: f64,
    value: f64,
    time_time: f64,
    time_value: f64,
}

impl Slope {
    pub(super) fn new() -> Self {
        Self {
            count: 0,
            origin_ms: 0.0,
            time: 0.0,
            value: 0.0,
            time_time: 0.0,
            time_value: 0.0,
        }
    }

    pub(super) fn load(reader: &mut Reader) -> Result<Self> {
        Ok(Self {
            count: reader.counter()?,
            origin_ms: reader.f64()?,
            time: reader.f64()?,
            value: reader.f64()?,
            time_time: reader.f64()?,
            time_value: reader.f64()?,
        })
    }

    /// Change per hour; NaN when all readings have one time.
    #[must_use]
    pub fn per_hour(&self) -> f64 {
        self.time_value / self.time_time * HOUR_MS
    }
}

impl Part for Slope {
    fn add(&mut self, time_ms: f64, value: f64) {
        self.merge(&Self {
            count: 1,
            origin_ms: time_ms,
            value,
            ..Self::new()
        });
    }

    fn merge(&mut self, later: &Self) {
        if self.count == 0 || later.count == 0 {
            if self.count == 0 {
                self.clone_from(later);
            }
            return;
        }
        let (a, b) = (number(self.count), number(later.count));
        let time = (later.origin_ms - self.origin_ms) + later.time - self.time;
        let (value, share) = (later.value - self.value, b / (a + b));
        self.time_time += later.time_time + time * time * a * share;
        self.time_value += later.time_value + time * value * a * share;
        self.time += time * share;
        self.value += value * share;
        self.count += later.count;
    }

    fn save(&self, writer: &mut Writer) {
        writer.u64(self.count);
        for value in [self.origin_ms, self.time, self.value, self.time_time, self.time_value] {
            writer.f64(value);
        }
    }
}
