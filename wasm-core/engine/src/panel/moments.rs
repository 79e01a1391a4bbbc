//! Running mean and variance of one number (Welford), made for streams: an outlier moves them by a bounded amount, and
//! after `MEMORY_ROWS` rows old ones fade.

use crate::codec::{Reader, Writer};
use crate::error::Result;

/// Rows after which the moments become a moving average: long enough to be steady, short enough to follow a sensor that
/// was replaced.
const MEMORY_ROWS: f64 = 100_000.0;
/// A value counts as at most this many standard deviations away; a real change of level still gets in within some rows.
const REACH: f64 = 10.0;
/// Rows before values are limited to the reach.
const WARM_ROWS: f64 = 16.0;
/// A standard deviation under this, absolutely or relative to the mean, is rounding: the column is constant.
const DEVIATION_MIN: f64 = 1e-140;
const DEVIATION_RELATIVE_MIN: f64 = 1e-13;

/// Slowest rate of the mean square step.
const STEP_RATE: f64 = 0.01;

/// Mean and variance so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    n: f64,
    mean: f64,
    variance: f64,
    /// Mean square of the step from the key's previous value.
    steps: f64,
}

impl Moments {
    /// Adds a finite value; `previous` is the one before it of the same key, NaN if none.
    pub fn push(&mut self, value: f64, previous: f64) {
        if self.n < MEMORY_ROWS {
            self.n += 1.0;
        }
        let most = REACH * REACH * self.variance;
        let mut step = value - self.mean;
        if self.n > WARM_ROWS && self.variance > 0.0 && step * step > most {
            step = if step > 0.0 { REACH } else { -REACH } * self.variance.sqrt();
        }
        let rate = 1.0 / self.n;
        self.mean += step * rate;
        self.variance += (step * step * (1.0 - rate) - self.variance) * rate;
        if previous.is_finite() {
            let square = (value - previous) * (value - previous);
            let rate = if rate > STEP_RATE { rate } else { STEP_RATE };
            self.steps += rate * (if square < most { square } else { most } - self.steps);
        }
    }

    /// The values that are believed at once, from the least to the greatest; all while there are few.
    #[must_use]
    pub fn believed(&self) -> (f64, f64) {
        if self.n <= WARM_ROWS || self.variance <= 0.0 {
            return (f64::NEG_INFINITY, f64::INFINITY);
        }
        let reach = REACH * self.variance.sqrt();
        (self.mean - reach, self.mean + reach)
    }

    /// What a missing value probably is: the key's previous value, or the mean where values jump about it more than they
    /// stay (their step is larger than their deviation). NaN without a previous value.
    #[must_use]
    pub fn expected(&self, previous: f64) -> f64 {
        if previous.is_finite() && self.steps > self.variance {
            self.mean
        } else {
            previous
        }
    }

    /// Values so far, at most `MEMORY_ROWS`.
    #[must_use]
    pub fn n(&self) -> f64 {
        self.n
    }

    /// The mean; 0 before the first value.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The mean square distance from the mean.
    #[must_use]
    pub fn variance(&self) -> f64 {
        self.variance
    }

    /// 1 / standard deviation; 0 for a constant.
    #[must_use]
    pub fn inverse_deviation(&self) -> f64 {
        let deviation = self.variance.sqrt();
        if deviation > DEVIATION_MIN && deviation > DEVIATION_RELATIVE_MIN * self.mean.abs() {
            1.0 / deviation
        } else {
            0.0
        }
    }

    /// 1 / root mean square; 0 where all values are 0.
    #[must_use]
    pub fn inverse_root_mean_square(&self) -> f64 {
        let size = (self.variance + self.mean * self.mean).sqrt();
        if size > DEVIATION_MIN { 1.0 / size } else { 0.0 }
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.f64(self.n);
        writer.f64(self.mean);
        writer.f64(self.variance);
        writer.f64(self.steps);
    }

    /// Reads what `save` wrote.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn load(reader: &mut Reader) -> Result<Self> {
        Ok(Self {
            n: reader.f64()?,
            mean: reader.f64()?,
            variance: reader.f64()?,
            steps: reader.f64()?,
        })
    }
}
