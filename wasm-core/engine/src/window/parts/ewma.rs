//! Exponentially weighted mean by event time: a reading weighs half of one that is a half-life newer. For uneven times, as
//! in A. Eckner, "Algorithms for Unevenly Spaced Time Series: Moving Averages and Other Rolling Operators", 2017. Kept as
//! two sums of the same decay, so that the order of the readings does not matter (up to rounding).

use super::Part;
use crate::codec::{Reader, Writer};
use crate::error::Result;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Ewma {
    half_life_ms: f64,
    /// Latest event time; the sums are as of then.
    time_ms: f64,
    weighted: f64,
    weight: f64,
}

impl Ewma {
    pub(super) fn new(half_life_ms: f64) -> Self {
        Self {
            half_life_ms,
            time_ms: f64::NEG_INFINITY,
            weighted: 0.0,
            weight: 0.0,
        }
    }

    pub(super) fn load(half_life_ms: f64, reader: &mut Reader) -> Result<Self> {
        Ok(Self {
            half_life_ms,
            time_ms: reader.f64()?,
            weighted: reader.f64()?,
            weight: reader.f64()?,
        })
    }

    /// The mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.weighted / self.weight
    }
}

impl Part for Ewma {
    fn add(&mut self, time_ms: f64, value: f64) {
        self.merge(&Self {
            time_ms,
            weighted: value,
            weight: 1.0,
            ..self.clone()
        });
    }

    fn merge(&mut self, later: &Self) {
        let ahead_ms = later.time_ms - self.time_ms;
        if ahead_ms > 0.0 {
            let decay = libm::exp2(-ahead_ms / self.half_life_ms);
            self.weighted = self.weighted * decay + later.weighted;
            self.weight = self.weight * decay + later.weight;
            self.time_ms = later.time_ms;
        } else if later.weight > 0.0 {
            let decay = libm::exp2(ahead_ms / self.half_life_ms);
            self.weighted += later.weighted * decay;
            self.weight += later.weight * decay;
        }
    }

    fn save(&self, writer: &mut Writer) {
        for value in [self.time_ms, self.weighted, self.weight] {
            writer.f64(value);
        }
    }
}
