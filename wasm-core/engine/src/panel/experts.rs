//! The experts, one file each, under one contract: predict a row, learn its label, say which inputs are seen, and write
//! and read the whole state. An expert may sleep until its inputs exist. What one costs and how much memory it takes
//! stands at the head of its file. Experts do not merge: what gateways merge are statistics (`statistics.rs`), which come
//! back as the expert `release`.

pub mod adagrad;
pub mod adam;
pub mod anchors;
pub mod base;
pub mod coin;
pub mod column;
pub mod descent;
pub mod factorisation;
pub mod ftrl;
pub mod holt_winters;
pub mod key_offset;
pub mod levels;
pub mod nearest;
pub mod fleet;
pub mod logistic;
pub mod naive_bayes;
pub mod network;
pub mod passive_aggressive;
pub mod prior;
pub mod release;
pub mod seasonal;
pub mod second_order;
pub mod sgd;
pub mod snarimax;
pub mod tiles;
pub mod trees;

use std::fmt::Debug;

use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::budget::Cost;
use crate::panel::inputs::{Inputs, Map, VALUE_ABS_MAX};
use crate::panel::number::{exp, hold, sigmoid, sigmoid_each};
use crate::panel::row::{PanelRow, gather};
use crate::release::ReleaseModel;
use logistic::Information;
use prior::Prior;

/// What experts for classes and for numbers share.
pub trait Expert: Debug {
    /// One name per prediction it gives.
    fn names(&self) -> Vec<String>;

    /// How many predictions it gives, always.
    fn width(&self) -> usize {
        1
    }

    /// The inputs it sees; `None` when it looks at none.
    fn map(&self) -> Option<Map> {
        None
    }

    /// False while it sleeps: its inputs are not there yet.
    fn started(&self) -> bool {
        true
    }

    /// The columns have just been typed; true when it wakes up by that. `outputs` is what its models predict.
    fn begin(&mut self, inputs: &Inputs, outputs: usize) -> bool {
        let _ = (inputs, outputs);
        false
    }

    /// The world has changed: what it has learned is worth less than it thinks.
    fn adapt(&mut self) {}

    /// The error of the task has risen, so that the detector called it a change.
    fn changed(&mut self) {}

    /// What a row takes with models of so many outputs; nothing while it sleeps.
    fn cost(&self, outputs: usize) -> Cost;

    /// Writes the state.
    fn save(&self, writer: &mut Writer) {
        let _ = writer;
    }

    /// Reads what `save` wrote into an expert of the same shape.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        let _ = reader;
        Ok(())
    }
}

/// A row as an expert for classes sees it.
pub struct ClassRow<'a> {
    /// The inputs of its map.
    pub z: &'a [f64],
    /// The raw features; NaN is missing.
    pub x: &'a [f64],
    /// Number of the row among all served.
    pub serial: u64,
    /// The class the key had last.
    pub last: Option<usize>,
    /// Counts of classes so far.
    pub prior: &'a Prior,
    /// The makers of the inputs.
    pub inputs: &'a Inputs,
    /// The fleet's model, with the class index of each of its labels (`u32::MAX`: not known here).
    pub release: Option<(&'a ReleaseModel, &'a [u32])>,
}

/// An expert that gives every class a probability.
pub trait ClassExpert: Expert {
    /// Makes room for more classes; from three on a model has one output per class.
    fn grow(&mut self, classes: usize) {
        let _ = classes;
    }

    /// Fills its cells; false when it has no opinion.
    fn predict(&mut self, row: &ClassRow, cells: &mut Cells) -> bool;

    /// Learns the class of a row from the inputs as served.
    fn learn(&mut self, row: &ClassRow, truth: Truth) {
        let _ = (row, truth);
    }

    /// What it tells the fleet.
    fn information(&self) -> Option<&Information> {
        None
    }

    /// Begins anew with what it tells the fleet.
    fn forget_information(&mut self) {}

    /// A release has come, for `classes` classes, with the class of each of its labels (`u32::MAX`: not known here).
    /// `own` is what this gateway has told the fleet without any release; `continues`: it goes on with the line of the one before.
    fn install(
        &mut self,
        release: (&ReleaseModel, &[u32]),
        classes: usize,
        own: Option<&Information>,
        continues: bool,
    ) {
        let _ = (release, classes, own, continues);
    }
}

/// A row as an expert for numbers sees it.
pub struct NumberRow<'a> {
    /// The inputs of its map.
    pub z: &'a [f64],
    /// The raw features; NaN is missing.
    pub x: &'a [f64],
    /// Number of the row among all served.
    pub serial: u64,
    /// The row's key.
    pub key: u32,
    /// What may be predicted as it is, or as the place to start from (`regressor.rs`); NaN where it does not exist yet.
    pub bases: &'a [f64],
    /// Predictions are held to this range.
    pub range: (f64, f64),
    /// The makers of the inputs.
    pub inputs: &'a Inputs,
    /// The fleet's model.
    pub release: Option<&'a ReleaseModel>,
}

/// An expert that predicts a number, in one or several ways.
pub trait NumberExpert: Expert {
    /// Fills in its predictions, one per name; they come as NaN, which says "no opinion".
    fn predict(&mut self, row: &NumberRow, out: &mut [f64]);

    /// Learns the label of a row from the inputs as served. `errors[i]` is the recent mean error of prediction i.
    fn learn(&mut self, row: &NumberRow, label: f64, errors: &[f64]) {
        let _ = (row, label, errors);
    }
}

/// The class of a row as models with one output (two classes: class 1 against class 0) or one per class learn it.
#[derive(Clone, Copy, Debug)]
pub struct Truth {
    /// The class.
    pub class: usize,
    /// How many there are.
    pub classes: usize,
}

impl Truth {
    /// How many outputs a model has.
    #[must_use]
    pub fn outputs(self) -> usize {
        outputs(self.classes)
    }

    /// 1 when an output should say yes, else 0.
    #[must_use]
    pub fn of(self, output: usize) -> f64 {
        let yes = if self.classes == 2 { 1 } else { output };
        f64::from(u8::from(self.class == yes))
    }
}

/// Outputs of a model for so many classes.
#[must_use]
pub fn outputs(classes: usize) -> usize {
    if classes == 2 { 1 } else { classes }
}

/// The places of one expert's probabilities: class by class, all experts of the panel side by side.
#[derive(Debug)]
pub struct Cells<'a> {
    all: &'a mut [f64],
    experts: usize,
    first: usize,
    classes: usize,
}

impl ClassRow<'_> {
    /// The features with the column's mean where one is missing, for models that know nothing of missing values.
    pub fn filled(&self, out: &mut Vec<f64>) {
        out.clear();
        out.extend(self.x.iter().enumerate().map(|(column, &x)| {
            if x.is_nan() {
                self.inputs.column_mean(column)
            } else {
                hold(x, -VALUE_ABS_MAX, VALUE_ABS_MAX)
            }
        }));
    }
}

impl<'a> Cells<'a> {
    /// The cells from expert `first` on, of `experts` in all.
    pub fn new(all: &'a mut [f64], experts: usize, first: usize, classes: usize) -> Self {
        Self {
            all,
            experts,
            first,
            classes,
        }
    }

    /// How many classes there are.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Multiplies the probability of every class.
    pub fn scale(&mut self, by: f64) {
        for class in 0..self.classes {
            self.all[class * self.experts + self.first] *= by;
        }
    }

    /// Sets the probability of a class.
    pub fn set(&mut self, class: usize, probability: f64) {
        self.all[class * self.experts + self.first] = probability;
    }

    /// Sets the probability of every class, in all `width` places of an expert.
    pub fn fill_all(&mut self, width: usize, probability: impl Fn(usize) -> f64) {
        for place in 0..width {
            self.fill_place(place, &probability);
        }
    }

    /// Sets the probability of every class in one of the expert's places.
    pub fn fill_place(&mut self, place: usize, probability: impl Fn(usize) -> f64) {
        for class in 0..self.classes {
            self.all[class * self.experts + self.first + place] = probability(class);
        }
    }

    /// Adds to the probability of a class in one of the expert's places.
    pub fn add(&mut self, place: usize, class: usize, probability: f64) {
        if class < self.classes {
            self.all[class * self.experts + self.first + place] += probability;
        }
    }

    /// Sets the probability of every class.
    pub fn fill(&mut self, probability: impl Fn(usize) -> f64) {
        self.fill_place(0, probability);
    }

    /// Sets the probability of every class for the expert `place` places on.
    pub fn fill_at(&mut self, place: usize, probability: impl Fn(usize) -> f64) {
        for class in 0..self.classes {
            self.all[class * self.experts + self.first + place] = probability(class);
        }
    }

    /// The same by a softmax over one score per class, times `temperature`, of which the share `doubt` is spread evenly.
    pub fn fill_softmax(&mut self, place: usize, temperature: f64, doubt: f64, scores: &[f64]) {
        let most = scores
            .iter()
            .copied()
            .fold(f64::MIN, |most, s| if s > most { s } else { most });
        let mut sum = 0.0;
        for (class, score) in scores.iter().enumerate() {
            let share = exp(temperature * (score - most));
            sum += share;
            self.all[class * self.experts + self.first + place] = share;
        }
        let (scale, even) = ((1.0 - doubt) / sum, doubt / scores.len() as f64);
        for class in 0..scores.len() {
            let cell = &mut self.all[class * self.experts + self.first + place];
            *cell = *cell * scale + even;
        }
    }

    /// From one score (two classes) or one per class.
    pub fn fill_scores(&mut self, score: impl Fn(usize) -> f64) {
        if self.classes == 2 {
            let p = sigmoid(score(0));
            self.set(0, 1.0 - p);
            self.set(1, p);
            return;
        }
        let mut most = f64::MIN;
        for class in 0..self.classes {
            let score = score(class);
            most = if score > most { score } else { most };
            self.set(class, score);
        }
        let mut sum = 0.0;
        for class in 0..self.classes {
            let cell = &mut self.all[class * self.experts + self.first];
            *cell = exp(*cell - most);
            sum += *cell;
        }
        let scale = if sum > 0.0 { 1.0 / sum } else { 0.0 };
        for class in 0..self.classes {
            self.all[class * self.experts + self.first] *= scale;
        }
    }

    /// Several experts side by side, each by its own score per output; with more than two classes every class is asked for
    /// itself and the answers are brought to the sum 1.
    pub fn fill_lanes<const LANES: usize>(&mut self, scores: impl Fn(usize) -> [f64; LANES]) {
        if self.classes == 2 {
            let mut scores = scores(0);
            sigmoid_each(&mut scores);
            for (lane, p) in scores.into_iter().enumerate() {
                self.all[self.first + lane] = 1.0 - p;
                self.all[self.experts + self.first + lane] = p;
            }
            return;
        }
        let mut sums = [0.0; LANES];
        for class in 0..self.classes {
            let mut scores = scores(class);
            sigmoid_each(&mut scores);
            for (lane, p) in scores.into_iter().enumerate() {
                sums[lane] += p;
                self.all[class * self.experts + self.first + lane] = p;
            }
        }
        for class in 0..self.classes {
            for (lane, sum) in sums.iter().enumerate() {
                self.all[class * self.experts + self.first + lane] /= sum;
            }
        }
    }
}

/// An expert's inputs in a served row; `None` when the row was served before they existed.
pub fn inputs_of<'a>(
    map: Option<Map>,
    row: &'a PanelRow,
    inputs: &Inputs,
    scratch: &'a mut Vec<f64>,
) -> Option<&'a [f64]> {
    let Some(map) = map else { return Some(&[]) };
    let ranges = inputs.ranges(map);
    if ranges.iter().any(|range| range.end > row.inputs.len()) {
        return None;
    }
    Some(gather(&row.inputs, ranges, scratch))
}

/// A base plus what a model adds to it, held to the range of the labels; NaN without the base.
#[must_use]
pub fn from_base(base: f64, score: f64, (low, high): (f64, f64)) -> f64 {
    if base.is_nan() {
        f64::NAN
    } else {
        hold(base + score, low, high)
    }
}
