//! The labels of a key as a series, for experts that forecast from it: which row came where, which labels had arrived when a row was
//! served, and the season in rows that labels repeat after. The season is found online: for every lag the mean distance between
//! labels so far apart is followed, and a lag counts where that distance, having risen, has come down again the farthest.
//!
//! Paper: the distance per lag is the average magnitude difference function of Ross et al.,
//! "Average magnitude difference function pitch extractor" (1974). Cost: 3 flops per lag and label. Memory: 14 KB per key, at most 64 keys.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::parts::Tracked;

/// Keys beyond these have no series.
const KEYS_MAX: usize = 64;
/// Newest rows of a key that are remembered.
const ROWS: u64 = 512;
/// Longest season: a week of hours, a day of ten minutes.
pub const SEASON_MAX: usize = 200;
/// Slowest rate at which distances follow.
const RATE: f64 = 1.0 / 256.0;
/// Labels between two looks for a season.
const LOOK_EVERY: u64 = 8;
/// A season's distance is below this part of the greatest at a shorter lag, and a longer one's below this part of a shorter one's.
const FALLEN: f64 = 0.7;
const BETTER: f64 = 0.8;

/// A row of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    serial: u64,
    /// Rows up to the newest label when it was served; 0: none had come.
    seen: u64,
    /// NaN until it comes.
    label: f64,
}

/// The series of one key; positions count its rows from 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    served: u64,
    /// Position p stands at p modulo `ROWS`.
    ring: Vec<Step>,
    /// Rows up to the newest label.
    seen: u64,
    labels: u64,
    /// Per lag from 1 on.
    distances: Vec<f64>,
    season: usize,
}

impl Default for Series {
    fn default() -> Self {
        Self {
            served: 0,
            ring: Vec::new(),
            seen: 0,
            labels: 0,
            distances: vec![0.0; SEASON_MAX],
            season: 0,
        }
    }
}

impl Series {
    /// The place of a row that was served as number `serial`, and how many rows had been seen up to the newest label then; `None` for one that is forgotten.
    #[must_use]
    pub fn position(&self, serial: u64) -> Option<(u64, u64)> {
        let first = self.served.saturating_sub(self.ring.len() as u64);
        let (mut low, mut high) = (first, self.served);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.step(middle).serial < serial {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (low < self.served && self.step(low).serial == serial).then(|| (low, self.step(low).seen))
    }

    fn step(&self, position: u64) -> &Step {
        &self.ring[(position % ROWS) as usize]
    }

    /// The label `back` rows before a position; NaN where it has not come or is forgotten.
    #[must_use]
    pub fn label(&self, position: u64, back: u64) -> f64 {
        match position.checked_sub(back) {
            Some(at) if at < self.served && at + self.ring.len() as u64 >= self.served => self.step(at).label,
            _ => f64::NAN,
        }
    }

    /// Rows after which labels repeat; `None` while none is known.
    #[must_use]
    pub fn season(&self) -> Option<u64> {
        (self.season > 0).then_some(self.season as u64)
    }

    /// Whole seasons, in rows, from a position back to where labels had come when `seen` rows had been seen; `None` without a season.
    #[must_use]
    pub fn seasons_back(&self, position: u64, seen: u64) -> Option<u64> {
        let season = self.season()?;
        // The newest label was that of row `seen - 1`.
        let ahead = (position + 1).checked_sub(seen).filter(|_| seen > 0)?;
        Some(season * ahead.div_ceil(season).max(1))
    }

    fn serve(&mut self, serial: u64) {
        let step = Step {
            serial,
            seen: self.seen,
            label: f64::NAN,
        };
        let place = (self.served % ROWS) as usize;
        if place < self.ring.len() {
            self.ring[place] = step;
        } else {
            self.ring.push(step);
        }
        self.served += 1;
    }

    fn arrived(&mut self, serial: u64, label: f64) {
        let Some((position, _)) = self.position(serial) else {
            return;
        };
        self.ring[(position % ROWS) as usize].label = label;
        self.seen = self.seen.max(position + 1);
        self.labels += 1;
        // Labels that are not there are NaN, and so is the distance; what counts from the start needs rates of its own.
        let steady = self.labels as f64 > 1.0 / RATE + SEASON_MAX as f64;
        let first = self.served - self.ring.len() as u64;
        let known = (position - first).min(SEASON_MAX as u64);
        for lag in 1..=known {
            let distance = (label - self.ring[((position - lag) % ROWS) as usize].label).abs();
            if distance.is_finite() {
                let rate = if steady {
                    RATE
                } else {
                    let seen = self.labels.saturating_sub(lag).max(1) as f64;
                    if 1.0 / seen > RATE { 1.0 / seen } else { RATE }
                };
                let mean = &mut self.distances[lag as usize - 1];
                *mean += rate * (distance - *mean);
            }
        }
        if self.labels.is_multiple_of(LOOK_EVERY) {
            self.look();
        }
    }

    /// Finds the season: two whole ones must have been seen.
    fn look(&mut self) {
        let longest = (self.labels / 2).min(SEASON_MAX as u64) as usize;
        let mut risen = self.distances[0];
        let mut best = (0, f64::INFINITY);
        for lag in 2..=longest {
            let distance = self.distances[lag - 1];
            if distance < FALLEN * risen && distance < BETTER * best.1 {
                best = (lag, distance);
            }
            risen = if distance > risen { distance } else { risen };
        }
        self.season = best.0;
    }

    fn save(&self, writer: &mut Writer) {
        for number in [self.served, self.seen, self.labels, self.season as u64] {
            writer.u64(number);
        }
        writer.u32(self.ring.len() as u32);
        for step in &self.ring {
            writer.u64(step.serial);
            writer.u64(step.seen);
            writer.f64(step.label);
        }
        crate::panel::linear::save_numbers(&self.distances, writer);
    }

    fn load(reader: &mut Reader) -> Result<Self> {
        let mut series = Self {
            served: reader.counter()?,
            seen: reader.counter()?,
            labels: reader.counter()?,
            season: reader.counter()? as usize,
            ..Self::default()
        };
        for _ in 0..reader.count(24)? {
            series.ring.push(Step {
                serial: reader.u64()?,
                seen: reader.counter()?,
                label: reader.f64()?,
            });
        }
        crate::panel::linear::load_numbers(&mut series.distances, reader)?;
        let sound = series.ring.len() as u64 == series.served.min(ROWS)
            && series.seen <= series.served
            && series.season <= SEASON_MAX
            && series.ring.iter().all(|step| step.seen <= series.served);
        if sound { Ok(series) } else { Err(CoreError::Corrupt) }
    }
}

/// The series of all keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesByKey(Tracked<Series>);

impl SeriesByKey {
    /// The series of a key; `None` before its first row, and for keys that have none.
    #[must_use]
    pub fn of(&self, key: u32) -> Option<&Series> {
        self.0.get(key as usize)
    }

    /// A row of a key is served.
    pub fn serve(&mut self, key: u32, serial: u64) {
        let key = key as usize;
        if key < KEYS_MAX {
            self.0.grow(key + 1, Series::default);
            self.0[key].serve(serial);
        }
    }

    /// The label of a row has come.
    pub fn arrived(&mut self, key: u32, serial: u64, label: f64) {
        if let Some(series) = self.0.get_mut(key as usize) {
            series.arrived(serial, label);
        }
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.u32(self.0.len() as u32);
        self.0.save(22, writer, Series::save);
    }

    /// Reads what `save` wrote.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(&mut self, reader: &mut Reader) -> Result<()> {
        let keys = reader.count(36)?;
        if keys > KEYS_MAX {
            return Err(CoreError::Corrupt);
        }
        self.0.clear();
        for _ in 0..keys {
            self.0.push(Series::load(reader)?);
        }
        Ok(())
    }
}

#[cfg(test)]
pub(in crate::panel) mod tests {
    use super::*;

    /// A series of these labels, each known before the next row.
    pub(in crate::panel) fn of(labels: impl Iterator<Item = f64>) -> Series {
        let mut series = Series::default();
        for (serial, label) in labels.enumerate() {
            series.serve(serial as u64 + 1);
            series.arrived(serial as u64 + 1, label);
        }
        series
    }

    #[test]
    fn the_season_is_found_and_none_where_there_is_none() {
        let noise = |at: usize| {
            let z = (at as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (z >> 40) as f64 / f64::from(1 << 24) - 0.5
        };
        let wave = |season: f64| move |at: usize| 5.0 * libm::sin(at as f64 * 2.0 * std::f64::consts::PI / season);
        for season in [7, 24, 96, 168] {
            let wave = wave(season as f64);
            let series = of((0..3 * season + 100).map(|at| wave(at) + 0.3 * noise(at)));
            assert_eq!(series.season(), Some(season as u64));
        }
        assert_eq!(of((0..400).map(|at| [3.0, 1.0, 2.0][at % 3])).season(), Some(3));
        assert_eq!(of((0..400).map(|at| at as f64)).season(), None);
        assert_eq!(of((0..400).map(|_| 7.0)).season(), None);
        assert_eq!(of((0..3000).map(noise)).season(), None);
    }

    #[test]
    fn labels_that_are_late_or_never_come_keep_their_places() {
        let mut series = Series::default();
        for row in 0..600_u64 {
            series.serve(10 * row);
            if row >= 5 && row % 3 != 0 {
                series.arrived(10 * (row - 5), (row - 5) as f64);
            }
        }
        assert_eq!(series.position(5990), Some((599, 594)));
        assert_eq!(series.position(5991), None);
        assert_eq!(series.position(10), None, "forgotten");
        for back in 0..10 {
            let at = 599 - back;
            let label = series.label(599, back);
            assert!(
                if at <= 594 && at % 3 != 1 {
                    label == at as f64
                } else {
                    label.is_nan()
                },
                "{back}"
            );
        }
        assert!(series.label(599, 600).is_nan() && series.label(599, u64::MAX).is_nan());
        let mut writer = Writer::new();
        series.save(&mut writer);
        let bytes = writer.into_vec();
        let loaded = Series::load(&mut Reader::new(&bytes)).expect("what was saved can be loaded");
        let mut again = Writer::new();
        loaded.save(&mut again);
        assert_eq!(again.into_vec(), bytes);
    }
}
