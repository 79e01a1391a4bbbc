//! One learner per task, shared by all keys of the task: it serves predictions, keeps every served row until its label
//! comes, scores what was served and learns from it with today's weights. It owns the slab of served rows, the names of
//! the classes and the counters behind the baselines; what is learned is the panel's business.
//!
//! Memory: at most `pending_max` rows of `ROW_OVERHEAD_BYTES` and the panel's row, `classes_max` names, and per key (at
//! most `keys_max`) the panel's key memory. Rows are allocated when first needed and then reused.

use std::collections::BTreeMap;

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::release::ReleaseModel;
use crate::statistics::{ClassStatistics, CoMoments, Statistics};

/// What is predicted: a number or one of several classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LearnerKind {
    /// A number.
    Regression,
    /// A class, by its index in order of first appearance.
    Classification,
}

/// One column of the feature vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in the schema.
    pub name: String,
    /// True when its numbers are indexes of categories, so that their size and order mean nothing.
    pub categorical: bool,
}

/// What a learner is made for; all that is not learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnerSpec {
    /// Number or class.
    pub kind: LearnerKind,
    /// The feature vector, in order.
    pub columns: Vec<Column>,
    /// True when the target is `label - base` (forecast, anomaly); regression only.
    pub residual: bool,
    /// Most classes it tells apart.
    pub classes_max: usize,
    /// Most rows waiting for their label.
    pub pending_max: usize,
    /// Most keys with a memory of their own; keys beyond it are served from what is shared.
    pub keys_max: usize,
}

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
    /// Mean loss of its served predictions: absolute error, or 0 or 1 for classes.
    pub error: f64,
}

#[derive(Clone, Default)]
struct Row {
    taken: bool,
    key: u32,
    base: f64,
    value: f64,
    class: u32,
    baseline: f64,
    x: Vec<f64>,
}

/// The learner of one task.
pub struct Learner {
    spec: LearnerSpec,
    classes: Vec<String>,
    class_index: BTreeMap<String, u32>,
    rows: Vec<Row>,
    free: Vec<u32>,
    last_label: Vec<f64>,
    statistics: Statistics,
    release: Option<([u8; 32], ReleaseModel)>,
    matured: u64,
    error_sum: f64,
}

impl Learner {
    /// A learner that has seen nothing.
    #[must_use]
    pub fn new(spec: LearnerSpec) -> Self {
        let d = spec.columns.len();
        let statistics = match spec.kind {
            LearnerKind::Regression => Statistics::CoMoments(CoMoments::new(d)),
            LearnerKind::Classification => Statistics::Classes(ClassStatistics::new(d)),
        };
        Self {
            spec,
            statistics,
            release: None,
            classes: Vec::new(),
            class_index: BTreeMap::new(),
            rows: Vec::new(),
            free: Vec::new(),
            last_label: Vec::new(),
            matured: 0,
            error_sum: 0.0,
        }
    }

    /// What it was made for.
    #[must_use]
    pub fn spec(&self) -> &LearnerSpec {
        &self.spec
    }

    /// Predicts a row and keeps it, with every expert's prediction, until `learn` or `discard`.
    ///
    /// # Errors
    /// `Limit` when `pending_max` rows are waiting, `BadNumbers` when the row has not as many features as columns.
    pub fn serve(&mut self, query: &Query) -> Result<Served> {
        if query.x.len() != self.spec.columns.len() {
            return Err(CoreError::BadNumbers);
        }
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.rows.len() < self.spec.pending_max => {
                self.rows.push(Row::default());
                u32::try_from(self.rows.len() - 1).map_err(|_| CoreError::Limit)?
            }
            None => return Err(CoreError::Limit),
        };
        let last = self.last_label.get(query.key as usize).copied().unwrap_or(0.0);
        let baseline = if self.spec.residual && query.base.is_finite() {
            query.base
        } else {
            last
        };
        let row = &mut self.rows[slot as usize];
        row.taken = true;
        row.key = query.key;
        row.base = query.base;
        row.baseline = baseline;
        row.x.clear();
        row.x.extend_from_slice(query.x);
        row.value = baseline;
        row.class = if self.spec.kind == LearnerKind::Classification {
            baseline as u32
        } else {
            0
        };
        let classes = self.spec.kind == LearnerKind::Classification;
        let probability = if classes {
            1.0 / (self.classes.len().max(2) as f64)
        } else {
            1.0
        };
        let value = if classes { probability } else { row.value };
        Ok(Served {
            slot,
            value,
            low: value,
            high: value,
            class: row.class,
            probability,
        })
    }

    /// Scores the row in `slot` as it was served, learns its label with today's weights and frees the slot. A label that
    /// is not finite (or not a known class index) frees the slot and teaches nothing.
    ///
    /// # Panics
    /// When the slot is not taken: a slot is the caller's to hand back once.
    pub fn learn(&mut self, slot: u32, label: f64) -> Score {
        let score = self.score(slot, label);
        let row = &mut self.rows[slot as usize];
        let key = row.key as usize;
        row.taken = false;
        self.free.push(slot);
        if label.is_finite() {
            let row = &self.rows[slot as usize];
            match &mut self.statistics {
                Statistics::CoMoments(moments) => {
                    let y = if self.spec.residual { label - row.base } else { label };
                    moments.push(&row.x, y);
                }
                Statistics::Classes(statistics) => {
                    if let Some(name) = self.classes.get(label as usize) {
                        statistics.push(&row.x, name);
                    }
                }
            }
            self.matured += 1;
            self.error_sum += score.error;
            if key < self.spec.keys_max {
                if self.last_label.len() <= key {
                    self.last_label.resize(key + 1, 0.0);
                }
                self.last_label[key] = label;
            }
        }
        score
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
            LearnerKind::Regression => Score {
                error: (label - row.value).abs(),
                baseline_error: (label - row.baseline).abs(),
            },
            LearnerKind::Classification => Score {
                error: f64::from(u8::from(f64::from(row.class) != label)),
                baseline_error: f64::from(u8::from(row.baseline != label)),
            },
        }
    }

    /// The probability with which `class` was served for the row in `slot`.
    #[must_use]
    pub fn probability(&self, _slot: u32, _class: u32) -> f64 {
        1.0 / (self.classes.len().max(2) as f64)
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
        Ok(class)
    }

    /// The name of a class; empty for an index that was never made.
    #[must_use]
    pub fn class_name(&self, class: u32) -> &str {
        self.classes.get(class as usize).map_or("", String::as_str)
    }

    /// How many classes are known.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes.len()
    }

    /// The panel, with today's weights.
    #[must_use]
    pub fn experts(&self) -> Vec<ExpertReport> {
        let error = if self.matured > 0 {
            self.error_sum / self.matured as f64
        } else {
            0.0
        };
        vec![ExpertReport {
            name: "last".to_owned(),
            weight: 1.0,
            error,
        }]
    }

    /// What the gateway tells the fleet: the rows learned so far that had no missing value, features as served. The
    /// target of a residual learner is the change against the base.
    #[must_use]
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Puts a global model into the panel as the expert `release`, in place of an earlier one.
    ///
    /// # Errors
    /// `SchemaMismatch` for a model of another kind or another number of features.
    pub fn install(&mut self, model: ReleaseModel, hash: [u8; 32]) -> Result<()> {
        let fits = match model {
            ReleaseModel::Ridge { .. } => self.spec.kind == LearnerKind::Regression,
            ReleaseModel::Lda { .. } => self.spec.kind == LearnerKind::Classification,
        };
        if !fits || model.d() != self.spec.columns.len() {
            return Err(CoreError::SchemaMismatch);
        }
        self.release = Some((hash, model));
        Ok(())
    }

    /// The hash of the installed release.
    #[must_use]
    pub fn release(&self) -> Option<[u8; 32]> {
        self.release.as_ref().map(|(hash, _)| *hash)
    }

    /// Writes the whole state in canonical form.
    pub fn save(&self, writer: &mut Writer) {
        save_spec(&self.spec, writer);
        writer.u32(self.classes.len() as u32);
        for name in &self.classes {
            writer.str(name);
        }
        writer.u32(self.rows.len() as u32);
        for row in &self.rows {
            writer.bool(row.taken);
            if row.taken {
                writer.u32(row.key);
                writer.f64(row.base);
                writer.f64(row.value);
                writer.u32(row.class);
                writer.f64(row.baseline);
                writer.f64s(&row.x);
            }
        }
        writer.u32(self.free.len() as u32);
        for &slot in &self.free {
            writer.u32(slot);
        }
        self.statistics.save(writer);
        writer.bool(self.release.is_some());
        if let Some((hash, model)) = &self.release {
            writer.raw(hash);
            let mut bytes = Writer::new();
            model.encode(&mut bytes);
            writer.bytes(bytes.as_slice());
        }
        writer.f64s(&self.last_label);
        writer.u64(self.matured);
        writer.f64(self.error_sum);
    }

    /// Reads what `save` wrote.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(reader: &mut Reader) -> Result<Self> {
        let mut learner = Self::new(load_spec(reader)?);
        for _ in 0..reader.count(4)? {
            learner.intern_class(reader.str()?)?;
        }
        for _ in 0..reader.count(1)? {
            let mut row = Row {
                taken: reader.bool()?,
                ..Row::default()
            };
            if row.taken {
                row.key = reader.u32()?;
                row.base = reader.f64()?;
                row.value = reader.f64()?;
                row.class = reader.u32()?;
                row.baseline = reader.f64()?;
                row.x = reader.f64s()?;
            }
            learner.rows.push(row);
        }
        for _ in 0..reader.count(4)? {
            learner.free.push(reader.u32()?);
        }
        learner.statistics = Statistics::load(reader)?;
        if reader.bool()? {
            let hash = reader.raw(32)?.try_into().map_err(|_| CoreError::Corrupt)?;
            learner.release = Some((hash, ReleaseModel::decode(reader.bytes()?)?));
        }
        learner.last_label = reader.f64s()?;
        learner.matured = reader.u64()?;
        learner.error_sum = reader.f64()?;
        Ok(learner)
    }
}

fn save_spec(spec: &LearnerSpec, writer: &mut Writer) {
    writer.bool(spec.kind == LearnerKind::Classification);
    writer.u32(spec.columns.len() as u32);
    for column in &spec.columns {
        writer.str(&column.name);
        writer.bool(column.categorical);
    }
    writer.bool(spec.residual);
    writer.u64(spec.classes_max as u64);
    writer.u64(spec.pending_max as u64);
    writer.u64(spec.keys_max as u64);
}

fn load_spec(reader: &mut Reader) -> Result<LearnerSpec> {
    let kind = if reader.bool()? {
        LearnerKind::Classification
    } else {
        LearnerKind::Regression
    };
    let mut columns = Vec::new();
    for _ in 0..reader.count(5)? {
        columns.push(Column {
            name: reader.str()?.to_owned(),
            categorical: reader.bool()?,
        });
    }
    Ok(LearnerSpec {
        kind,
        columns,
        residual: reader.bool()?,
        classes_max: limit(reader.u64()?)?,
        pending_max: limit(reader.u64()?)?,
        keys_max: limit(reader.u64()?)?,
    })
}

fn limit(value: u64) -> Result<usize> {
    usize::try_from(value).map_err(|_| CoreError::Corrupt)
}
