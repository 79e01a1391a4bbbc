//! Values in standard deviations from the mean of the values before them: what makes a threshold mean the same for every
//! unit.

use super::mean::Mean;
use super::{Detector, Verdict, usable};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

/// Values that only teach.
const WARM_UP: f64 = 30.0;
/// A single value counts as at most so many deviations: one outlier is no drift.
const HELD: f64 = 4.0;

/// Mean and sum of squared distances to it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standard {
    mean: Mean,
    m2: f64,
}

impl Standard {
    /// The value in deviations, held to four; `None` while there are too few values, for one that is not finite, and
    /// for one that equals a constant.
    pub(super) fn measure(&mut self, x: f64) -> Option<f64> {
        let x = usable(x)?;
        let off = x - self.mean.value;
        let seen = self.mean.n;
        let deviation = if seen > 1.0 {
            (self.m2 / (seen - 1.0)).sqrt()
        } else {
            0.0
        };
        self.mean.update(x);
        let m2 = self.m2 + off * (x - self.mean.value);
        self.m2 = if m2.is_finite() { m2 } else { self.m2 };
        if seen < WARM_UP || off == 0.0 {
            return None;
        }
        let z = off / deviation; // infinite where a constant leaves its value
        let z = if z > -HELD { z } else { -HELD };
        Some(if z < HELD { z } else { HELD })
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        self.mean.save(writer);
        writer.f64(self.m2);
    }

    pub(super) fn load(reader: &mut Reader) -> Result<Self> {
        let standard = Self {
            mean: Mean::load(reader)?,
            m2: reader.f64()?,
        };
        if standard.m2 >= 0.0 {
            Ok(standard)
        } else {
            Err(CoreError::Corrupt)
        }
    }
}

/// A detector that sees standard deviations instead of the values.
#[derive(Clone, Debug)]
pub struct Standardised<D> {
    inner: D,
    standard: Standard,
}

impl<D: Detector> Standardised<D> {
    /// Puts the measure before a detector.
    #[must_use]
    pub fn new(inner: D) -> Self {
        Self {
            inner,
            standard: Standard::default(),
        }
    }
}

impl<D: Detector> Detector for Standardised<D> {
    fn update(&mut self, x: f64) -> Verdict {
        let verdict = self
            .standard
            .measure(x)
            .map_or(Verdict::Stable, |z| self.inner.update(z));
        if verdict == Verdict::Drift {
            self.standard = Standard::default();
        }
        verdict
    }

    fn reset(&mut self) {
        self.inner.reset();
        self.standard = Standard::default();
    }

    fn save(&self, writer: &mut Writer) {
        self.standard.save(writer);
        self.inner.save(writer);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.standard = Standard::load(reader)?;
        self.inner.load(reader)
    }
}
