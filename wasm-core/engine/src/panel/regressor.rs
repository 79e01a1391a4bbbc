//! The panel for numbers: its experts, how they are asked and taught. Linear experts do not predict the label itself
//! but what is missing to a base (the mean, the key's last label, a column or the residual's zero, the last label of a
//! remembered value); a row whose base did not exist yet teaches nothing about it.
//!
//! Memory: the experts' (each file says how much) and some 90 M bytes here, for M experts, beside the stacks' 8 M².

mod mixing;
pub mod roster;

use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::learner::LearnerSpec;
use crate::panel::budget::{Budget, Candidate, MIX_NUMBERS_NS};
use crate::panel::experts::column::Columns;
use crate::panel::experts::{NumberExpert, NumberRow, inputs_of};
use crate::panel::inputs::Inputs;
use crate::panel::number::hold;
use crate::panel::roster::Roster;
use crate::panel::row::PanelRow;
use crate::release::ReleaseModel;
use mixing::Mixing;

/// Places of the bases in a row.
pub(super) const MEAN: usize = 0;
pub(super) const LAST: usize = 1;
/// Zero change for a residual learner, else the best column plus its offset.
pub(super) const NEAR: usize = 2;
pub(super) const MEMORY: usize = 3;
/// How many there are; they are the first experts too.
const BASES: usize = 4;
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
    budget: Budget,
    roster: Roster<dyn NumberExpert>,
    columns: Columns,
    held: Held,
    mixing: Mixing,
    /// Working memory, never state.
    gathered: Vec<f64>,
}

impl Regressor {
    /// A panel over these inputs that has seen no label.
    #[must_use]
    pub fn new(inputs: &Inputs, spec: &LearnerSpec) -> Self {
        let LearnerSpec {
            residual,
            budget,
            experts,
            ..
        } = *spec;
        let roster = Roster::new(roster::experts(inputs, residual, experts), [BASES, 1]);
        let baseline = if residual { NEAR } else { LAST };
        let mut panel = Self {
            residual,
            budget,
            columns: Columns::new(spec.columns.len()),
            held: Held {
                n: 0.0,
                range: [f64::INFINITY, f64::NEG_INFINITY],
            },
            mixing: Mixing::new(roster.started(), baseline, residual, budget.small()),
            roster,
            gathered: Vec::new(),
        };
        panel.admit(inputs);
        panel
    }

    fn candidates(&self, inputs: &Inputs) -> Vec<Candidate> {
        let losses = self.mixing.standings().recent();
        self.roster.candidates(inputs, 1, losses, MIX_NUMBERS_NS)
    }

    /// The world has changed: weights move towards all experts, and those that can learn faster for a while.
    pub fn adapt(&mut self) {
        self.mixing.adapt();
        for expert in &mut self.roster.experts {
            expert.adapt();
        }
    }

    /// The error has risen: what a detector took for a change.
    pub fn changed(&mut self) {
        for expert in &mut self.roster.experts {
            expert.changed();
        }
    }

    /// What a row takes by what the experts say.
    #[must_use]
    pub fn nominal_ns(&self, inputs: &Inputs) -> f64 {
        self.candidates(inputs).iter().map(|candidate| candidate.cost.ns).sum()
    }

    /// The trial may not cost more than the budget allows: what stays of the predictions, if some go.
    pub fn admit(&mut self, inputs: &Inputs) -> Option<Vec<bool>> {
        let kept = self.budget.admit(&self.candidates(inputs))?;
        Some(self.keep(&kept))
    }

    /// At every rung the worst experts go until the rest is within the budget: what stays of the predictions, if some go.
    pub fn halve(&mut self, inputs: &Inputs) -> Option<Vec<bool>> {
        let labels = self.held.n as u64;
        if !Budget::rung(labels) {
            return None;
        }
        let kept = self.budget.halve(&self.candidates(inputs), labels)?;
        Some(self.keep(&kept))
    }

    fn keep(&mut self, kept: &[bool]) -> Vec<bool> {
        let places = self.roster.keep(kept);
        self.mixing.keep(&places);
        places
    }

    /// The columns have just been typed, for rows after this one: experts on typed inputs begin.
    pub fn typed(&mut self, inputs: &Inputs, serial: u64) {
        let Self { roster, mixing, .. } = self;
        roster.begin(inputs, 1, |place| mixing.join(place, serial));
    }

    /// A release of a line that is new here has come, with the weight of one expert among the others. Rows up to
    /// `serial` were served without it and say nothing about its error.
    pub fn install(&mut self, serial: u64) {
        self.mixing.install(self.roster.names().len() - 1, serial);
    }

    /// The release has changed after this row was served: what the one before said of it is nobody's opinion any more.
    pub fn forget_release(&self, row: &mut PanelRow) {
        let release = self.roster.names().len() - 1;
        row.predictions[release] = row.mixes[self.mixing.mixes()];
    }

    /// True for a row whose vectors are as long as this panel makes them.
    #[must_use]
    pub fn fits(&self, row: &PanelRow, inputs: &Inputs) -> bool {
        let lengths = [row.outputs, row.served.len(), row.predictions.len(), row.mixes.len()];
        lengths == [1, 1, self.roster.names().len(), self.mixing.mixes() + 2] && inputs.fits(&row.inputs)
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
        predictions.resize(self.roster.names().len(), f64::NAN);
        let mut first = 0;
        for expert in &mut self.roster.experts {
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
        let (low, high) = self.held.range();
        for prediction in &mut predictions {
            let value = if prediction.is_finite() { *prediction } else { fallback };
            *prediction = hold(value, low, high);
        }
        row.predictions = predictions;
        self.mixing.mix(row, &self.held);
    }

    /// Learns the label of a row, `delay` rows after it was served: the weights by what was served, the experts with the
    /// inputs as served. Answers with as much of the label as was believed.
    pub fn learn(&mut self, key: u32, row: &PanelRow, x: &[f64], y: f64, delay: f64, inputs: &Inputs) -> f64 {
        self.held.n += 1.0;
        self.mixing.learn(row, y, delay, self.held.n);
        // The weights judge by the label as it is; the experts learn as much of it as is believed.
        let y = inputs.believed_label(key, y, row.served[0], self.mixing.error());
        let mut first = 0;
        for expert in &mut self.roster.experts {
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
                expert.learn(&seen, y, &self.mixing.standings().recent()[places]);
            }
        }
        if !self.residual {
            self.columns.learn(x, y);
        }
        self.held.learn(y);
        y
    }

    /// Name, weight in what is served, labels and mean error, per expert that takes part, and per stack.
    pub fn report(&self, line: impl FnMut(&str, f64, f64, f64)) {
        let mixing = &self.mixing;
        let started = |place| mixing.started(place);
        self.roster.report(mixing.standings(), mixing.weights(), started, line);
    }

    /// Who weighs most, since which label, of how many.
    #[must_use]
    pub fn leader(&self) -> (&str, u64, u64) {
        self.roster.leader(self.mixing.standings())
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        self.roster.save(writer);
        for number in [self.held.n, self.held.range[0], self.held.range[1]] {
            writer.f64(number);
        }
        self.columns.save(writer);
        self.mixing.save(writer);
        for expert in &self.roster.experts {
            expert.save(writer);
        }
    }

    /// Reads what `save` wrote into a new panel over inputs that have been loaded already.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(&mut self, inputs: &Inputs, reader: &mut Reader) -> Result<()> {
        let kept = self.roster.load(reader)?;
        self.keep(&kept);
        self.typed(inputs, 0);
        self.held.n = reader.f64()?;
        for bound in &mut self.held.range {
            *bound = reader.f64()?;
        }
        self.columns.load(reader)?;
        self.mixing.load(reader)?;
        for expert in &mut self.roster.experts {
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
