//! The guard between the panel and the last value: a panel must never be much worse than the baseline that everybody
//! has. What is served moves from the baseline towards the panel only by the share that the panel has earned: its odds
//! against the baseline grow and fall with what each label would have won by following it. The total loss against the
//! baseline is then bounded by a few mean errors, however long the stream and however heavy its tails: a row's win or
//! loss is at most the distance between the two, whatever the label.
//!
//! Labels that come `delay` rows late bring evidence that hangs together (and that many more rows are served before the
//! next one counts), so a step is divided by √(1 + delay).
//!
//! Paper: Sani, Neu & Lazaric, "Exploiting easy data in online optimization" (2014), (A, B)-Prod. Cost: one exp to
//! serve, one ln to learn. Memory: 32 bytes.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::panel::linear::load_numbers;
use crate::panel::number::{hold, ln, sigmoid};

/// Log odds of the panel before the first label, where the baseline is the current value of what is predicted (hard to
/// beat, often the best there is) and where it is only the label before (the panel is better nearly always).
const ODDS_RESIDUAL: f64 = -3.0;
const ODDS_LABEL: f64 = 3.0;
/// The odds are held to these, so that either side comes back within some hundred labels.
const ODDS_LEAST: f64 = -6.0;
const ODDS_MOST: f64 = 8.0;
/// How much a win of one mean error moves the odds when labels come at once.
const RATE: f64 = 0.1;
/// A row wins or loses at most this many mean errors of the baseline; `RATE` times it stays below 1.
const WIN_MAX: f64 = 9.0;
/// Slowest rate of the running means.
const MEAN_RATE: f64 = 0.01;
/// Mean errors below this are taken as this.
const ERROR_MIN: f64 = 1e-120;

/// The panel's odds against the baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    odds: f64,
    labels: f64,
    /// Mean of the baseline's absolute error over all labels: a recent one would make each win of a quiet hour as heavy as
    /// a loss in a storm.
    error: f64,
    /// Running mean of how many rows are served between a row and its label.
    delay: f64,
}

impl Guard {
    /// No label seen.
    #[must_use]
    pub fn new(residual: bool) -> Self {
        Self {
            odds: if residual { ODDS_RESIDUAL } else { ODDS_LABEL },
            labels: 0.0,
            error: 0.0,
            delay: 0.0,
        }
    }

    /// The panel's share of what is served, from 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        sigmoid(self.odds)
    }

    /// What is served of the baseline and the panel's value; the panel's where there is no baseline yet.
    #[must_use]
    pub fn value(&self, baseline: f64, panel: f64) -> f64 {
        if baseline.is_finite() {
            baseline + self.share() * (panel - baseline)
        } else {
            panel
        }
    }

    /// The label `y` of a row has come, `delay` rows after it was served.
    pub fn learn(&mut self, baseline: f64, panel: f64, y: f64, delay: f64) {
        if !baseline.is_finite() {
            return;
        }
        self.labels += 1.0;
        let rate = 1.0 / self.labels;
        let rate = if MEAN_RATE > rate { MEAN_RATE } else { rate };
        let miss = (y - baseline).abs();
        self.error += (miss - self.error) / self.labels;
        self.delay += (delay - self.delay) * rate;
        let unit = 1.0 / if self.error > ERROR_MIN { self.error } else { ERROR_MIN };
        let win = hold((miss - (y - panel).abs()) * unit, -WIN_MAX, WIN_MAX);
        let step = ln(1.0 + RATE * win / (1.0 + self.delay).sqrt());
        self.odds = hold(self.odds + step, ODDS_LEAST, ODDS_MOST);
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        for number in [self.odds, self.labels, self.error, self.delay] {
            writer.f64(number);
        }
    }

    /// Reads what `save` wrote.
    ///
    /// # Errors
    /// `Truncated`, or `Corrupt` for numbers that no stream makes.
    pub fn load(&mut self, reader: &mut Reader) -> Result<()> {
        let mut numbers = [0.0; 4];
        load_numbers(&mut numbers, reader)?;
        let [odds, labels, error, delay] = numbers;
        let sound = (ODDS_LEAST..=ODDS_MOST).contains(&odds) && labels >= 0.0 && error >= 0.0 && delay >= 0.0;
        if !sound {
            return Err(CoreError::Corrupt);
        }
        (self.odds, self.labels, self.error, self.delay) = (odds, labels, error, delay);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs labels past a guard; the panel's value follows from the row. Returns the error of the baseline, of the panel
    /// and of what was served.
    fn errors(rows: usize, delay: usize, panel: impl Fn(usize) -> f64, label: impl Fn(usize) -> f64) -> [f64; 3] {
        let mut guard = Guard::new(true);
        let mut sums = [0.0; 3];
        for row in 0..rows {
            let served = guard.value(0.0, panel(row));
            for (sum, value) in sums.iter_mut().zip([0.0, panel(row), served]) {
                *sum += (label(row) - value).abs();
            }
            if let Some(late) = row.checked_sub(delay) {
                guard.learn(0.0, panel(late), label(late), delay as f64);
            }
        }
        sums
    }

    #[test]
    fn a_panel_that_only_adds_noise_costs_a_few_mean_errors() {
        let label = |row: usize| {
            if row.is_multiple_of(50) {
                40.0
            } else {
                1.0 - (row % 3) as f64
            }
        };
        let noise = |row: usize| if row.is_multiple_of(2) { 3.0 } else { -3.0 };
        for delay in [0, 30] {
            let [baseline, panel, served] = errors(5_000, delay, noise, label);
            assert!(panel > 1.5 * baseline);
            assert!(
                served < baseline + 12.0 * baseline / 5_000.0,
                "{served} over {baseline} at delay {delay}"
            );
        }
    }

    #[test]
    fn a_panel_that_knows_better_is_followed() {
        let label = |row: usize| if row.is_multiple_of(2) { 1.0 } else { -1.0 };
        for (delay, most) in [(0, 0.05), (30, 0.2)] {
            let [baseline, _, served] = errors(5_000, delay, |row| 0.9 * label(row), label);
            assert!(
                served < (0.1 + most) * baseline,
                "{served} of {baseline} at delay {delay}"
            );
        }
    }
}
