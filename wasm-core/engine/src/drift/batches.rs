//! Batch means: what lies between a stream and its detector. A detector takes each value to be independent of the ones
//! before it; the errors and predictions of a live stream are not, and every hour of a day would be an alarm. So values
//! are averaged over batches, and the batches grow until neighbours among them no longer go together: once in a while
//! their lag-1 autocorrelation is looked at, and what lies above chance doubles the batch.
//!
//! Paper: Law & Carson, "A sequential procedure for determining the length of a steady-state simulation" (1979). Memory:
//! 64 bytes. Cost: an addition per value; a division and ten multiplications per batch.

use super::usable;
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

/// Longest batch: at a value a second more than an hour.
pub const BATCH_MAX: u32 = 4096;
/// Batches before the first look, and before the detector sees any; each next look comes after twice as many.
const FIRST_LOOK: u64 = 64;
/// Autocorrelation that is left alone, and how many standard errors (1 / √n) above it chance may be.
const CORRELATION: f64 = 0.05;
const DEVIATIONS: f64 = 3.0;
/// Rate of the recent mean: about the newest 16 batches.
const RECENT_RATE: f64 = 1.0 / 16.0;

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Batched {
    /// It is part of a batch that is not full, or of the first ones, which only show whether batches are long enough.
    Waiting,
    /// The mean of a full batch: for the detector.
    Mean(f64),
    /// Batches go together still, and have grown: the detector begins anew.
    Grown,
}

/// Means over batches of one length, and how they go together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Batches {
    length: u32,
    filled: u32,
    sum: f64,
    /// Of the full batches since it began: how many, their mean, sums of squares and of products of neighbours, the last.
    n: u64,
    mean: f64,
    squares: f64,
    products: f64,
    last: f64,
    /// Mean of the newest ones.
    recent: f64,
}

impl Default for Batches {
    fn default() -> Self {
        Self::of(1)
    }
}

impl Batches {
    fn of(length: u32) -> Self {
        Self {
            length,
            filled: 0,
            sum: 0.0,
            n: 0,
            mean: 0.0,
            squares: 0.0,
            products: 0.0,
            last: 0.0,
            recent: 0.0,
        }
    }

    /// Values in a batch.
    #[must_use]
    pub fn length(&self) -> u32 {
        self.length
    }

    /// Mean of all full batches since it began, and of the newest ones.
    #[must_use]
    pub fn means(&self) -> [f64; 2] {
        [self.mean, self.recent]
    }

    /// Begins anew after an alarm: with longer batches if those before it may have gone together, which is what most false
    /// alarms are made of.
    pub fn begin(&mut self) {
        let longer = self.length < BATCH_MAX && self.go_together(1.0);
        *self = Self::of(if longer { 2 * self.length } else { self.length });
    }

    /// Takes a value; one that is not finite is passed over.
    pub fn push(&mut self, x: f64) -> Batched {
        let Some(x) = usable(x) else { return Batched::Waiting };
        self.sum += x;
        self.filled += 1;
        if self.filled < self.length {
            return Batched::Waiting;
        }
        let value = if self.length == 1 {
            self.sum
        } else {
            self.sum / f64::from(self.length)
        };
        (self.sum, self.filled) = (0.0, 0);
        self.take(value);
        if self.n >= FIRST_LOOK && self.n.is_power_of_two() && self.length < BATCH_MAX && self.go_together(DEVIATIONS) {
            *self = Self::of(2 * self.length);
            return Batched::Grown;
        }
        if self.n < FIRST_LOOK {
            return Batched::Waiting;
        }
        Batched::Mean(value)
    }

    fn take(&mut self, value: f64) {
        self.n += 1;
        let off = value - self.mean;
        if self.n == 1 {
            self.recent = value;
        } else {
            self.products += off * (self.last - self.mean);
        }
        self.mean += off / self.n as f64;
        self.squares += off * (value - self.mean);
        self.recent += RECENT_RATE * (value - self.recent);
        self.last = value;
    }

    fn go_together(&self, deviations: f64) -> bool {
        let chance = CORRELATION + deviations / (self.n as f64).sqrt();
        self.products > chance * self.squares
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.u32(self.length);
        writer.u32(self.filled);
        writer.u64(self.n);
        for number in [self.sum, self.mean, self.squares, self.products, self.last, self.recent] {
            writer.f64(number);
        }
    }

    /// Reads what `save` wrote.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(reader: &mut Reader) -> Result<Self> {
        let (length, filled, n) = (reader.u32()?, reader.u32()?, reader.counter()?);
        let mut batches = Self {
            filled,
            n,
            ..Self::of(length)
        };
        for number in [
            &mut batches.sum,
            &mut batches.mean,
            &mut batches.squares,
            &mut batches.products,
            &mut batches.last,
            &mut batches.recent,
        ] {
            *number = reader.f64()?;
        }
        if length.is_power_of_two() && length <= BATCH_MAX && filled < length {
            Ok(batches)
        } else {
            Err(CoreError::Corrupt)
        }
    }
}
