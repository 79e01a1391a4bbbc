//! One learner per task, shared by all keys of the task: it serves predictions, keeps every served row until its label
//! comes, scores what was served and learns from it with today's weights. It owns the slab of served rows, the names of
//! the classes and the counters behind the baselines; what is learned is the panel's business.
//!
//! Memory: at most `pending_max` rows of `ROW_OVERHEAD_BYTES` and the panel's row, `classes_max` names, and per key (at
//! most `keys_max`) the panel's key memory. Rows are allocated when first needed and then reused.

mod release;
mod spec;
mod state;

use std::collections::BTreeMap;

use crate::error::{CoreError, Result};
use crate::panel::classifier::Classifier;
use crate::panel::inputs::{Inputs, VALUE_ABS_MAX};
use crate::panel::interval::Interval;
use crate::panel::number::hold;
use crate::panel::regressor::Regressor;
use crate::panel::row::PanelRow;
use crate::parts::Tracked;
use crate::statistics::{Class, ClassStatistics, CoMoments, Statistics};
use release::Installed;
pub use spec::{Column, LearnerKind, LearnerSpec};

/// Bytes of the rows that wait for their label: with 2 KB a row some 65,000 of them.
const ROWS_BYTES_MAX: usize = 128 << 20;
/// Bytes of a row beside its numbers.
const ROW_OVERHEAD_BYTES: usize = 256;

/// One row to predict.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// Index of the key, dense from 0.
    pub key: u32,
    /// The features; NaN is a missing value.
    pub x: &'a [f64],
    /// The current value for a residual learner, else NaN.
    pub base: f64,
}

/// A prediction as served.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Served {
    /// The slab slot that waits for the label: hand it to `learn` or `discard`, once.
    pub slot: u32,
    /// The predicted number; for classes the probability of `class`.
    pub value: f64,
    /// The value should be above this 95 times in 100; for classes the lowest probability among the panel's mixes.
    pub low: f64,
    /// The value should be below this 95 times in 100; for classes the highest probability among the panel's mixes.
    pub high: f64,
    /// The predicted class; 0 for regression and before the first class is known.
    pub class: u32,
    /// Probability of `class`; 1 for regression.
    pub probability: f64,
}

/// How a served prediction compared with its label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Absolute error, or 0 or 1 for classes.
    pub error: f64,
    /// The same for the baseline: the base value (residual), else the last label of that key that had arrived when the
    /// row was served (0 before the first).
    pub baseline_error: f64,
}

/// One line of the panel's report.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpertReport {
    /// The expert's name.
    pub name: String,
    /// Its share of the prediction, from 0 to 1.
    pub weight: f64,
    /// Labels of rows that it was asked about.
    pub labels: f64,
    /// Mean loss of its served predictions: absolute error, or 0 or 1 for classes.
    pub error: f64,
}

#[derive(Clone, Debug, Default)]
struct Row {
    taken: bool,
    key: u32,
    base: f64,
    baseline: f64,
    x: Vec<f64>,
    panel: PanelRow,
}

#[derive(Debug)]
enum Panel {
    Numbers(Regressor),
    Classes(Classifier),
}

/// The learner of one task.
#[derive(Debug)]
pub struct Learner {
    spec: LearnerSpec,
    classes: Vec<String>,
    class_index: BTreeMap<String, u32>,
    rows: Tracked<Row>,
    free: Tracked<u32>,
    serial: u64,
    last_class: Tracked<u32>,
    inputs: Inputs,
    panel: Panel,
    interval: Interval,
    statistics: Statistics,
    release: Option<Installed>,
    /// The row at hand without missing values, reused.
    completed: Vec<f64>,
}

impl Learner {
    /// A learner that has seen nothing.
    #[must_use]
    pub fn new(spec: LearnerSpec) -> Self {
        let d = spec.columns.len();
        let inputs = Inputs::new(
            spec.columns.iter().map(|column| column.categorical).collect(),
            spec.keys_max,
            spec.budget.small(),
        );
        let inputs = if spec.experts.forecasts() {
            inputs.with_series()
        } else {
            inputs
        };
        let (panel, statistics) = match spec.kind {
            LearnerKind::Regression => (
                Panel::Numbers(Regressor::new(&inputs, &spec)),
                Statistics::CoMoments(CoMoments::new(d)),
            ),
            LearnerKind::Classification => (
                Panel::Classes(Classifier::new(&inputs, &spec)),
                Statistics::Classes(ClassStatistics::new(d)),
            ),
        };
        Self {
            classes: Vec::new(),
            class_index: BTreeMap::new(),
            rows: Tracked::default(),
            free: Tracked::default(),
            serial: 0,
            last_class: Tracked::default(),
            inputs,
            panel,
            interval: Interval::new(spec.keys_max),
            statistics,
            release: None,
            completed: Vec::new(),
            spec,
        }
    }

    /// What it was made for.
    #[must_use]
    pub fn spec(&self) -> &LearnerSpec {
        &self.spec
    }

    /// Predicts a row and keeps it, with every expert's prediction, until `learn` or `discard`. Infinite features count
    /// as missing. A residual row without a base is served as a change against 0 and teaches nothing.
    ///
    /// # Errors
    /// `Limit` when `pending_max` rows are waiting, `BadNumbers` when the row has not as many features as columns.
    pub fn serve(&mut self, query: &Query) -> Result<Served> {
        if query.x.len() != self.spec.columns.len() {
            return Err(CoreError::BadNumbers);
        }
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.rows.len() < self.spec.pending_max && self.rows_bytes() < ROWS_BYTES_MAX => {
                self.rows.push(Row::default());
                u32::try_from(self.rows.len() - 1).map_err(|_| CoreError::Limit)?
            }
            None => return Err(CoreError::Limit),
        };
        self.serial += 1;
        let row = &mut self.rows[slot as usize];
        row.taken = true;
        row.key = query.key;
        row.base = if query.base.abs() <= VALUE_ABS_MAX {
            query.base
        } else {
            f64::NAN
        };
        row.x.clear();
        row.x
            .extend(query.x.iter().map(|&x| if x.is_finite() { x } else { f64::NAN }));
        row.panel.serial = self.serial;
        if self.inputs.serve(query.key, &row.x, &mut row.panel.inputs) {
            self.typed();
        }
        let row = &mut self.rows[slot as usize];
        match &mut self.panel {
            Panel::Numbers(panel) => {
                self.inputs.series_served(query.key, self.serial);
                let [labels, last, ..] = self.inputs.key_labels(query.key);
                row.panel.last = if labels > 0.0 { last } else { f64::NAN };
                let base = if self.spec.residual && row.base.is_finite() {
                    row.base
                } else {
                    0.0
                };
                row.baseline = if self.spec.residual || labels == 0.0 {
                    base
                } else {
                    last
                };
                let release = self.release.as_ref().map(|installed| &installed.model);
                panel.serve(query.key, &mut row.panel, &row.x, &self.inputs, release);
                let value = base + row.panel.served[0];
                let (low, high) = self.interval.around(query.key, value);
                Ok(Served {
                    slot,
                    value,
                    low,
                    high,
                    class: 0,
                    probability: 1.0,
                })
            }
            Panel::Classes(panel) => {
                let last = self
                    .last_class
                    .get(query.key as usize)
                    .copied()
                    .filter(|&last| last != u32::MAX);
                row.panel.last = last.map_or(f64::NAN, f64::from);
                row.baseline = last.map_or(0.0, f64::from);
                let release = self
                    .release
                    .as_ref()
                    .map(|installed| (&installed.model, &installed.classes[..]));
                panel.serve(&mut row.panel, &row.x, &self.inputs, release);
                let class = likeliest(&row.panel.served);
                let probability = row.panel.served[class];
                let (low, high) = Classifier::spread(&row.panel, class);
                Ok(Served {
                    slot,
                    value: probability,
                    low,
                    high,
                    class: class as u32,
                    probability,
                })
            }
        }
    }

    /// Bytes that the rows take, by the size of the first.
    fn rows_bytes(&self) -> usize {
        self.rows.first().map_or(0, |row| {
            let numbers = row.x.len() + row.panel.numbers();
            self.rows.len() * (ROW_OVERHEAD_BYTES + 8 * numbers)
        })
    }

    /// Scores the row in `slot` as it was served, learns its label with today's weights and frees the slot. A label that
    /// is not finite (or not the index of a known class) is scored as it is and teaches nothing.
    ///
    /// # Panics
    /// When the slot is not taken: a slot is the caller's to hand back once.
    pub fn learn(&mut self, slot: u32, label: f64) -> Score {
        let score = self.learn_and_keep(slot, label);
        self.settle(slot, label);
        score
    }

    /// The same, but the row stays in its slot until `settle`, and can be corrected.
    ///
    /// # Panics
    /// When the slot is not taken.
    pub fn learn_and_keep(&mut self, slot: u32, label: f64) -> Score {
        let score = self.score(slot, label);
        self.teach(slot, label, true);
        score
    }

    /// Another label takes the place of the one that the row in `slot` was taught: scores it, and teaches it as one more
    /// example, since what was learned in steps cannot be taken back. The statistics have not seen the row yet.
    ///
    /// # Panics
    /// When the slot is not taken.
    pub fn correct(&mut self, slot: u32, label: f64) -> Score {
        let score = self.score(slot, label);
        self.teach(slot, label, false);
        score
    }

    /// Teaches the panel a row; a `first` label is also the last one of its key.
    fn teach(&mut self, slot: u32, label: f64, first: bool) {
        let row = &mut self.rows[slot as usize];
        match &mut self.panel {
            Panel::Numbers(panel) => {
                let base = if self.spec.residual { row.base } else { 0.0 };
                if label.is_finite() && base.is_finite() {
                    let y = hold(label, -VALUE_ABS_MAX, VALUE_ABS_MAX) - base;
                    let delay = self.serial.saturating_sub(row.panel.serial) as f64;
                    let believed = panel.learn(row.key, &row.panel, &row.x, y, delay, &self.inputs);
                    if first {
                        self.inputs.series_arrived(row.key, row.panel.serial, believed);
                        self.inputs.arrived(row.key, &row.x, y);
                        self.interval.learn(row.key, y - row.panel.served[0]);
                    }
                }
            }
            Panel::Classes(panel) => {
                let class = label as usize;
                if class as f64 == label && class < self.classes.len() {
                    panel.learn(&mut row.panel, &row.x, class, &self.inputs);
                    let key = row.key as usize;
                    if first {
                        self.inputs
                            .arrived(row.key, &row.x, if class == 1 { 1.0 } else { -1.0 });
                    }
                    if first && key < self.spec.keys_max {
                        self.last_class.grow(key + 1, || u32::MAX);
                        self.last_class[key] = class as u32;
                    }
                }
            }
        }
        self.halve();
    }

    /// The row in `slot`, taught by `learn_and_keep`, enters the statistics with its label, and the slot is free.
    ///
    /// # Panics
    /// When the slot is not taken.
    pub fn settle(&mut self, slot: u32, label: f64) {
        let row = &self.rows[slot as usize];
        if self.inputs.complete(&row.x, &mut self.completed) {
            match &mut self.statistics {
                Statistics::CoMoments(moments) => {
                    let base = if self.spec.residual { row.base } else { 0.0 };
                    if label.is_finite() && base.is_finite() {
                        moments.push(&self.completed, hold(label, -VALUE_ABS_MAX, VALUE_ABS_MAX) - base);
                    }
                }
                Statistics::Classes(statistics) => {
                    let class = label as usize;
                    if class as f64 == label && class < self.classes.len() {
                        statistics.push(&self.completed, &self.classes[class]);
                    }
                }
            }
        }
        self.discard(slot);
    }

    fn halve(&mut self) {
        let kept = match &mut self.panel {
            Panel::Numbers(panel) => panel.halve(&self.inputs),
            Panel::Classes(panel) => panel.halve(&self.inputs),
        };
        self.keep(kept);
    }

    /// The world has changed: the panel trusts its past less.
    pub fn adapt(&mut self) {
        match &mut self.panel {
            Panel::Numbers(panel) => panel.adapt(),
            Panel::Classes(panel) => panel.adapt(),
        }
    }

    /// The error has risen: experts that remember keep what they know from being written over, or begin anew.
    pub fn changed(&mut self) {
        match &mut self.panel {
            Panel::Numbers(panel) => panel.changed(),
            Panel::Classes(panel) => panel.changed(),
        }
    }

    /// The columns have just been typed, by the row that is being served: experts on typed inputs begin.
    fn typed(&mut self) {
        let kept = match &mut self.panel {
            Panel::Numbers(panel) => {
                panel.typed(&self.inputs, self.serial - 1);
                panel.admit(&self.inputs)
            }
            Panel::Classes(panel) => {
                panel.typed(&self.inputs, self.serial - 1);
                panel.admit(&self.inputs)
            }
        };
        self.keep(kept);
    }

    /// Experts have gone: rows that wait forget what those said.
    fn keep(&mut self, kept: Option<Vec<bool>>) {
        if let Some(kept) = kept {
            for row in self.rows.iter_mut().filter(|row| row.taken) {
                row.panel.keep(&kept);
            }
        }
    }

    /// How the row in `slot` compares with a label, without learning.
    ///
    /// # Panics
    /// When the slot is not taken.
    #[must_use]
    pub fn score(&self, slot: u32, label: f64) -> Score {
        let row = &self.rows[slot as usize];
        assert!(row.taken, "a slot is scored while its row waits");
        match self.spec.kind {
            LearnerKind::Regression => {
                let base = if self.spec.residual && row.base.is_finite() {
                    row.base
                } else {
                    0.0
                };
                let value = base + row.panel.served[0];
                Score {
                    error: (label - value).abs(),
                    baseline_error: (label - row.baseline).abs(),
                }
            }
            LearnerKind::Classification => Score {
                error: f64::from(u8::from(likeliest(&row.panel.served) as f64 != label)),
                baseline_error: f64::from(u8::from(row.baseline != label)),
            },
        }
    }

    /// The probability with which `class` was served for the row in `slot`; for a class that was not known then, what
    /// was kept back for one.
    #[must_use]
    pub fn probability(&self, slot: u32, class: u32) -> f64 {
        let served = &self.rows[slot as usize].panel.served;
        served
            .get(class as usize)
            .copied()
            .unwrap_or_else(|| 1.0 - served.iter().sum::<f64>())
    }

    /// True while the row in `slot` waits for its label.
    #[must_use]
    pub fn waits(&self, slot: u32) -> bool {
        self.rows.get(slot as usize).is_some_and(|row| row.taken)
    }

    /// Frees a slot whose label never came.
    ///
    /// # Panics
    /// When the slot is not taken.
    pub fn discard(&mut self, slot: u32) {
        let row = &mut self.rows[slot as usize];
        assert!(row.taken, "a slot is handed back once");
        row.taken = false;
        self.free.push(slot);
    }

    /// The index of a class, made new when it is seen for the first time.
    ///
    /// # Errors
    /// `Limit` when it would be class `classes_max + 1`.
    pub fn intern_class(&mut self, label: &str) -> Result<u32> {
        if let Some(&class) = self.class_index.get(label) {
            return Ok(class);
        }
        if self.classes.len() >= self.spec.classes_max {
            return Err(CoreError::Limit);
        }
        let class = u32::try_from(self.classes.len()).map_err(|_| CoreError::Limit)?;
        self.classes.push(label.to_owned());
        self.class_index.insert(label.to_owned(), class);
        if let Some(installed) = &mut self.release {
            installed.meet(&self.class_index);
        }
        Ok(class)
    }

    /// The name of a class; empty for an index that was never made.
    #[must_use]
    pub fn class_name(&self, class: u32) -> &str {
        self.classes.get(class as usize).map_or("", String::as_str)
    }

    /// The index of a class; `None` for one that was never seen.
    #[must_use]
    pub fn class(&self, label: &str) -> Option<u32> {
        self.class_index.get(label).copied()
    }

    /// How many classes are known.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes.len()
    }

    /// Begins the statistics anew; the panel goes on as it is.
    pub fn forget_statistics(&mut self) {
        if let Panel::Classes(panel) = &mut self.panel {
            panel.forget_information();
        }
        let d = self.spec.columns.len();
        self.statistics = match self.spec.kind {
            LearnerKind::Regression => Statistics::CoMoments(CoMoments::new(d)),
            LearnerKind::Classification => Statistics::Classes(ClassStatistics::new(d)),
        };
    }

    /// What the gateway tells the fleet: the rows learned so far, features as served. A missing value stands at the mean of
    /// its column so far, which adds nothing to any deviation; rows that came before every column had a value are left
    /// out. The target of a residual learner is the change against the base.
    #[must_use]
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// The same with what the logistic experts have to tell.
    #[must_use]
    pub fn contribution(&self) -> Statistics {
        match (&self.statistics, &self.panel) {
            (Statistics::Classes(statistics), Panel::Classes(panel)) => {
                let index = |class: &Class| self.class_index.get(&class.label).map(|&class| class as usize);
                let classes: Vec<usize> = statistics.classes().iter().filter_map(index).collect();
                let [own, forked] = panel.logistic(&classes);
                Statistics::Classes(statistics.with_logistic(own, forked))
            }
            (statistics, _) => statistics.clone(),
        }
    }

    /// What a row takes by what the experts say, in nanoseconds.
    #[must_use]
    pub fn nominal_ns(&self) -> f64 {
        match &self.panel {
            Panel::Numbers(panel) => panel.nominal_ns(&self.inputs),
            Panel::Classes(panel) => panel.nominal_ns(&self.inputs),
        }
    }

    /// Who weighs most in the panel, since which label, of how many.
    #[must_use]
    pub fn leader(&self) -> (&str, u64, u64) {
        match &self.panel {
            Panel::Numbers(panel) => panel.leader(),
            Panel::Classes(panel) => panel.leader(),
        }
    }

    /// The panel, with today's weights.
    #[must_use]
    pub fn experts(&self) -> Vec<ExpertReport> {
        let mut lines = Vec::new();
        let line = |name: &str, weight: f64, labels: f64, error: f64| {
            lines.push(ExpertReport {
                name: name.to_owned(),
                weight,
                labels,
                error,
            });
        };
        match &self.panel {
            Panel::Numbers(panel) => panel.report(line),
            Panel::Classes(panel) => panel.report(line),
        }
        lines
    }
}

/// The first of the likeliest classes.
fn likeliest(served: &[f64]) -> usize {
    let mut best = 0;
    for (class, &probability) in served.iter().enumerate() {
        if probability > served[best] {
            best = class;
        }
    }
    best
}

#[cfg(test)]
mod input_laws;
#[cfg(test)]
mod label_laws;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod memory_laws;
