//! A seasonal autoregression with other inputs (SNARIMAX): second-order regression on the columns, the newest labels that had arrived and
//! their averages (which stand for the moving-average terms), and the labels whole seasons ago and beside them, as differences from the
//! last label or from the mean. Labels that are late are forecast over as many rows directly.
//!
//! Papers: Box & Jenkins, "Time series analysis: forecasting and control" (1970), ch. 9; Ljung & Söderström, "Theory and practice of
//! recursive identification" (1983). Cost: that of a second-order expert of m + 6 inputs, `panel/series.rs` aside. Memory: the same.

use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::budget::Cost;
use crate::panel::experts::second_order::SecondOrder;
use crate::panel::experts::{Expert, NumberExpert, NumberRow, from_base};
use crate::panel::inputs::{Inputs, Map};
use crate::panel::number::hold;
use crate::panel::regressor::{base_name, huber};

/// Labels before the last one, and labels around the one a season ago.
const LAGS: u64 = 3;
const AROUND: usize = 3;
const EXTRA: usize = LAGS as usize + AROUND;
const INPUT_MAX: f64 = 8.0;
const PRIOR: f64 = 1.0;
const FORGETTING: f64 = 1e-3;

/// One model for all keys.
#[derive(Debug)]
pub struct Snarimax {
    bases: [usize; 2],
    residual: bool,
    model: SecondOrder,
    m: usize,
    /// Working memory, never state.
    z: Vec<f64>,
}

impl Snarimax {
    /// From the bases at these places; `None` for rows that are too wide.
    #[must_use]
    pub fn new(inputs: &Inputs, bases: [usize; 2], residual: bool) -> Option<Self> {
        let m = inputs.width(Map::Label) + EXTRA;
        inputs.second_order(Map::Label).then(|| Self {
            bases,
            residual,
            model: SecondOrder::new(m, bases.len(), PRIOR, FORGETTING),
            m,
            z: Vec::new(),
        })
    }

    /// The inputs of a row as it was served; false where the series does not reach.
    fn read(&mut self, row: &NumberRow) -> bool {
        let Some(series) = row.inputs.series(row.key) else {
            return false;
        };
        let Some((position, seen)) = series.position(row.serial) else {
            return false;
        };
        self.z.clear();
        self.z.extend_from_slice(row.z);
        let scale = row.inputs.label_moments().inverse_deviation();
        let mut push = |difference: f64| {
            let input = difference * scale;
            self.z.push(if input.is_finite() {
                hold(input, -INPUT_MAX, INPUT_MAX)
            } else {
                0.0
            });
        };
        let last = if seen > 0 { series.label(seen - 1, 0) } else { f64::NAN };
        for lag in 1..=LAGS {
            push(last - series.label(seen.saturating_sub(1), lag));
        }
        let back = series.seasons_back(position, seen);
        let past = |more: u64| back.map_or(f64::NAN, |back| series.label(position, back + more));
        push(past(0) - last);
        push(past(0) - past(1));
        push(past(0) - past(series.season().unwrap_or(0)));
        true
    }
}

impl Expert for Snarimax {
    fn cost(&self, _: usize) -> Cost {
        let Cost { ns, bytes } = self.model.cost(self.bases.len());
        Cost { ns: ns + 260.0, bytes }
    }

    fn names(&self) -> Vec<String> {
        let name = |base| format!("snarimax from {}", base_name(base, self.residual));
        self.bases.map(name).into()
    }

    fn width(&self) -> usize {
        self.bases.len()
    }

    fn map(&self) -> Option<Map> {
        Some(Map::Label)
    }

    fn adapt(&mut self) {
        self.model.adapt();
    }

    fn save(&self, writer: &mut Writer) {
        self.model.save(writer);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.model.load(reader)
    }
}

impl NumberExpert for Snarimax {
    fn predict(&mut self, row: &NumberRow, out: &mut [f64]) {
        if self.read(row) {
            debug_assert_eq!(self.z.len(), self.m, "inputs are as many as the model has");
            for (output, out) in out.iter_mut().enumerate() {
                let score = self.model.score(output, &self.z);
                *out = from_base(row.bases[self.bases[output]], score, row.range);
            }
        }
    }

    fn learn(&mut self, row: &NumberRow, label: f64, errors: &[f64]) {
        if !self.read(row) {
            return;
        }
        let mut residuals = [0.0; 2];
        let (mut curvature, mut least) = (0.0, f64::INFINITY);
        for (output, residual) in residuals.iter_mut().enumerate() {
            let distance = label - row.bases[self.bases[output]];
            if distance.is_finite() {
                let miss = distance - self.model.score(output, &self.z);
                let weight = huber(miss, errors[output]);
                *residual = weight * miss;
                if errors[output] < least {
                    (least, curvature) = (errors[output], weight);
                }
            }
        }
        if least.is_finite() {
            // The gain is computed anew: the season may be another one than when the row was served.
            self.model.learn(&self.z, u64::MAX, curvature, residuals.into_iter());
        }
    }
}
