//! EDDM (Baena-García et al. 2006): the rows between two errors against their best time so far. For errors of 0 and 1.
//!
//! Memory: seven numbers. Cost: a root per error.

use super::{Detector, Verdict, usable};
use crate::codec::{Reader, Writer};
use crate::error::Result;

/// Errors, and values, before the first verdict.
const WARM_UP: f64 = 30.0;

#[derive(Clone, Copy, Debug, Default)]
struct Distances {
    n: f64,
    last: f64,
    errors: f64,
    mean: f64,
    m2: f64,
    best: f64,
    warned: bool,
}

/// The detector.
#[derive(Clone, Debug)]
pub struct Eddm {
    warning: f64,
    drift: f64,
    seen: Distances,
}

impl Eddm {
    /// Warns and alarms when distances fall below these shares of their best (0.95 and 0.9 in the paper).
    #[must_use]
    pub fn new(warning: f64, drift: f64) -> Self {
        Self {
            warning,
            drift,
            seen: Distances {
                best: -1.0,
                ..Distances::default()
            },
        }
    }
}

impl Detector for Eddm {
    fn update(&mut self, x: f64) -> Verdict {
        let Some(x) = usable(x) else {
            return Verdict::Stable;
        };
        let seen = &mut self.seen;
        seen.n += 1.0;
        if x == 1.0 {
            seen.errors += 1.0;
            let distance = seen.n - seen.last;
            let step = distance - seen.mean;
            seen.mean += step / seen.errors;
            seen.m2 += step * (distance - seen.mean);
            seen.last = seen.n;
            if seen.n > WARM_UP {
                let variance = if seen.errors > 1.0 {
                    seen.m2 / (seen.errors - 1.0)
                } else {
                    0.0
                };
                let reach = seen.mean + 2.0 * variance.sqrt();
                if reach > seen.best {
                    seen.best = reach;
                } else if seen.errors > WARM_UP {
                    let level = reach / seen.best;
                    if level < self.drift {
                        self.reset();
                        return Verdict::Drift;
                    }
                    seen.warned = level < self.warning;
                }
            }
        }
        if self.seen.warned {
            Verdict::Warning
        } else {
            Verdict::Stable
        }
    }

    fn reset(&mut self) {
        *self = Self::new(self.warning, self.drift);
    }

    fn save(&self, writer: &mut Writer) {
        let Distances {
            n,
            last,
            errors,
            mean,
            m2,
            best,
            warned,
        } = self.seen;
        for number in [n, last, errors, mean, m2, best] {
            writer.f64(number);
        }
        writer.bool(warned);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        let seen = &mut self.seen;
        for number in [
            &mut seen.n,
            &mut seen.last,
            &mut seen.errors,
            &mut seen.mean,
            &mut seen.m2,
            &mut seen.best,
        ] {
            *number = reader.f64()?;
        }
        seen.warned = reader.bool()?;
        Ok(())
    }
}
