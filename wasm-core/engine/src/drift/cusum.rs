//! CUSUM (Page 1954), both ways and self-starting (Hawkins 1987): values are measured against mean and deviation of those
//! before them, so no earlier knowledge is needed; sums of what lies beyond an allowance alarm at a threshold.
//!
//! Memory: five numbers. Cost: a root and two divisions per value.

use super::standard::Standard;
use super::{Detector, Verdict};
use crate::codec::{Reader, Writer};
use crate::error::Result;

/// The detector.
#[derive(Clone, Debug)]
pub struct Cusum {
    allowance: f64,
    threshold: f64,
    standard: Standard,
    rise: f64,
    fall: f64,
}

impl Cusum {
    /// Allowance (half of the shift that is looked for) and threshold, in standard deviations.
    #[must_use]
    pub fn new(allowance: f64, threshold: f64) -> Self {
        Self {
            allowance,
            threshold,
            standard: Standard::default(),
            rise: 0.0,
            fall: 0.0,
        }
    }
}

/// The threshold with `run_length` values between two false alarms of sums in both directions, by Siegmund's approximation
/// (1985) for independent normal values; within a quarter of it for errors of 0 and 1 that are not rare.
#[must_use]
pub fn threshold_for(allowance: f64, run_length: f64) -> f64 {
    let run_length_of = |threshold: f64| {
        let b = 2.0 * allowance * (threshold + 1.166);
        0.5 * (libm::exp(b) - b - 1.0) / (2.0 * allowance * allowance)
    };
    let (mut low, mut high) = (0.0, 50.0 / allowance);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if run_length_of(middle) < run_length {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

impl Detector for Cusum {
    fn update(&mut self, x: f64) -> Verdict {
        let Some(z) = self.standard.measure(x) else {
            return Verdict::Stable;
        };
        let positive = |sum: f64| if sum > 0.0 { sum } else { 0.0 };
        self.rise = positive(self.rise + z - self.allowance);
        self.fall = positive(self.fall - z - self.allowance);
        if self.rise > self.threshold || self.fall > self.threshold {
            self.reset();
            Verdict::Drift
        } else {
            Verdict::Stable
        }
    }

    fn reset(&mut self) {
        *self = Self::new(self.allowance, self.threshold);
    }

    fn save(&self, writer: &mut Writer) {
        self.standard.save(writer);
        writer.f64(self.rise);
        writer.f64(self.fall);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.standard = Standard::load(reader)?;
        self.rise = reader.f64()?;
        self.fall = reader.f64()?;
        Ok(())
    }
}
