//! Prequential evaluation (`rivulet evaluate`): predict, score, then learn, row after row, by the learner that runs live.
//! Row j's label is learned after row j + `label_delay` was predicted; every row with a label is scored as served, the
//! first one too. A forecast's label is the target `horizon` rows later of the same key; its current value is a feature.
//!
//! Memory: the learner's, plus `label_delay` (or per key `horizon`) pending rows and `classes_max`² counts, the latter
//! only up to `CONFUSION_CLASSES_MAX` classes.

mod calibration;
mod report;
mod tally;
mod watch;

use std::collections::VecDeque;

use crate::codec::{Reader, Writer};
pub use crate::drift::DriftSpec;
use crate::error::{CoreError, Result};
use crate::learner::{Column, Learner, LearnerKind, LearnerSpec, Query};
use crate::panel::budget::Budget;
use crate::panel::choice::Choice;
use crate::panel::experts::anchors::Memory;
use tally::{Answer, Tally};
use watch::Watch;

/// Classes up to which the confusion matrix is kept and printed (kappa needs it too).
pub const CONFUSION_CLASSES_MAX: usize = 64;

/// Keys that can be evaluated together: each has a queue of rows and a memory in the learner.
const KEYS_MAX: usize = 4096;

/// Most rows that may wait for their label: a label delay or a horizon over all keys. A row waits with its inputs
/// (about 1 KiB), so this keeps an evaluation within some 128 MiB.
const PENDING_MAX: usize = 131_072;

/// Longest label delay or horizon, in rows.
const DELAY_MAX: usize = 65_536;

/// What is evaluated (FORMATS §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvaluationKind {
    /// The target of the row itself, a number.
    Regression,
    /// The class of the row itself.
    Classification,
    /// The target some rows later.
    Forecast,
}

/// The evaluation plan, parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluationSpec {
    /// What is predicted.
    pub kind: EvaluationKind,
    /// The features, in the order of the file, without the target.
    pub columns: Vec<Column>,
    /// Name of the target.
    pub target: String,
    /// Rows from a row to its label; forecast only.
    pub horizon: usize,
    /// Rows by which labels come late.
    pub label_delay: usize,
    /// Most classes.
    pub classes_max: usize,
    /// What watches the error for drift, if anything does.
    pub drift: Option<DriftSpec>,
    /// What the panel may cost.
    pub budget: Budget,
    /// The experts the panel begins with.
    pub experts: Choice,
}

/// A running evaluation.
pub struct Evaluation {
    spec: EvaluationSpec,
    learner: Learner,
    waiting: VecDeque<Waiting>,
    ahead: Vec<VecDeque<Ahead>>,
    current: Vec<f64>,
    tally: Tally,
    watch: Option<Watch>,
    x: Vec<f64>,
}

struct Waiting {
    slot: u32,
    label: f64,
}

struct Ahead {
    slot: u32,
    due: u64,
    interval: (f64, f64),
}

impl Evaluation {
    /// An evaluation that has seen no row.
    ///
    /// # Errors
    /// `BadPlan` for a horizon of 0 in a forecast, `Limit` for a delay or horizon beyond the bounds.
    pub fn new(spec: EvaluationSpec) -> Result<Self> {
        if spec.kind == EvaluationKind::Forecast && spec.horizon == 0 {
            return Err(CoreError::BadPlan);
        }
        if spec.horizon > DELAY_MAX || spec.label_delay > DELAY_MAX {
            return Err(CoreError::Limit);
        }
        let mut columns = spec.columns.clone();
        if spec.kind == EvaluationKind::Forecast {
            columns.push(Column {
                name: spec.target.clone(),
                categorical: false,
            });
        }
        let learner = Learner::new(LearnerSpec {
            kind: match spec.kind {
                EvaluationKind::Classification => LearnerKind::Classification,
                EvaluationKind::Regression | EvaluationKind::Forecast => LearnerKind::Regression,
            },
            columns,
            residual: spec.kind == EvaluationKind::Forecast,
            classes_max: spec.classes_max,
            pending_max: PENDING_MAX,
            keys_max: KEYS_MAX,
            budget: spec.budget,
            memory: Memory::default(),
            experts: spec.experts,
        });
        Ok(Self {
            watch: spec.drift.map(Watch::new),
            spec,
            learner,
            waiting: VecDeque::new(),
            ahead: Vec::new(),
            current: Vec::new(),
            tally: Tally::default(),
            x: Vec::new(),
        })
    }

    /// Evaluates rows in the format of FORMATS §3.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt` bytes, `Limit` for too many keys, classes or waiting rows.
    pub fn rows(&mut self, bytes: &[u8]) -> Result<()> {
        let mut reader = Reader::new(bytes);
        let rows = reader.u32()?;
        let columns = reader.u32()? as usize;
        if columns != self.spec.columns.len() {
            return Err(CoreError::Corrupt);
        }
        for _ in 0..rows {
            let key = reader.u32()?;
            let target = reader.f64()?;
            let mut x = std::mem::take(&mut self.x);
            x.clear();
            for _ in 0..columns {
                x.push(finite_or_missing(reader.f64()?));
            }
            let outcome = self.row(key, finite_or_missing(target), &mut x);
            self.x = x;
            outcome?;
        }
        reader.finish()
    }

    fn row(&mut self, key: u32, target: f64, x: &mut Vec<f64>) -> Result<()> {
        self.tally.rows += 1;
        if key as usize >= KEYS_MAX {
            return Err(CoreError::Limit);
        }
        match self.spec.kind {
            EvaluationKind::Forecast => self.forecast_row(key, target, x),
            EvaluationKind::Regression | EvaluationKind::Classification => self.labelled_row(key, target, x),
        }
    }

    fn labelled_row(&mut self, key: u32, target: f64, x: &[f64]) -> Result<()> {
        let served = self.learner.serve(&Query { key, x, base: f64::NAN })?;
        if target.is_nan() {
            self.learner.discard(served.slot);
        } else {
            if self.spec.kind == EvaluationKind::Classification {
                self.known_class(target)?;
            }
            let answer = if self.spec.kind == EvaluationKind::Classification {
                Answer::Class {
                    truth: target as usize,
                    served: served.class as usize,
                    confidence: served.probability,
                    probability: self.learner.probability(served.slot, target as u32),
                }
            } else {
                Answer::Number {
                    label: target,
                    interval: (served.low, served.high),
                }
            };
            self.tally.add(self.learner.score(served.slot, target), answer);
            self.waiting.push_back(Waiting {
                slot: served.slot,
                label: target,
            });
        }
        self.learn_arrived();
        Ok(())
    }

    /// Makes the class of a row known, and those before it: the caller numbers classes as it likes, so the first one to
    /// appear need not be class 0.
    fn known_class(&mut self, target: f64) -> Result<()> {
        let index = target as usize;
        if target < 0.0 || index as f64 != target {
            return Err(CoreError::Corrupt);
        }
        if index >= self.spec.classes_max {
            return Err(CoreError::Limit);
        }
        for class in self.learner.classes()..=index {
            self.learner.intern_class(&class.to_string())?;
        }
        Ok(())
    }

    fn learn_arrived(&mut self) {
        while self.waiting.len() > self.spec.label_delay {
            if let Some(Waiting { slot, label }) = self.waiting.pop_front() {
                let score = self.learner.learn(slot, label);
                self.tally.matured += 1;
                if let Some(watch) = &mut self.watch {
                    watch.learned(score.error, self.tally.scored);
                }
            }
        }
    }

    fn forecast_row(&mut self, key: u32, target: f64, x: &mut Vec<f64>) -> Result<()> {
        let k = key as usize;
        while self.ahead.len() <= k {
            self.ahead.push(VecDeque::new());
            self.current.push(f64::NAN);
            self.tally.per_key_rows.push(0);
        }
        let at = self.tally.per_key_rows[k];
        self.tally.per_key_rows[k] += 1;
        if self.ahead[k].front().is_some_and(|ahead| ahead.due == at)
            && let Some(Ahead { slot, interval, .. }) = self.ahead[k].pop_front()
        {
            if target.is_nan() {
                self.learner.discard(slot);
            } else {
                let answer = Answer::Number {
                    label: target,
                    interval,
                };
                self.tally.add(self.learner.score(slot, target), answer);
                self.waiting.push_back(Waiting { slot, label: target });
            }
        }
        self.learn_arrived();
        if target.is_finite() {
            self.current[k] = target;
        }
        let base = self.current[k];
        if base.is_finite() {
            x.push(base);
            let served = self.learner.serve(&Query { key, x, base })?;
            self.ahead[k].push_back(Ahead {
                slot: served.slot,
                due: at + self.spec.horizon as u64,
                interval: (served.low, served.high),
            });
        }
        Ok(())
    }

    /// Writes the learner and the tally in canonical form: the digest of an evaluation is the hash of it.
    pub fn save(&self, writer: &mut Writer) {
        self.learner.save(writer);
        self.tally.save(writer);
        writer.u32(self.waiting.len() as u32);
        for waiting in &self.waiting {
            writer.u32(waiting.slot);
            writer.f64(waiting.label);
        }
    }
}

/// Infinities are treated as missing, so that nothing behind this door meets one.
fn finite_or_missing(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_near_the_largest_double_leave_a_report_that_is_json() {
        let columns = vec![Column {
            name: "x".into(),
            categorical: false,
        }];
        let mut evaluation = Evaluation::new(EvaluationSpec {
            kind: EvaluationKind::Regression,
            columns,
            target: "y".into(),
            horizon: 0,
            label_delay: 0,
            classes_max: 2,
            drift: None,
            budget: Budget::default(),
            experts: Choice::default(),
        })
        .expect("the plan is valid");
        let mut rows = Writer::new();
        rows.u32(4);
        rows.u32(1);
        for value in [1e308, -1e308, 1e308, -1e308] {
            rows.u32(0);
            rows.f64(value);
            rows.f64(value);
        }
        evaluation.rows(rows.as_slice()).expect("the rows are well-formed");
        let report = evaluation.report();
        assert!(crate::json::parse(report.as_bytes()).is_ok(), "{report}");
    }
}
