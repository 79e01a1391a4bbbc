//! DDM (Gama et al. 2004): the share of errors against its best time so far. For errors of 0 and 1.
//!
//! Memory: four numbers. Cost: a root per value.

use super::mean::Mean;
use super::{Detector, Verdict, usable};
use crate::codec::{Reader, Writer};
use crate::error::Result;

/// Values before the first verdict.
const WARM_UP: f64 = 30.0;

/// The detector.
#[derive(Clone, Debug)]
pub struct Ddm {
    warning: f64,
    drift: f64,
    share: Mean,
    /// Share and its deviation at the best time.
    best: [f64; 2],
}

impl Ddm {
    /// Warns and alarms so many deviations above the best time (2 and 3 in the paper).
    #[must_use]
    pub fn new(warning: f64, drift: f64) -> Self {
        Self {
            warning,
            drift,
            share: Mean::default(),
            best: [f64::INFINITY; 2],
        }
    }
}

impl Detector for Ddm {
    fn update(&mut self, x: f64) -> Verdict {
        let Some(x) = usable(x) else {
            return Verdict::Stable;
        };
        self.share.update(x);
        let p = self.share.value;
        let variance = p * (1.0 - p) / self.share.n;
        let s = if variance > 0.0 { variance.sqrt() } else { 0.0 };
        if self.share.n <= WARM_UP {
            return Verdict::Stable;
        }
        if p + s <= self.best[0] + self.best[1] {
            self.best = [p, s];
        }
        if p + s > self.best[0] + self.drift * self.best[1] {
            self.reset();
            Verdict::Drift
        } else if p + s > self.best[0] + self.warning * self.best[1] {
            Verdict::Warning
        } else {
            Verdict::Stable
        }
    }

    fn reset(&mut self) {
        *self = Self::new(self.warning, self.drift);
    }

    fn save(&self, writer: &mut Writer) {
        self.share.save(writer);
        writer.f64(self.best[0]);
        writer.f64(self.best[1]);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.share = Mean::load(reader)?;
        self.best = [reader.f64()?, reader.f64()?];
        Ok(())
    }
}
