//! The panel for numbers: its experts, how they are asked and taught. Linear experts do not predict the label itself
//! but what is missing to a base (the mean, the key's last label, a column or the residual's zero, the last label of a
//! remembered value); a row whose base did not exist yet teaches nothing about it.
//!
//! Memory: the experts' (each file says how much) and some 90 M bytes here, for M experts, beside the stacks' 8 M².

mod mixing;
mod roster;

use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::experts::column::Columns;
use crate::panel::experts::{NumberExpert, NumberRow, inputs_of};
use crate::panel::inputs::Inputs;
use crate::panel::row::PanelRow;
use crate::release::ReleaseModel;
use mixing::{Mixing, OFFSET, PANEL};

/// Places of the bases in a row.
pub(super) const MEAN: usize = 0;
pub(super) const LAST: usize = 1;
/// Zero change for a residual learner, else the best column plus its offset.
pub(super) const NEAR: usize = 2;
pub(super) const MEMORY: usize = 3;
/// Most bases that one expert starts from.
pub(super) const BASES_MAX: usize = 3;

/// Errors beyond this many mean errors are Huber's.
const HUBER: f64 = 1.5;
/// Predictions are held to the labels seen, widened on both sides by this many times their range.
const RANGE_MARGIN: f64 = 3.0;
/// Labels before predictions are held to their range.
const RANGE_LABELS: f64 = 8.0;
/// Mean errors below this are taken as this: losses in units of it stay finite.
const ERROR_MIN: f64 = 1e-120;

/// The labels so far: how many, least and greatest.
#[derive(Clone, Copy, Debug)]
struct Held {
    n: f64,
    range: [f64; 2],
}

impl Held {
    /// What predictions are held to.
    fn range(&self) -> (f64, f64) {
        if self.n < RANGE_LABELS {
            return (-1e100, 1e100);
        }
        let margin = RANGE_MARGIN * (self.range[1] - self.range[0]);
        (self.range[0] - margin, self.range[1] + margin)
    }

    fn learn(&mut self, y: f64) {
        self.range[0] = if y < self.range[0] { y } else { self.range[0] };
        self.range[1] = if y > self.range[1] { y } else { self.range[1] };
    }
}

/// The experts for numbers and their weights.
#[derive(Debug)]
pub struct Regressor {
    residual: bool,
    experts: Vec<Box<dyn NumberExpert>>,
    names: Vec<String>,
    columns: Columns,
    held: Held,
    mixing: Mixing,
    /// Working memory, never state.
    gathered: Vec<f64>,
}

impl Regressor {
    /// A panel over these inputs that has seen no label.
    #[must_use]
    pub fn new(inputs: &Inputs, columns: usize, residual: bool) -> Self {
        let experts = roster::roster(inputs, residual);
        let started = experts
            .iter()
            .flat_map(|expert| vec![expert.started(); expert.width()])
            .collect();
        let baseline = if residual { NEAR } else { LAST };
        Self {
            residual,
            names: experts.iter().flat_map(|expert| expert.names()).collect(),
            columns: Columns::new(columns),
            held: Held {
                n: 0.0,
                range: [f64::INFINITY, f64::NEG_INFINITY],
            },
            mixing: Mixing::new(started, baseline, residual),
            experts,
            gathered: Vec::new(),
        }
    }

    /// The columns have just been typed: experts on typed inputs begin.
    pub fn typed(&mut self, inputs: &Inputs) {
        let mut first = 0;
        for expert in &mut self.experts {
            let places = first..first + expert.width();
            first = places.end;
            if expert.begin(inputs, 1) {
                places.for_each(|place| self.mixing.join(place));
            }
        }
    }

    /// A release of a line that is new here has come, with the weight of one expert among the others. Rows up to
    /// `serial` were served without it and say nothing about its error.
    pub fn install(&mut self, serial: u64) {
        self.mixing.install(serial);
    }

    /// The release has changed after this row was served: what the one before said of it is nobody's opinion any more.
    pub fn forget_release(&self, row: &mut PanelRow) {
        let release = self.names.len() - 1;
        row.predictions[release] = row.mixes[OFFSET];
    }

    /// True for a row whose vectors are as long as this panel makes them.
    #[must_use]
    pub fn fits(&self, row: &PanelRow, inputs: &Inputs) -> bool {
        let lengths = [row.outputs, row.served.len(), row.predictions.len(), row.mixes.len()];
        lengths == [1, 1, self.names.len(), PANEL + 1] && inputs.fits(&row.inputs)
    }

    /// Predicts: fills the row's bases, predictions, mixes and served value from its inputs.
    pub fn serve(&mut self, key: u32, row: &mut PanelRow, x: &[f64], inputs: &Inputs, release: Option<&ReleaseModel>) {
        let [labels, last, ..] = inputs.key_labels(key);
        let mean = inputs.label_moments().mean();
        let given = |there: bool, value: f64| if there { value } else { f64::NAN };
        row.outputs = 1;
        row.bases = [
            given(self.held.n > 0.0, mean),
            given(labels > 0.0, last),
            if self.residual { 0.0 } else { self.columns.value(x) },
            inputs.best_memory(x),
        ];
        let mut predictions = std::mem::take(&mut row.predictions);
        predictions.clear();
        predictions.resize(self.names.len(), f64::NAN);
        let mut first = 0;
        for expert in &mut self.experts {
            let places = first..first + expert.width();
            first = places.end;
            if let Some(z) = inputs_of(expert.map(), row, inputs, &mut self.gathered) {
                let seen = NumberRow {
                    z,
                    x,
                    serial: row.serial,
                    key,
                    bases: &row.bases,
                    range: self.held.range(),
                    inputs,
                    release,
                };
                expert.predict(&seen, &mut predictions[places]);
            }
        }
        // An expert without an opinion says what the nearest base says, else the mean, else 0.
        let fallback = row
            .bases
            .into_iter()
            .skip(LAST)
            .chain([mean])
            .find(|base| base.is_finite())
            .unwrap_or(0.0);
        for prediction in &mut predictions {
            if !prediction.is_finite() {
                *prediction = fallback;
            }
        }
        row.predictions = predictions;
        self.mixing.mix(row, &self.held);
    }

    /// Learns the label of a row, `delay` rows after it was served: the weights by what was served, the experts with the
    /// inputs as served.
    pub fn learn(&mut self, key: u32, row: &PanelRow, x: &[f64], y: f64, delay: f64, inputs: &Inputs) {
        self.held.n += 1.0;
        self.mixing.learn(row, y, delay, self.held.n);
        let mut first = 0;
        for expert in &mut self.experts {
            let places = first..first + expert.width();
            first = places.end;
            if let Some(z) = inputs_of(expert.map(), row, inputs, &mut self.gathered) {
                let seen = NumberRow {
                    z,
                    x,
                    serial: row.serial,
                    key,
                    bases: &row.bases,
                    range: self.held.range(),
                    inputs,
                    release: None,
                };
                expert.learn(&seen, y, &self.mixing.errors()[places]);
            }
        }
        if !self.residual {
            self.columns.learn(x, y);
        }
        self.held.learn(y);
    }

    /// Name, weight in what is served, and mean error, per expert and stack.
    pub fn report(&self, line: impl FnMut(&str, f64, f64)) {
        self.mixing.report(&self.names, line);
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        for number in [self.held.n, self.held.range[0], self.held.range[1]] {
            writer.f64(number);
        }
        self.columns.save(writer);
        self.mixing.save(writer);
        for expert in &self.experts {
            expert.save(writer);
        }
    }

    /// Reads what `save` wrote into a new panel over inputs that have been loaded already.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(&mut self, inputs: &Inputs, reader: &mut Reader) -> Result<()> {
        self.typed(inputs);
        self.held.n = reader.f64()?;
        for bound in &mut self.held.range {
            *bound = reader.f64()?;
        }
        self.columns.load(reader)?;
        self.mixing.load(reader)?;
        for expert in &mut self.experts {
            expert.load(reader)?;
        }
        Ok(())
    }
}

/// The name of a base in reports.
pub(super) fn base_name(place: usize, residual: bool) -> &'static str {
    match place {
        MEAN => "mean",
        LAST => "last",
        NEAR if residual => "no change",
        NEAR => "column",
        _ => "memory",
    }
}

/// How much of a residual counts: all within `HUBER` mean errors, beyond it so much that its pull stays the same.
pub(super) fn huber(residual: f64, error: f64) -> f64 {
    let most = HUBER * error;
    let size = residual.abs();
    if most > ERROR_MIN && size > most {
        most / size
    } else {
        1.0
    }
}
