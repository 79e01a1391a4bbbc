//! HDDM-A (Frías-Blanco et al. 2015): the mean of all values against that up to the best cut so far, by Hoeffding's bound;
//! rises only, or both ways. For values from 0 to 1.
//!
//! Memory: six numbers. Cost: up to five roots per value.

use super::mean::Mean;
use super::{Detector, Verdict, usable};
use crate::codec::{Reader, Writer};
use crate::error::Result;

/// The detector.
#[derive(Clone, Debug)]
pub struct HddmA {
    both: bool,
    low: Mean,
    high: Mean,
    all: Mean,
    /// ln(1/drift), ln(2/drift), ln(2/warning).
    logs: [f64; 3],
}

impl HddmA {
    /// Chances of a wrong alarm and of a wrong warning at each value (0.001 and 0.005 in the paper).
    #[must_use]
    pub fn new(drift: f64, warning: f64, both: bool) -> Self {
        Self {
            both,
            low: Mean::default(),
            high: Mean::default(),
            all: Mean::default(),
            logs: [libm::log(1.0 / drift), libm::log(2.0 / drift), libm::log(2.0 / warning)],
        }
    }

    fn bound(&self, n: f64) -> f64 {
        (1.0 / (2.0 * n) * self.logs[0]).sqrt()
    }

    /// True when all values are at least as far (in the direction of `sign`) from those up to `cut` as chance allows.
    fn moved(&self, cut: Mean, sign: f64, log: f64) -> bool {
        if cut.n == self.all.n {
            return false;
        }
        let m = (self.all.n - cut.n) / cut.n * (1.0 / self.all.n);
        sign * (self.all.value - cut.value) >= (m / 2.0 * log).sqrt()
    }
}

impl Detector for HddmA {
    fn update(&mut self, x: f64) -> Verdict {
        let Some(x) = usable(x) else {
            return Verdict::Stable;
        };
        self.all.update(x);
        if self.low.n == 0.0 {
            (self.low, self.high) = (self.all, self.all);
        }
        let bound = self.bound(self.all.n);
        if self.low.value + self.bound(self.low.n) >= self.all.value + bound {
            self.low = self.all;
        }
        if self.high.value - self.bound(self.high.n) <= self.all.value - bound {
            self.high = self.all;
        }
        let [_, drift, warning] = self.logs;
        if self.moved(self.low, 1.0, drift) || (self.both && self.moved(self.high, -1.0, drift)) {
            self.reset();
            Verdict::Drift
        } else if self.moved(self.low, 1.0, warning) || (self.both && self.moved(self.high, -1.0, warning)) {
            Verdict::Warning
        } else {
            Verdict::Stable
        }
    }

    fn reset(&mut self) {
        (self.low, self.high, self.all) = Default::default();
    }

    fn save(&self, writer: &mut Writer) {
        for mean in [self.low, self.high, self.all] {
            mean.save(writer);
        }
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        for mean in [&mut self.low, &mut self.high, &mut self.all] {
            *mean = Mean::load(reader)?;
        }
        Ok(())
    }
}
