//! Holt-Winters: level, damped trend and one number per place in the season, each smoothed exponentially, at four sets of rates side by
//! side. Without a season (`panel/series.rs` finds it) it is Holt's method. Labels that come late are forecast over as many rows.
//!
//! Papers: Holt, "Forecasting seasonals and trends by exponentially weighted moving averages" (1957); Winters (1960); Gardner & McKenzie,
//! "Forecasting trends in time series" (1985) for the damped trend. Cost: 40 flops. Memory: 32 bytes per key and row of the season, 64 keys.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::panel::budget::Cost;
use crate::panel::experts::{Expert, NumberExpert, NumberRow};
use crate::panel::linear::{load_numbers, save_numbers};
use crate::panel::number::hold;
use crate::panel::series::{SEASON_MAX, Series};

/// Sets of rates side by side.
const LANES: usize = 4;
/// Rates of level, trend and season.
const RATES: [[f64; 3]; LANES] = [[0.05, 0.005, 0.05], [0.2, 0.02, 0.1], [0.5, 0.05, 0.2], [0.9, 0.2, 0.3]];
/// What is left of the trend after each row.
const DAMPING: f64 = 0.98;
/// The trend has come to an end after so many rows.
const ROWS_MAX: u64 = 1024;
const KEYS_MAX: usize = 64;

/// The smoothed numbers of a key.
#[derive(Clone, Debug, Default, PartialEq)]
struct Smoothed {
    /// Rows up to the newest one that was learned; 0: none.
    rows: u64,
    level: [f64; LANES],
    trend: [f64; LANES],
    /// By the position of a row modulo the season; empty without one.
    season: Vec<[f64; LANES]>,
}

impl Smoothed {
    fn seasonal(&self, position: u64) -> [f64; LANES] {
        if self.season.is_empty() {
            return [0.0; LANES];
        }
        self.season[(position % self.season.len() as u64) as usize]
    }

    /// What is expected at a position, that many rows after the newest one learned.
    fn forecast(&self, position: u64) -> [f64; LANES] {
        let ahead = (position + 1).saturating_sub(self.rows).min(ROWS_MAX);
        let mut reach = 0.0;
        let mut left = 1.0;
        for _ in 0..ahead {
            left *= DAMPING;
            reach += left;
        }
        let seasonal = self.seasonal(position);
        std::array::from_fn(|lane| self.level[lane] + reach * self.trend[lane] + seasonal[lane])
    }

    /// Another season: its numbers are those of the newest one.
    fn adopt(&mut self, season: u64, series: &Series, position: u64) {
        self.season = vec![[0.0; LANES]; season as usize];
        let past = |back: u64| (back, series.label(position, back));
        let known = || (1..=season).map(past).filter(|(_, label)| label.is_finite());
        let count = known().count().max(1) as f64;
        let mean = known().map(|(_, label)| label).sum::<f64>() / count;
        for (back, label) in known() {
            self.season[((position - back) % season) as usize] = [label - mean; LANES];
        }
        self.level = [mean; LANES];
        self.trend = [0.0; LANES];
        self.rows = position;
    }

    fn learn(&mut self, position: u64, label: f64) {
        if self.rows == 0 {
            self.level = [label; LANES];
            self.rows = position + 1;
            return;
        }
        if position < self.rows {
            return; // out of order: the series has gone on
        }
        let expected = self.forecast(position);
        let seasonal = self.seasonal(position);
        for lane in 0..LANES {
            let [level, trend, season] = RATES[lane];
            let before = self.level[lane];
            let miss = label - expected[lane];
            self.level[lane] = expected[lane] - seasonal[lane] + level * miss;
            let moved = (self.level[lane] - before) / (position + 1 - self.rows) as f64;
            self.trend[lane] = DAMPING * self.trend[lane] + trend * (moved - DAMPING * self.trend[lane]);
            if !self.season.is_empty() {
                let place = (position % self.season.len() as u64) as usize;
                self.season[place][lane] += season * (1.0 - level) * miss;
            }
        }
        self.rows = position + 1;
    }
}

/// One set of smoothed numbers per key.
#[derive(Debug, Default)]
pub struct HoltWinters {
    keys: Vec<Smoothed>,
}

impl Expert for HoltWinters {
    fn cost(&self, _: usize) -> Cost {
        let rows: usize = self.keys.iter().map(|key| key.season.len() + 3).sum();
        Cost {
            ns: 260.0,
            bytes: 32.0 * rows as f64,
        }
    }

    fn names(&self) -> Vec<String> {
        RATES
            .iter()
            .map(|[level, ..]| format!("holt-winters {level}"))
            .collect()
    }

    fn width(&self) -> usize {
        LANES
    }

    fn save(&self, writer: &mut Writer) {
        writer.u32(self.keys.len() as u32);
        for key in &self.keys {
            writer.u64(key.rows);
            save_numbers(&key.level, writer);
            save_numbers(&key.trend, writer);
            writer.u32(key.season.len() as u32);
            save_numbers(key.season.as_flattened(), writer);
        }
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        let keys = reader.count(76)?;
        if keys > KEYS_MAX {
            return Err(CoreError::Corrupt);
        }
        self.keys = vec![Smoothed::default(); keys];
        for key in &mut self.keys {
            key.rows = reader.counter()?;
            load_numbers(&mut key.level, reader)?;
            load_numbers(&mut key.trend, reader)?;
            let season = reader.count(8 * LANES)?;
            if season > SEASON_MAX {
                return Err(CoreError::Corrupt);
            }
            key.season = vec![[0.0; LANES]; season];
            load_numbers(key.season.as_flattened_mut(), reader)?;
        }
        Ok(())
    }
}

impl NumberExpert for HoltWinters {
    fn predict(&mut self, row: &NumberRow, out: &mut [f64]) {
        let series = row.inputs.series(row.key);
        let place = series.and_then(|series| series.position(row.serial));
        let known = self.keys.get(row.key as usize).filter(|key| key.rows > 0);
        if let (Some((position, _)), Some(key)) = (place, known) {
            for (out, value) in out.iter_mut().zip(key.forecast(position)) {
                *out = hold(value, row.range.0, row.range.1);
            }
        }
    }

    fn learn(&mut self, row: &NumberRow, label: f64, _: &[f64]) {
        let Some(series) = row.inputs.series(row.key) else {
            return;
        };
        let Some((position, _)) = series.position(row.serial) else {
            return;
        };
        let at = row.key as usize;
        if at >= self.keys.len() {
            self.keys.resize(at + 1, Smoothed::default());
        }
        let key = &mut self.keys[at];
        let season = series.season().unwrap_or(0);
        if season != key.season.len() as u64 && position >= key.rows {
            if season > 0 {
                key.adopt(season, series, position);
            } else {
                key.season = Vec::new();
            }
        }
        key.learn(position, label);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::series::tests::of;

    #[test]
    fn level_and_trend_are_those_of_holt() {
        let mut smoothed = Smoothed::default();
        for (position, label) in [10.0, 12.0, 13.0].into_iter().enumerate() {
            smoothed.learn(position as u64, label);
        }
        // By hand, rates .5 and .05: level 10, 11; trend .05; expected 11.049; level 12.0245, moved 1.0245.
        assert!((smoothed.level[2] - 12.0245).abs() < 1e-12, "{smoothed:?}");
        let trend = 0.98 * 0.05 + 0.05 * (1.0245 - 0.98 * 0.05);
        assert!((smoothed.trend[2] - trend).abs() < 1e-12, "{smoothed:?}");
        let two = 12.0245 + (0.98 + 0.98 * 0.98) * trend;
        assert!((smoothed.forecast(4)[2] - two).abs() < 1e-12);
    }

    #[test]
    fn a_season_on_a_slope_is_forecast_over_many_rows() {
        let truth = |at: u64| 100.0 + 0.1 * at as f64 + [0.0, 5.0, -3.0, 8.0, 1.0, -7.0][(at % 6) as usize];
        let series = of((0..400).map(truth));
        assert_eq!(series.season(), Some(6));
        let mut smoothed = Smoothed::default();
        (0..100).for_each(|at| smoothed.learn(at, truth(at)));
        smoothed.adopt(6, &series, 100);
        (100..400).for_each(|at| smoothed.learn(at, truth(at)));
        for ahead in [0, 1, 7, 12] {
            let said = smoothed.forecast(400 + ahead);
            for (lane, value) in said.iter().enumerate().take(LANES).skip(1) {
                let miss = value - truth(400 + ahead);
                assert!(miss.abs() < 1.0, "{miss} over {ahead} rows in lane {lane}");
            }
        }
    }

    #[test]
    fn what_comes_out_of_order_is_left_out() {
        let mut smoothed = Smoothed::default();
        smoothed.learn(5, 1.0);
        let before = smoothed.clone();
        smoothed.learn(3, 1e9);
        assert_eq!(smoothed, before);
    }
}
