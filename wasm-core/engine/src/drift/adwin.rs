//! ADWIN (Bifet & Gavaldà 2007): an exponential histogram of the newest values; when the means of an older and a newer part
//! differ by more than chance allows, the oldest bucket goes. Bounds and bucket rule as in River 0.26: with its settings
//! the alarms come at the same rows. Unlike River's, the window that is left after an alarm is kept.
//!
//! Memory: at most `LEVELS_MAX` × 6 buckets of two numbers, 3 KiB; it grows with the logarithm of the window. Cost: O(1) per value amortised, and
//! a look at every border between buckets once in `clock` values, of three products each while nothing has changed.

use super::{Detector, Verdict, usable};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

/// Buckets of one size; one more and the two oldest become one of the next size.
const BUCKETS: usize = 5;
/// Sizes: 1, 2, 4, … 2^39 values; when the last is full, its oldest bucket is dropped.
const LEVELS_MAX: usize = 40;
/// When a bucket of this level is made the total is summed up anew from the buckets, whose sums are short: added up value
/// by value, the rounding of a long window would look like drift.
const SUMMED: usize = 6;
/// Values on either side of a border that is looked at.
const SIDE_MIN: f64 = 5.0;
/// Values before the first look.
const GRACE: f64 = 10.0;

/// Buckets of one size, the oldest first.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    len: usize,
    totals: [f64; BUCKETS + 1],
    variances: [f64; BUCKETS + 1],
}

impl Level {
    fn total(&self) -> f64 {
        self.totals[..self.len].iter().sum()
    }
}

/// The detector.
#[derive(Clone, Debug)]
pub struct Adwin {
    delta: f64,
    clock: u32,
    scaled: bool,
    levels: Vec<Level>,
    width: f64,
    total: f64,
    /// Sum of squared distances to the mean.
    variance: f64,
    tick: u32,
    /// Means on both sides of the change found last; no state, since they are asked for at once.
    means: [f64; 2],
}

impl Adwin {
    /// A detector that allows a chance of `delta` for each look (0.002 in River) and looks once in `clock` values (32).
    #[must_use]
    pub fn new(delta: f64, clock: u32) -> Self {
        Self {
            delta,
            clock,
            scaled: false,
            levels: vec![Level::default()],
            width: 0.0,
            total: 0.0,
            variance: 0.0,
            tick: 0,
            means: [0.0; 2],
        }
    }

    /// For numbers of any unit: the part of the bound that is for values between 0 and 1 takes the window's deviation for
    /// that range.
    #[must_use]
    pub fn scaled(mut self) -> Self {
        self.scaled = true;
        self
    }

    /// Values in the window.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.width
    }

    /// Mean of the window; 0 while it is empty.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.width > 0.0 { self.total / self.width } else { 0.0 }
    }

    fn insert(&mut self, x: f64) {
        if self.width > 0.0 {
            let step = x - self.total / self.width;
            self.variance += self.width * step * step / (self.width + 1.0);
        }
        self.width += 1.0;
        self.total += x;
        let mut carried = (x, 0.0);
        let (mut size, mut part) = (1.0, 1.0);
        for at in 0..LEVELS_MAX {
            if at == SUMMED {
                self.total = self.levels.iter().map(Level::total).sum::<f64>() + carried.0;
            }
            if at == self.levels.len() {
                self.levels.push(Level::default());
            }
            let level = &mut self.levels[at];
            level.totals[level.len] = carried.0;
            level.variances[level.len] = carried.1;
            level.len += 1;
            if level.len <= BUCKETS {
                return;
            }
            let step = (level.totals[0] - level.totals[1]) * part;
            let joined = 0.5 * size * step * step;
            carried = (
                level.totals[0] + level.totals[1],
                level.variances[0] + level.variances[1] + joined,
            );
            level.totals.copy_within(2.., 0);
            level.variances.copy_within(2.., 0);
            level.len -= 2;
            size *= 2.0;
            part *= 0.5;
        }
        // Beyond the last size: these are the oldest values there are, and they go.
        self.width -= size;
        self.total -= carried.0;
    }

    /// Looks at every border, from the oldest on; true when one stands between two worlds.
    fn cut(&self) -> bool {
        let log = libm::log(2.0 * libm::log(self.width) / self.delta);
        let spread = 2.0 * self.variance / self.width * log;
        // Rounding is no drift: means of a constant differ in their last bits.
        let (range, rounding) = if self.scaled {
            ((self.variance / self.width).sqrt(), 1e-9 * self.mean().abs())
        } else {
            (1.0, 0.0)
        };
        let (mut n0, mut u0) = (0.0, 0.0);
        let mut size = libm::ldexp(1.0, self.levels.len() as i32 - 1);
        for level in self.levels.iter().rev() {
            let looked = level.len;
            for &total in &level.totals[..looked] {
                n0 += size;
                u0 += total;
                let n1 = self.width - n0;
                let u1 = self.total - u0;
                if n0 < SIDE_MIN || n1 < SIDE_MIN {
                    continue;
                }
                // The bound without its smaller terms, free of divisions: what does not pass it passes no bound.
                let apart = u0 * n1 - u1 * n0;
                if apart * apart <= spread * self.width * n0 * n1 {
                    continue;
                }
                let m = 1.0 / (n0 - SIDE_MIN + 1.0) + 1.0 / (n1 - SIDE_MIN + 1.0);
                let epsilon = (spread * m).sqrt() + 2.0 / 3.0 * log * m * range + rounding;
                if (u0 / n0 - u1 / n1).abs() > epsilon {
                    return true;
                }
            }
            size *= 0.5;
        }
        false
    }

    /// Means of both sides of the border that tells them apart best.
    fn sides(&self) -> [f64; 2] {
        let (mut n0, mut u0, mut most) = (0.0, 0.0, 0.0);
        let mut means = [self.mean(); 2];
        let mut size = libm::ldexp(1.0, self.levels.len() as i32 - 1);
        for level in self.levels.iter().rev() {
            for &total in &level.totals[..level.len] {
                n0 += size;
                u0 += total;
                let (n1, u1) = (self.width - n0, self.total - u0);
                if n0 < SIDE_MIN || n1 < SIDE_MIN {
                    continue;
                }
                let sides = [u0 / n0, u1 / n1];
                let apart = (sides[0] - sides[1]) * (sides[0] - sides[1]) * n0 * n1;
                if apart > most {
                    (most, means) = (apart, sides);
                }
            }
            size *= 0.5;
        }
        means
    }

    fn drop_oldest(&mut self) {
        while self.levels.last().is_some_and(|level| level.len == 0) && self.levels.len() > 1 {
            self.levels.pop();
        }
        let size = libm::ldexp(1.0, self.levels.len() as i32 - 1);
        let Some(level) = self.levels.last_mut().filter(|level| level.len > 0) else {
            return;
        };
        let (total, variance) = (level.totals[0], level.variances[0]);
        level.totals.copy_within(1.., 0);
        level.variances.copy_within(1.., 0);
        level.len -= 1;
        if level.len == 0 && self.levels.len() > 1 {
            self.levels.pop();
        }
        self.width -= size;
        self.total -= total;
        if self.width > 0.0 {
            let step = total / size - self.total / self.width;
            let left = self.variance - variance - size * self.width * step * step / (size + self.width);
            self.variance = if left > 0.0 { left } else { 0.0 };
        } else {
            self.variance = 0.0;
        }
    }
}

impl Detector for Adwin {
    fn update(&mut self, x: f64) -> Verdict {
        let Some(x) = usable(x) else {
            return Verdict::Stable;
        };
        self.insert(x);
        self.tick += 1;
        if self.tick < self.clock {
            return Verdict::Stable;
        }
        self.tick = 0;
        let mut verdict = Verdict::Stable;
        while self.width > GRACE && self.cut() {
            if verdict == Verdict::Stable {
                self.means = self.sides();
            }
            verdict = Verdict::Drift;
            self.drop_oldest();
        }
        verdict
    }

    fn means(&self) -> Option<[f64; 2]> {
        Some(self.means)
    }

    fn reset(&mut self) {
        *self = Self {
            scaled: self.scaled,
            ..Self::new(self.delta, self.clock)
        };
    }

    fn save(&self, writer: &mut Writer) {
        for number in [self.width, self.total, self.variance] {
            writer.f64(number);
        }
        writer.u32(self.tick);
        writer.u32(self.levels.len() as u32);
        for level in &self.levels {
            writer.u8(level.len as u8);
            for (total, variance) in level.totals.iter().zip(&level.variances).take(level.len) {
                writer.f64(*total);
                writer.f64(*variance);
            }
        }
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.reset();
        for number in [&mut self.width, &mut self.total, &mut self.variance] {
            *number = reader.f64()?;
        }
        self.tick = reader.u32()?;
        let count = reader.count(1)?;
        let mut width = 0.0;
        self.levels.clear();
        for at in 0..count {
            let mut level = Level {
                len: usize::from(reader.u8()?),
                ..Level::default()
            };
            if level.len > BUCKETS {
                return Err(CoreError::Corrupt);
            }
            for place in 0..level.len {
                level.totals[place] = reader.f64()?;
                level.variances[place] = reader.f64()?;
            }
            width += level.len as f64 * libm::ldexp(1.0, at as i32);
            self.levels.push(level);
        }
        let sound = (1..=LEVELS_MAX).contains(&count) && width == self.width && self.tick < self.clock;
        let finite = self.total.is_finite() && self.variance.is_finite();
        if sound && finite {
            Ok(())
        } else {
            Err(CoreError::Corrupt)
        }
    }
}
