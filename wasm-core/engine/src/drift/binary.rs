//! Any numbers for detectors that watch errors of 0 and 1: what is neither counts as 1 where it is above the mean of the
//! values before it.

use super::mean::Mean;
use super::{Detector, Verdict, usable};
use crate::codec::{Reader, Writer};
use crate::error::Result;

/// A detector of zeros and ones behind that door.
#[derive(Clone, Debug)]
pub struct Exceeding<D> {
    inner: D,
    mean: Mean,
}

impl<D: Detector> Exceeding<D> {
    /// Puts the door before a detector.
    #[must_use]
    pub fn new(inner: D) -> Self {
        Self {
            inner,
            mean: Mean::default(),
        }
    }
}

impl<D: Detector> Detector for Exceeding<D> {
    fn update(&mut self, x: f64) -> Verdict {
        let Some(x) = usable(x) else {
            return Verdict::Stable;
        };
        let bit = if x == 0.0 || x == 1.0 {
            x
        } else {
            f64::from(u8::from(x > self.mean.value))
        };
        self.mean.update(x);
        let verdict = self.inner.update(bit);
        if verdict == Verdict::Drift {
            self.mean = Mean::default();
        }
        verdict
    }

    fn reset(&mut self) {
        self.inner.reset();
        self.mean = Mean::default();
    }

    fn save(&self, writer: &mut Writer) {
        self.mean.save(writer);
        self.inner.save(writer);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.mean = Mean::load(reader)?;
        self.inner.load(reader)
    }
}
