//! Device clocks that are wrong: for each key the least delay from event time to arrival, seen lately, tells how far its
//! clock is off, since a message takes at least no time and the fastest take little. A clock that is off by more than
//! `clock_skew_max` is corrected by that; what such a device buffered for as long cannot be told from it.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::parts::Tracked;

/// Readings of a key after which the least delay of the period before them is forgotten.
const PERIOD: u32 = 32;
/// Readings in a row that come much later than the least delay until the clock counts as set back.
const STRIKES: u32 = 3;

/// What is known of the clock of one key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Skew {
    /// Least delays, in this period and the one before it; infinite before the first.
    least_ms: f64,
    before_ms: f64,
    heard: u32,
    strikes: u32,
}

impl Default for Skew {
    fn default() -> Self {
        Self {
            least_ms: f64::INFINITY,
            before_ms: f64::INFINITY,
            heard: 0,
            strikes: 0,
        }
    }
}

impl Skew {
    /// What to add to an event time that arrived `delay_ms` after itself.
    pub(super) fn correction_ms(&mut self, delay_ms: f64, max_ms: f64) -> f64 {
        if self.heard == PERIOD {
            (self.before_ms, self.least_ms, self.heard) = (self.least_ms, f64::INFINITY, 0);
        }
        let least_ms = if self.before_ms < self.least_ms {
            self.before_ms
        } else {
            self.least_ms
        };
        let set_back = delay_ms - least_ms > max_ms;
        self.strikes = if set_back { self.strikes + 1 } else { 0 };
        if self.strikes == STRIKES {
            *self = Self::default();
        }
        self.heard += 1;
        self.least_ms = if delay_ms < self.least_ms {
            delay_ms
        } else {
            self.least_ms
        };
        let least_ms = if self.before_ms < self.least_ms {
            self.before_ms
        } else {
            self.least_ms
        };
        if least_ms.abs() > max_ms { least_ms } else { 0.0 }
    }

    fn save(self, writer: &mut Writer) {
        writer.f64(self.least_ms);
        writer.f64(self.before_ms);
        writer.u32(self.heard);
        writer.u32(self.strikes);
    }

    fn load(reader: &mut Reader) -> Result<Self> {
        let skew = Self {
            least_ms: reader.f64()?,
            before_ms: reader.f64()?,
            heard: reader.u32()?,
            strikes: reader.u32()?,
        };
        let sound =
            !skew.least_ms.is_nan() && !skew.before_ms.is_nan() && skew.heard <= PERIOD && skew.strikes < STRIKES;
        if sound { Ok(skew) } else { Err(CoreError::Corrupt) }
    }
}

/// The clocks of all keys of sources that want them corrected, by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Skews {
    keys: Tracked<Skew>,
    /// Event times that were changed.
    pub(super) corrected: u64,
}

impl Skews {
    /// What to add to an event time of a key.
    pub(super) fn correction_ms(&mut self, key: u32, delay_ms: f64, max_ms: f64) -> f64 {
        let key = key as usize;
        self.keys.grow(key + 1, Skew::default);
        let correction_ms = self.keys[key].correction_ms(delay_ms, max_ms);
        self.corrected += u64::from(correction_ms != 0.0);
        correction_ms
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.u64(self.corrected);
        writer.u32(u32::try_from(self.keys.len()).expect("keys are counted by u32"));
        self.keys.save(21, writer, |skew, writer| skew.save(writer));
    }

    pub(super) fn load(reader: &mut Reader) -> Result<Self> {
        let corrected = reader.counter()?;
        let keys = (0..reader.count(24)?).map(|_| Skew::load(reader));
        Ok(Self {
            keys: keys.collect::<Result<Vec<_>>>()?.into(),
            corrected,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: f64 = 60_000.0;

    fn corrections(delays_ms: &[f64]) -> Vec<f64> {
        let mut skew = Skew::default();
        delays_ms
            .iter()
            .map(|&delay_ms| skew.correction_ms(delay_ms, MINUTE))
            .collect()
    }

    #[test]
    fn a_clock_that_is_right_is_left_alone_however_late_a_reading_comes() {
        assert_eq!(corrections(&[200.0, 50.0, 90_000.0, 80_000.0, 100.0]), [0.0; 5]);
    }

    #[test]
    fn a_clock_that_is_ahead_or_behind_is_set_by_the_fastest_message() {
        assert_eq!(
            corrections(&[-3_600_000.0, -3_600_100.0, -3_599_000.0]),
            [-3_600_000.0, -3_600_100.0, -3_600_100.0]
        );
        assert_eq!(
            corrections(&[7.2e6 + 300.0, 7.2e6, 7.2e6 + 80.0]),
            [7.2e6 + 300.0, 7.2e6, 7.2e6]
        );
    }

    #[test]
    fn a_clock_that_is_set_back_is_found_out_after_three_messages_and_one_that_is_mended_at_once() {
        let found = corrections(&[100.0, 1e12, 1e12 + 5.0, 1e12 + 9.0, 1e12 + 7.0, 100.0]);
        assert_eq!(found, [0.0, 0.0, 0.0, 1e12 + 9.0, 1e12 + 7.0, 0.0]);
    }
}
