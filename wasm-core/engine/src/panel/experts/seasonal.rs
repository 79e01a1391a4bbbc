//! The seasonal last value: what the key's label was a season ago, or as many whole seasons as labels are late; and the mean of the
//! newest four that are that far apart. The season in rows is found online (`panel/series.rs`).
//!
//! Paper: Hyndman & Athanasopoulos, "Forecasting: principles and practice" (2021), ch. 5.2. Cost: that of the series, and four look-ups.
//! Memory: that of the series.

use crate::panel::budget::Cost;
use crate::panel::experts::{Expert, NumberExpert, NumberRow};
use crate::panel::number::hold;

/// Seasons in the mean.
const SEASONS: u64 = 4;

/// It has no state of its own.
#[derive(Debug)]
pub struct Seasonal;

impl Expert for Seasonal {
    fn cost(&self, _: usize) -> Cost {
        Cost { ns: 200.0, bytes: 0.0 }
    }

    fn names(&self) -> Vec<String> {
        ["seasonal last", "seasonal mean"].map(str::to_owned).into()
    }

    fn width(&self) -> usize {
        2
    }
}

impl NumberExpert for Seasonal {
    fn predict(&mut self, row: &NumberRow, out: &mut [f64]) {
        let Some(series) = row.inputs.series(row.key) else {
            return;
        };
        let Some((position, seen)) = series.position(row.serial) else {
            return;
        };
        let (Some(back), Some(season)) = (series.seasons_back(position, seen), series.season()) else {
            return;
        };
        let past = (0..SEASONS).map(|times| series.label(position, back + times * season));
        let (mut sum, mut count) = (0.0, 0.0);
        for label in past.filter(|label| label.is_finite()) {
            if count == 0.0 {
                out[0] = hold(label, row.range.0, row.range.1);
            }
            sum += label;
            count += 1.0;
        }
        if count > 0.0 {
            out[1] = hold(sum / count, row.range.0, row.range.1);
        }
    }
}
