//! The Page-Hinkley test (Page 1954), both ways: the sum of distances to the running mean, less a tolerance, against its
//! extreme so far.
//!
//! Memory: six numbers. Cost: a division per value.

use super::mean::Mean;
use super::{Detector, Verdict, usable};
use crate::codec::{Reader, Writer};
use crate::error::Result;

/// Values before the first verdict.
const WARM_UP: f64 = 30.0;

/// The detector.
#[derive(Clone, Debug)]
pub struct PageHinkley {
    tolerance: f64,
    threshold: f64,
    keeping: f64,
    mean: Mean,
    /// Sum and its extreme, for rises and for falls.
    rise: [f64; 2],
    fall: [f64; 2],
}

impl PageHinkley {
    /// Tolerance and threshold in the unit of the values, and the share of a sum that is kept from value to value (0.005,
    /// 50 and 0.9999 in River).
    #[must_use]
    pub fn new(tolerance: f64, threshold: f64, keeping: f64) -> Self {
        Self {
            tolerance,
            threshold,
            keeping,
            mean: Mean::default(),
            rise: [0.0, f64::INFINITY],
            fall: [0.0, -1.0],
        }
    }
}

impl Detector for PageHinkley {
    fn update(&mut self, x: f64) -> Verdict {
        let Some(x) = usable(x) else {
            return Verdict::Stable;
        };
        self.mean.update(x);
        let off = x - self.mean.value;
        let (rise, fall) = (&mut self.rise, &mut self.fall);
        rise[0] = self.keeping * rise[0] + off - self.tolerance;
        fall[0] = self.keeping * fall[0] + off + self.tolerance;
        rise[1] = if rise[0] < rise[1] { rise[0] } else { rise[1] };
        fall[1] = if fall[0] > fall[1] { fall[0] } else { fall[1] };
        let moved = rise[0] - rise[1] > self.threshold || fall[1] - fall[0] > self.threshold;
        if moved && self.mean.n >= WARM_UP {
            self.reset();
            Verdict::Drift
        } else {
            Verdict::Stable
        }
    }

    fn reset(&mut self) {
        *self = Self::new(self.tolerance, self.threshold, self.keeping);
    }

    fn save(&self, writer: &mut Writer) {
        self.mean.save(writer);
        for number in [self.rise, self.fall].as_flattened() {
            writer.f64(*number);
        }
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.mean = Mean::load(reader)?;
        for number in [&mut self.rise, &mut self.fall].into_iter().flatten() {
            *number = reader.f64()?;
        }
        Ok(())
    }
}
