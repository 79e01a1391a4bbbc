//! KSWIN (Raab et al. 2020): the newest values against the older ones of a window, by the two-sample Kolmogorov-Smirnov test:
//! it sees changes of the distribution that leave the mean as it is. All older values are compared, not a random sample
//! of them, so that the same values always give the same verdict.
//!
//! Memory: a window of 100 values, twice. Cost: some 250 steps per value.

use super::{Detector, Verdict, usable};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

/// Values in the window, and those of them that count as new.
const WINDOW: usize = 100;
const NEWEST: usize = 30;

/// The detector.
#[derive(Clone, Debug)]
pub struct Kswin {
    /// Distance of the distributions that alarms.
    distance: f64,
    /// The oldest first.
    window: Vec<f64>,
    /// Places in the window, by value.
    order: Vec<u8>,
}

impl Kswin {
    /// Chance of a wrong alarm at each value (0.005 in the paper).
    #[must_use]
    pub fn new(alpha: f64) -> Self {
        let (old, new) = ((WINDOW - NEWEST) as f64, NEWEST as f64);
        Self {
            distance: (-libm::log(alpha / 2.0) / 2.0 * (old + new) / (old * new)).sqrt(),
            window: Vec::with_capacity(WINDOW),
            order: Vec::with_capacity(WINDOW),
        }
    }

    fn push(&mut self, x: f64) {
        if self.window.len() == WINDOW {
            self.window.remove(0);
            self.order.retain(|&place| place != 0);
            self.order.iter_mut().for_each(|place| *place -= 1);
        }
        let at = self
            .order
            .partition_point(|&place| self.window[usize::from(place)] <= x);
        self.order.insert(at, self.window.len() as u8);
        self.window.push(x);
    }

    /// Greatest distance of the two distribution functions; equal values are passed together.
    fn apart(&self) -> f64 {
        let old = WINDOW - NEWEST;
        let (mut older, mut newer, mut most) = (0.0, 0.0, 0.0);
        for (at, &place) in self.order.iter().enumerate() {
            let place = usize::from(place);
            if place < old {
                older += 1.0
            } else {
                newer += 1.0
            }
            let same = self
                .order
                .get(at + 1)
                .is_some_and(|&next| self.window[usize::from(next)] == self.window[place]);
            let off = (older / old as f64 - newer / NEWEST as f64).abs();
            if !same && off > most {
                most = off;
            }
        }
        most
    }
}

impl Detector for Kswin {
    fn update(&mut self, x: f64) -> Verdict {
        let Some(x) = usable(x) else {
            return Verdict::Stable;
        };
        self.push(x);
        if self.window.len() < WINDOW || self.apart() <= self.distance {
            return Verdict::Stable;
        }
        let newest: Vec<f64> = self.window[WINDOW - NEWEST..].to_vec();
        self.reset();
        newest.into_iter().for_each(|x| self.push(x));
        Verdict::Drift
    }

    fn reset(&mut self) {
        self.window.clear();
        self.order.clear();
    }

    fn save(&self, writer: &mut Writer) {
        writer.f64s(&self.window);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.reset();
        let window = reader.f64s()?;
        if window.len() > WINDOW || window.iter().any(|x| !x.is_finite()) {
            return Err(CoreError::Corrupt);
        }
        window.into_iter().for_each(|x| self.push(x));
        Ok(())
    }
}
