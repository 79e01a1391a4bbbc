//! HDDM-W (Frías-Blanco et al. 2015): an exponentially weighted mean since the best cut against that up to it, by
//! McDiarmid's bound; rises only, or both ways. For values from 0 to 1.
//!
//! Memory: 17 numbers. Cost: three to six roots per value.

use super::{Detector, Verdict, usable};
use crate::codec::{Reader, Writer};
use crate::error::Result;

/// A weighted mean and the sum of squared weights of what went into it.
#[derive(Clone, Copy, Debug)]
struct Sample {
    mean: f64,
    filled: bool,
    squares: f64,
}

const EMPTY: Sample = Sample {
    mean: 0.0,
    filled: false,
    squares: 1.0,
};

impl Sample {
    fn update(&mut self, x: f64, rate: f64) {
        self.mean = if self.filled {
            rate * x + (1.0 - rate) * self.mean
        } else {
            x
        };
        self.filled = true;
        self.squares = rate * rate + (1.0 - rate) * (1.0 - rate) * self.squares;
    }
}

/// One direction: what was up to the best cut, and what came since.
#[derive(Clone, Copy, Debug)]
struct Side {
    before: Sample,
    since: Sample,
    cut: f64,
}

impl Side {
    const NEW: Self = Self {
        before: EMPTY,
        since: EMPTY,
        cut: f64::INFINITY,
    };

    /// Follows values whose rise is looked for.
    fn update(&mut self, x: f64, total: Sample, bound: f64, rate: f64) {
        if total.mean + bound < self.cut {
            *self = Self {
                before: total,
                since: EMPTY,
                cut: total.mean + bound,
            };
        } else {
            self.since.update(x, rate);
        }
    }

    fn risen(&self, log: f64) -> bool {
        let there = self.before.filled && self.since.filled;
        there && self.since.mean - self.before.mean > ((self.before.squares + self.since.squares) * log / 2.0).sqrt()
    }
}

/// The detector.
#[derive(Clone, Debug)]
pub struct HddmW {
    rate: f64,
    both: bool,
    /// ln(1/drift), ln(1/warning).
    logs: [f64; 2],
    total: Sample,
    rise: Side,
    /// Of the values with their sign turned.
    fall: Side,
}

impl HddmW {
    /// Chances of a wrong alarm and of a wrong warning at each value, and the weight of the newest value (0.001, 0.005
    /// and 0.05 in the paper).
    #[must_use]
    pub fn new(drift: f64, warning: f64, rate: f64, both: bool) -> Self {
        Self {
            rate,
            both,
            logs: [libm::log(1.0 / drift), libm::log(1.0 / warning)],
            total: EMPTY,
            rise: Side::NEW,
            fall: Side::NEW,
        }
    }
}

impl Detector for HddmW {
    fn update(&mut self, x: f64) -> Verdict {
        let Some(x) = usable(x) else {
            return Verdict::Stable;
        };
        self.total.update(x, self.rate);
        let bound = (self.total.squares * self.logs[0] / 2.0).sqrt();
        self.rise.update(x, self.total, bound, self.rate);
        if self.both {
            let turned = Sample {
                mean: -self.total.mean,
                ..self.total
            };
            self.fall.update(-x, turned, bound, self.rate);
        }
        let moved = |log: f64| self.rise.risen(log) || (self.both && self.fall.risen(log));
        if moved(self.logs[0]) {
            self.reset();
            Verdict::Drift
        } else if moved(self.logs[1]) {
            Verdict::Warning
        } else {
            Verdict::Stable
        }
    }

    fn reset(&mut self) {
        (self.total, self.rise, self.fall) = (EMPTY, Side::NEW, Side::NEW);
    }

    fn save(&self, writer: &mut Writer) {
        let Side {
            before: a,
            since: b,
            cut: rise,
        } = self.rise;
        let Side {
            before: c,
            since: d,
            cut: fall,
        } = self.fall;
        for sample in [self.total, a, b, c, d] {
            writer.f64(sample.mean);
            writer.bool(sample.filled);
            writer.f64(sample.squares);
        }
        writer.f64(rise);
        writer.f64(fall);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        let (rise, fall) = (&mut self.rise, &mut self.fall);
        for sample in [
            &mut self.total,
            &mut rise.before,
            &mut rise.since,
            &mut fall.before,
            &mut fall.since,
        ] {
            sample.mean = reader.f64()?;
            sample.filled = reader.bool()?;
            sample.squares = reader.f64()?;
        }
        rise.cut = reader.f64()?;
        fall.cut = reader.f64()?;
        Ok(())
    }
}
