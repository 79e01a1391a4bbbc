//! One thing to predict: serve a prediction when one is due, keep it pending with the features as served, join the label
//! when it comes, score and learn. What a prediction waits for is the task's kind: a later reading of its own target
//! (forecast, anomaly) or a message on a label topic (regression, classification).
//!
//! `predictions = matured + expired + pending`, always. A forecast or anomaly that finds its key's pending places taken is
//! served and expires at once (drop newest: the ones before it are nearer to their label); where labels come from a topic
//! the oldest expires (drop oldest: its label is the least likely to come).

use std::collections::VecDeque;

use sha2::{Digest, Sha256};

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::features::{Features, Gathering, target_field};
use crate::json;
use crate::learner::{Column, Learner, LearnerKind, LearnerSpec, Query, Score};
use crate::names::NONE;
use crate::output::{Alarm, Outcome, Outputs, Prediction, ServedVector};
use crate::parts::Tracked;
use crate::plan::{Plan, TaskKind, TaskPlan};
use crate::release::{Release, ReleaseModel};
use crate::series::Table;
use crate::statistics::Statistics;

/// Rows of one task that may wait for their label, over all keys: each holds its inputs, about a kilobyte.
const PENDING_MAX: usize = 65_536;
/// Errors of a key before its alarms count.
const WARM_UP: u32 = 30;
/// Slowest rate at which the scale of errors follows: it forgets in some hundred readings.
const SCALE_RATE_MIN: f64 = 0.01;
/// An error counts towards the scale up to so many scales: outliers must not raise what tells them.
const SCALE_CLIP: f64 = 3.0;
/// Mean distance times this is the standard deviation of a normal distribution, sqrt(pi / 2).
const DEVIATIONS: f64 = 1.253_314_137_315_500_3;

/// A prediction that waits for its label.
#[derive(Clone, Debug, PartialEq)]
struct Pending {
    /// The learner's slot.
    slot: u32,
    /// Event time it was made at.
    at_ms: f64,
    /// What was predicted.
    value: f64,
}

/// What a task knows of one key.
#[derive(Clone, Debug, PartialEq)]
struct KeyState {
    /// Event time of the last prediction; -infinity before the first.
    served_ms: f64,
    /// By `at_ms`, earliest first.
    pending: VecDeque<Pending>,
    /// Values at past predictions, for lags.
    past: Vec<f64>,
    /// Running mean of the clipped absolute errors (anomaly).
    scale: f64,
    /// Errors in it.
    errors: u32,
    /// Names all vectors served so far.
    served: Served,
}

/// Bytes of the hash that names what was served.
const SERVED_HASH_BYTES: usize = 16;

/// The vectors served for a key: how many, and a hash over all of them, so that whoever rebuilds them can prove that they
/// are those.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Served {
    /// Vectors.
    pub count: u64,
    /// The first bytes of the SHA-256 of the hash before, the offset of the message, the event time and the features.
    pub hash: [u8; SERVED_HASH_BYTES],
}

impl Served {
    fn add(&mut self, offset: u64, at_ms: f64, x: &[f64], bytes: &mut Writer) {
        bytes.clear();
        bytes.raw(&self.hash);
        bytes.u64(offset);
        bytes.f64(at_ms);
        for &value in x {
            bytes.f64(value);
        }
        let hash = Sha256::digest(bytes.as_slice());
        self.hash.copy_from_slice(&hash[..SERVED_HASH_BYTES]);
        self.count += 1;
    }
}

impl Default for KeyState {
    fn default() -> Self {
        Self {
            served_ms: f64::NEG_INFINITY,
            pending: VecDeque::new(),
            past: Vec::new(),
            scale: 0.0,
            errors: 0,
            served: Served::default(),
        }
    }
}

/// What a task has done so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Predictions served.
    pub predictions: u64,
    /// Predictions whose label came.
    pub matured: u64,
    /// Predictions whose label did not come in time.
    pub expired: u64,
    /// Labels without a prediction.
    pub unmatched: u64,
    /// Alarms.
    pub alarms: u64,
    /// Predictions due that were not served: too many were waiting over all keys.
    pub unserved: u64,
    /// Releases that joined the panel.
    pub releases: u64,
    /// Sum of errors of matured predictions.
    pub error_sum: f64,
    /// The same for the last value or class.
    pub baseline_sum: f64,
}

/// What is learned once the features are known.
struct Learning {
    features: Features,
    learner: Learner,
    /// Canonical JSON of the schema, and its hash.
    schema: Vec<u8>,
    schema_hash: [u8; 32],
    /// Per feature the predictions that were served without it.
    missing: Vec<u64>,
}

/// A label as it came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Label<'a> {
    /// Of a regression.
    Number(f64),
    /// Of a classification.
    Class(&'a str),
}

/// A task and its state.
pub struct Task {
    definition: TaskPlan,
    /// Index of the target's field; `NONE` without target.
    target: u32,
    learning: Option<Learning>,
    /// Used until the features are known.
    gathering: Gathering,
    keys: Tracked<KeyState>,
    pending: u64,
    counts: Counts,
    /// Reused from prediction to prediction.
    x: Vec<f64>,
    bytes: Writer,
}

/// Where the stream stands when a task is asked to act.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Keys and series.
    pub table: &'a Table,
    /// Index of the task in the plan.
    pub task: usize,
    /// The key.
    pub key: u32,
    /// Event time of the message.
    pub time_ms: f64,
}

impl Task {
    /// A task that has seen nothing.
    #[must_use]
    pub fn new(definition: &TaskPlan, plan: &Plan, table: &mut Table) -> Self {
        let mut task = Self {
            definition: definition.clone(),
            target: target_field(definition, plan, &mut table.field_names),
            learning: None,
            gathering: Gathering::default(),
            keys: Tracked::default(),
            pending: 0,
            counts: Counts::default(),
            x: Vec::new(),
            bytes: Writer::new(),
        };
        if !definition.features.is_empty() {
            task.begin(definition.features.clone(), plan, table);
        }
        task
    }

    /// What it is to predict.
    #[must_use]
    pub fn definition(&self) -> &TaskPlan {
        &self.definition
    }

    /// What it has done so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Predictions that wait for their label.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.pending
    }

    /// Index of the target's field; `NONE` without target.
    #[must_use]
    pub fn target(&self) -> u32 {
        self.target
    }

    /// Names of the features; empty until they are known.
    #[must_use]
    pub fn features(&self) -> &[String] {
        self.learning.as_ref().map_or(&[], |learning| learning.features.names())
    }

    /// Per feature the predictions that were served without it; empty until the features are known.
    #[must_use]
    pub fn missing(&self) -> &[u64] {
        self.learning.as_ref().map_or(&[], |learning| &learning.missing)
    }

    /// Canonical JSON of the schema and its hash, once the features are known.
    #[must_use]
    pub fn schema(&self) -> Option<(&[u8], &[u8; 32])> {
        self.learning
            .as_ref()
            .map(|learning| (learning.schema.as_slice(), &learning.schema_hash))
    }

    /// The learner, once the features are known.
    #[must_use]
    pub fn learner(&self) -> Option<&Learner> {
        self.learning.as_ref().map(|learning| &learning.learner)
    }

    /// What it tells the fleet, once the features are known.
    #[must_use]
    pub fn statistics(&self) -> Option<&Statistics> {
        self.learner().map(Learner::statistics)
    }

    /// What was served per key, by the index of the key.
    pub fn served(&self) -> impl ExactSizeIterator<Item = Served> {
        self.keys.iter().map(|key| key.served)
    }

    /// Freezes the automatic features when that is due, at a row of so many `readings`; `used` counts the messages used so
    /// far.
    pub fn freeze(&mut self, plan: &Plan, table: &mut Table, readings: usize, used: u64) {
        let task = (&self.definition, self.target);
        if self.learning.is_none()
            && let Some(names) = self.gathering.look(task, plan, table, readings, used)
        {
            self.begin(names, plan, table);
        }
    }

    fn begin(&mut self, names: Vec<String>, plan: &Plan, table: &mut Table) {
        let columns = names.iter().map(|name| Column {
            name: name.clone(),
            categorical: false,
        });
        let kind = self.definition.kind;
        let learner = Learner::new(LearnerSpec {
            kind: if kind == TaskKind::Classification {
                LearnerKind::Classification
            } else {
                LearnerKind::Regression
            },
            columns: columns.collect(),
            residual: matches!(kind, TaskKind::Forecast | TaskKind::Anomaly),
            classes_max: plan.limits.classes,
            pending_max: PENDING_MAX,
            keys_max: plan.limits.keys,
            budget: self.definition.budget,
        });
        self.learning = Some(Learning::new(&self.definition, names, learner, plan, table));
        self.gathering = Gathering::default();
    }

    /// A reading of the task's own target (forecast, anomaly): first the label of what waits for it, then a prediction.
    pub fn target_reading(&mut self, moment: &Moment, value: f64, outputs: &mut Outputs) {
        if self.learning.is_none() {
            return;
        }
        match self.definition.kind {
            TaskKind::Forecast => self.mature_forecasts(moment, value, outputs),
            TaskKind::Anomaly => self.mature_step(moment, value, outputs),
            TaskKind::Regression | TaskKind::Classification => return,
        }
        self.predict_if_due(moment, value, outputs);
    }

    /// A message of a key (regression, classification): a prediction when it is due.
    pub fn message(&mut self, moment: &Moment, outputs: &mut Outputs) {
        if self.learning.is_none() || self.definition.label.is_none() {
            return;
        }
        self.expire_before(
            moment.key,
            moment.time_ms - self.definition.wait_ms,
            moment.task,
            outputs,
        );
        self.predict_if_due(moment, f64::NAN, outputs);
    }

    /// A label for a key, for the time it gives or else for the latest prediction; `newest_ms` is the key's event time.
    /// The key is `None` for one that never had a reading; `task` is the task's index in the plan.
    ///
    /// # Errors
    /// `Limit` for a class over the limit.
    pub fn label(
        &mut self,
        (key, newest_ms): (Option<u32>, f64),
        time_ms: Option<f64>,
        label: Label,
        task: usize,
        outputs: &mut Outputs,
    ) -> Result<()> {
        if let (Some(key), None) = (key, &self.learning) {
            self.gathering.label(key);
        }
        let Some(key) = key.filter(|&key| (key as usize) < self.keys.len()) else {
            self.counts.unmatched += 1;
            return Ok(());
        };
        self.expire_before(key, newest_ms - self.definition.wait_ms, task, outputs);
        let pending = &self.keys[key as usize].pending;
        let behind = time_ms.map_or(pending.len(), |time| {
            pending.partition_point(|entry| entry.at_ms <= time)
        });
        let tolerance_ms = self.definition.tolerance_ms;
        let near = |entry: &Pending| time_ms.is_none_or(|time| time - entry.at_ms <= tolerance_ms);
        let found = behind.checked_sub(1).filter(|&at| near(&pending[at]));
        let (Some(at), Some(learning)) = (found, &mut self.learning) else {
            self.counts.unmatched += 1;
            return Ok(());
        };
        let (number, outcome) = match label {
            Label::Number(number) => (number, Outcome::Number(number)),
            Label::Class(name) => (f64::from(learning.learner.intern_class(name)?), Outcome::Class(name)),
        };
        let entry = self.keys[key as usize].pending.remove(at).expect("found above");
        outputs.outcome(task, entry.slot, outcome);
        self.mature(entry.slot, number);
        Ok(())
    }

    /// Takes a release into the panel if it is for this task's schema.
    pub fn install(&mut self, release: &Release) -> bool {
        let Some(learning) = &mut self.learning else {
            return false;
        };
        if release.schema_hash != learning.schema_hash {
            return false;
        }
        let installed =
            ReleaseModel::decode(release.model).and_then(|model| learning.learner.install(model, release.descent()));
        self.counts.releases += u64::from(installed.is_ok());
        installed.is_ok()
    }

    /// Follows a change of plan in which this task's definition stays as it is. What its names refer to may have changed:
    /// then what it tells the fleet begins anew, under another schema.
    pub fn change(&mut self, plan: &Plan, table: &mut Table) {
        if let Some(learning) = &mut self.learning {
            let names = learning.features.names().to_vec();
            let schema = schema(&self.definition, &names, &Features::definitions(&names, plan)).into_bytes();
            if schema != learning.schema {
                learning.learner.forget_statistics();
                learning.schema_hash = Sha256::digest(&schema).into();
                learning.schema = schema;
            }
            learning.features = Features::resolve(names, plan, &mut table.field_names);
        }
    }

    fn mature(&mut self, slot: u32, label: f64) -> Score {
        let learning = self.learning.as_mut().expect("nothing was served without");
        let score = learning.learner.learn(slot, label);
        self.pending -= 1;
        self.counts.matured += 1;
        self.counts.error_sum += score.error;
        self.counts.baseline_sum += score.baseline_error;
        score
    }

    fn expire(&mut self, slot: u32, task: usize, outputs: &mut Outputs) {
        outputs.outcome(task, slot, Outcome::Expired);
        self.learning
            .as_mut()
            .expect("nothing was served without")
            .learner
            .discard(slot);
        self.pending -= 1;
        self.counts.expired += 1;
    }

    /// Expires what was predicted for `key` before `time_ms`.
    fn expire_before(&mut self, key: u32, time_ms: f64, task: usize, outputs: &mut Outputs) {
        while let Some(state) = self.keys.get_mut(key as usize)
            && let Some(entry) = state.pending.front()
            && entry.at_ms < time_ms
        {
            let slot = entry.slot;
            state.pending.pop_front();
            self.expire(slot, task, outputs);
        }
    }

    /// The label of a forecast is the first reading at or after its horizon, if it is not later than the tolerance.
    fn mature_forecasts(&mut self, moment: &Moment, value: f64, outputs: &mut Outputs) {
        while let Some(state) = self.keys.get_mut(moment.key as usize)
            && let Some(entry) = state.pending.front()
            && entry.at_ms + self.definition.horizon_ms <= moment.time_ms
        {
            let late_ms = moment.time_ms - (entry.at_ms + self.definition.horizon_ms);
            let slot = entry.slot;
            state.pending.pop_front();
            if late_ms <= self.definition.tolerance_ms {
                outputs.outcome(moment.task, slot, Outcome::Number(value));
                self.mature(slot, value);
            } else {
                self.expire(slot, moment.task, outputs);
            }
        }
    }

    /// The label of an anomaly's prediction is the next reading; an alarm is a distance far over the usual one.
    fn mature_step(&mut self, moment: &Moment, value: f64, outputs: &mut Outputs) {
        let Some(state) = self.keys.get_mut(moment.key as usize) else {
            return;
        };
        if state.pending.front().is_none_or(|entry| entry.at_ms > moment.time_ms) {
            return;
        }
        let entry = state.pending.pop_front().expect("seen above");
        let distance = (value - entry.value).abs();
        // Rounding is no deviation: a constant series has a scale of its own size's last bits.
        let least = 1e-9 * value.abs() + f64::MIN_POSITIVE;
        let scale = if state.scale > least { state.scale } else { least };
        let clipped = if distance < SCALE_CLIP * scale || state.errors == 0 {
            distance
        } else {
            SCALE_CLIP * scale
        };
        let warm = state.errors >= WARM_UP;
        state.errors = state.errors.saturating_add(1);
        let rate = (1.0 / f64::from(state.errors)).max(SCALE_RATE_MIN);
        state.scale += rate * (clipped - state.scale);
        let score = distance / (DEVIATIONS * scale);
        outputs.outcome(moment.task, entry.slot, Outcome::Number(value));
        self.mature(entry.slot, value);
        if warm && score >= self.definition.threshold {
            self.counts.alarms += 1;
            outputs.alarm(&Alarm {
                task: moment.task,
                key: moment.table.key_names.name(moment.key),
                at_ms: moment.time_ms,
                value,
                expected: entry.value,
                score,
            });
        }
    }

    fn predict_if_due(&mut self, moment: &Moment, base: f64, outputs: &mut Outputs) {
        let index = moment.key as usize;
        self.keys.grow(index + 1, KeyState::default);
        let state = &mut self.keys[index];
        let kind = self.definition.kind;
        // One step ahead means one step: what an out-of-order reading left waiting must find its label first.
        let waiting_step = kind == TaskKind::Anomaly && !state.pending.is_empty();
        if moment.time_ms < state.served_ms + self.definition.every_ms
            || moment.time_ms < state.served_ms
            || waiting_step
        {
            return;
        }
        let learning = self.learning.as_mut().expect("callers return without");
        learning.features.fill(
            moment.plan,
            moment.table,
            moment.key,
            moment.time_ms,
            &state.past,
            &mut self.x,
        );
        let Ok(served) = learning.learner.serve(&Query {
            key: moment.key,
            x: &self.x,
            base,
        }) else {
            self.counts.unserved += 1;
            return;
        };
        state
            .served
            .add(outputs.offset(), moment.time_ms, &self.x, &mut self.bytes);
        outputs.served(&ServedVector {
            task: moment.task,
            key: moment.table.key_names.name(moment.key),
            at_ms: moment.time_ms,
            slot: served.slot,
            x: &self.x,
        });
        for (count, value) in learning.missing.iter_mut().zip(&self.x) {
            *count += u64::from(value.is_nan());
        }
        learning.features.remember(moment.table, moment.key, &mut state.past);
        state.served_ms = moment.time_ms;
        let full = state.pending.len() >= moment.plan.limits.pending_per_key;
        let oldest = if full && self.definition.label.is_some() {
            state.pending.pop_front()
        } else {
            None
        };
        if !full || oldest.is_some() {
            state.pending.push_back(Pending {
                slot: served.slot,
                at_ms: moment.time_ms,
                value: served.value,
            });
        }
        self.pending += 1;
        self.counts.predictions += 1;
        if full {
            self.expire(oldest.map_or(served.slot, |entry| entry.slot), moment.task, outputs);
        }
        if kind == TaskKind::Anomaly {
            return; // only what is unusual is put out
        }
        let learner = &self.learning.as_ref().expect("served above").learner;
        let (error, error_last_value) = self.counts.mean_errors();
        outputs.prediction(&Prediction {
            task: moment.task,
            key: moment.table.key_names.name(moment.key),
            at_ms: moment.time_ms,
            horizon_ms: self.definition.horizon_ms,
            value: served.value,
            low: served.low,
            high: served.high,
            error,
            error_last_value,
            class: if kind == TaskKind::Classification {
                learner.class_name(served.class)
            } else {
                ""
            },
            release: learner.release(),
        });
    }

    /// Appends the state; the plan says what the task is.
    pub fn save(&self, writer: &mut Writer) {
        for count in [
            self.counts.predictions,
            self.counts.matured,
            self.counts.expired,
            self.counts.unmatched,
            self.counts.alarms,
            self.counts.unserved,
            self.counts.releases,
        ] {
            writer.u64(count);
        }
        writer.f64(self.counts.error_sum);
        writer.f64(self.counts.baseline_sum);
        writer.bool(self.learning.is_some());
        let Some(learning) = &self.learning else {
            self.gathering.save(writer);
            return;
        };
        writer.u32(u32::try_from(learning.features.names().len()).expect("at most FEATURES_MAX"));
        for name in learning.features.names() {
            writer.str(name);
        }
        for &count in &learning.missing {
            writer.u64(count);
        }
        learning.learner.save(writer);
        writer.u32(u32::try_from(self.keys.len()).expect("indexes are u32"));
        self.keys.save(6, writer, |key, writer| {
            writer.f64(key.served_ms);
            writer.f64s(&key.past);
            writer.f64(key.scale);
            writer.u32(key.errors);
            writer.u64(key.served.count);
            writer.raw(&key.served.hash);
            writer.u32(u32::try_from(key.pending.len()).expect("at most pending_per_key"));
            for entry in &key.pending {
                writer.u32(entry.slot);
                writer.f64(entry.at_ms);
                writer.f64(entry.value);
            }
        });
    }

    /// Takes what `save` wrote under the same plan. `version` is that of the state, `used` counts the messages used
    /// then.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(
        definition: &TaskPlan,
        plan: &Plan,
        table: &mut Table,
        (version, used): (u16, u64),
        reader: &mut Reader,
    ) -> Result<Self> {
        let mut task = Self {
            definition: definition.clone(),
            target: target_field(definition, plan, &mut table.field_names),
            learning: None,
            gathering: Gathering::default(),
            keys: Tracked::default(),
            pending: 0,
            counts: Counts::load(reader)?,
            x: Vec::new(),
            bytes: Writer::new(),
        };
        if !reader.bool()? {
            if version >= 3 {
                task.gathering = Gathering::load(table.keys.len(), used, reader)?;
            }
            return Ok(task);
        }
        let count = reader.count(4)?;
        let names = (0..count)
            .map(|_| reader.str().map(String::from))
            .collect::<Result<Vec<_>>>()?;
        let missing = names
            .iter()
            .map(|_| if version >= 3 { reader.u64() } else { Ok(0) })
            .collect::<Result<Vec<_>>>()?;
        let learner = Learner::load(reader)?;
        let as_served = learner.spec().columns.iter().map(|column| column.name.as_str());
        if !as_served.eq(names.iter().map(String::as_str)) {
            return Err(CoreError::Corrupt);
        }
        let mut learning = Learning::new(definition, names, learner, plan, table);
        learning.missing = missing;
        let past_length = learning.features.past_length();
        for _ in 0..reader.count(28)? {
            let (served_ms, past, scale, errors) = (reader.f64()?, reader.f64s()?, reader.f64()?, reader.u32()?);
            let mut vectors = Served::default();
            if version >= 6 {
                vectors.count = reader.u64()?;
                vectors.hash.copy_from_slice(reader.raw(SERVED_HASH_BYTES)?);
            }
            let count = reader.count(20)?;
            let pending = (0..count).map(|_| {
                let (slot, at_ms, value) = (reader.u32()?, reader.f64()?, reader.f64()?);
                Ok(Pending { slot, at_ms, value })
            });
            let pending: VecDeque<Pending> = pending.collect::<Result<_>>()?;
            task.pending += pending.len() as u64;
            let ordered = pending
                .iter()
                .zip(pending.iter().skip(1))
                .all(|(a, b)| a.at_ms <= b.at_ms);
            if !ordered || served_ms.is_nan() || !(past.is_empty() || past.len() == past_length) {
                return Err(CoreError::Corrupt);
            }
            task.keys.push(KeyState {
                served_ms,
                pending,
                past,
                scale,
                errors,
                served: vectors,
            });
        }
        task.learning = Some(learning);
        let slots = task.keys.iter().flat_map(|key| &key.pending).map(|entry| entry.slot);
        task.check_slots(slots.collect())?;
        let counts = &task.counts;
        let settled = counts
            .matured
            .checked_add(counts.expired)
            .and_then(|sum| sum.checked_add(task.pending));
        if settled == Some(counts.predictions) {
            Ok(task)
        } else {
            Err(CoreError::Corrupt)
        }
    }

    /// Each pending prediction has a slot of its own that the learner knows.
    fn check_slots(&self, mut slots: Vec<u32>) -> Result<()> {
        slots.sort_unstable();
        let distinct = slots.windows(2).all(|pair| pair[0] != pair[1]);
        let waiting = |learner: &Learner| slots.iter().all(|&slot| learner.waits(slot));
        if distinct && self.learner().is_none_or(waiting) {
            Ok(())
        } else {
            Err(CoreError::Corrupt)
        }
    }
}

impl Learning {
    fn new(definition: &TaskPlan, names: Vec<String>, learner: Learner, plan: &Plan, table: &mut Table) -> Self {
        let schema = schema(definition, &names, &Features::definitions(&names, plan)).into_bytes();
        Self {
            missing: vec![0; names.len()],
            features: Features::resolve(names, plan, &mut table.field_names),
            learner,
            schema_hash: Sha256::digest(&schema).into(),
            schema,
        }
    }
}

impl Counts {
    /// Mean error and that of the last value or class; NaN before the first label.
    #[must_use]
    pub fn mean_errors(&self) -> (f64, f64) {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        let matured = self.matured as f64;
        (self.error_sum / matured, self.baseline_sum / matured)
    }

    fn load(reader: &mut Reader) -> Result<Self> {
        Ok(Self {
            predictions: reader.u64()?,
            matured: reader.u64()?,
            expired: reader.u64()?,
            unmatched: reader.u64()?,
            alarms: reader.u64()?,
            unserved: reader.u64()?,
            releases: reader.u64()?,
            error_sum: reader.f64()?,
            baseline_sum: reader.f64()?,
        })
    }
}

/// Bytes of the hash that names the definitions behind a schema.
const DEFINITIONS_HASH_BYTES: usize = 16;

/// Canonical JSON of a task's schema (FORMATS.md §6). The target of labels from a topic is the path they stand at.
fn schema(definition: &TaskPlan, features: &[String], definitions: &str) -> String {
    let mut text = String::from("{\"task\":");
    json::write_str(&mut text, &definition.name);
    text.push_str(",\"kind\":");
    json::write_str(&mut text, definition.kind.word());
    text.push_str(",\"target\":");
    let label = definition.label.as_ref().map(|label| label.path_text.as_str());
    json::write_str(&mut text, definition.target.as_deref().or(label).unwrap_or_default());
    text.push_str(",\"horizon_ms\":");
    json::write_f64(&mut text, definition.horizon_ms);
    text.push_str(",\"features\":[");
    for (index, name) in features.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        json::write_str(&mut text, name);
    }
    text.push(']');
    if !definitions.is_empty() {
        text.push_str(",\"definitions\":\"");
        for byte in &Sha256::digest(definitions)[..DEFINITIONS_HASH_BYTES] {
            text.push_str(&format!("{byte:02x}"));
        }
        text.push('"');
    }
    text.push('}');
    text
}

/// True when a field index names a field.
#[must_use]
pub fn is_field(field: u32) -> bool {
    field != NONE
}
