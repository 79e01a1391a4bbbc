//! One thing to predict: serve a prediction when one is due, keep it pending with the features as served, join the label
//! when it comes, score and learn. What a prediction waits for is the task's kind: a later reading of its own target
//! (forecast, anomaly) or a message on a label topic (regression, classification).
//!
//! `predictions = matured + expired + pending`, always. A forecast or anomaly that finds its key's pending places taken is
//! served and expires at once (drop newest: the ones before it are nearer to their label); where labels come from a topic
//! the oldest expires (drop oldest: its label is the least likely to come).

mod breaker;
mod drift;
mod join;
mod schema;
mod served;
mod serve;
mod settled;
mod state;
mod unusual;

use std::collections::VecDeque;

use sha2::{Digest, Sha256};

use crate::codec::Writer;
use crate::drift::watch::Watch;
use crate::features::{Features, Gathering, target_field};
use crate::learner::{Column, Learner, LearnerKind, LearnerSpec};
use crate::names::NONE;
use crate::parts::Tracked;
use crate::plan::{Plan, TaskKind, TaskPlan};
use crate::release::{Release, ReleaseModel};
use crate::series::Table;
use crate::statistics::Statistics;
pub use breaker::Breaker;
use schema::schema;
pub use served::Served;
use settled::SecondLabels;
pub use settled::{Aim, Id};

/// Rows of one task that may wait for their label, over all keys: each holds its inputs, about a kilobyte.
const PENDING_MAX: usize = 65_536;

/// A prediction that waits for its label.
#[derive(Clone, Debug, PartialEq)]
struct Pending {
    /// The learner's slot.
    slot: u32,
    /// Event time it was made at.
    at_ms: f64,
    /// What was predicted.
    value: f64,
    /// Names it to whoever labels.
    id: Id,
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
    /// Second labels that say what the first said.
    pub repeated: u64,
    /// Second labels that contradict.
    pub conflicting: u64,
    /// Of those, the ones that took the place of the first.
    pub corrected: u64,
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
    watch: Watch,
    settled: SecondLabels,
    breaker: Breaker,
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

    /// What it watches for drift, once the features are known.
    #[must_use]
    pub fn watch(&self) -> Option<&Watch> {
        self.learning.as_ref().map(|learning| &learning.watch)
    }

    /// The circuit breaker of its label source, once the features are known.
    #[must_use]
    pub fn breaker(&self) -> Option<&Breaker> {
        self.learning.as_ref().map(|learning| &learning.breaker)
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
            memory: self.definition.drift.memory,
            experts: self.definition.experts,
        });
        self.learning = Some(Learning::new(&self.definition, names, learner, plan, table));
        self.gathering = Gathering::default();
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

    /// Follows a change of plan to a `definition` that continues this one. What its names refer to may have changed: then what
    /// it tells the fleet begins anew, under another schema. What is watched for drift begins anew when it is something else.
    pub fn change(&mut self, definition: &TaskPlan, plan: &Plan, table: &mut Table) {
        self.definition = definition.clone();
        if let Some(learning) = &mut self.learning {
            if *learning.watch.plan() != definition.drift {
                let mut watch = Watch::new(&definition.drift, learning.features.names().len());
                watch.inherit(&learning.watch);
                learning.watch = watch;
            }
            let names = learning.features.names().to_vec();
            let schema = schema(&self.definition, &names, &Features::definitions(&names, plan)).into_bytes();
            if schema != learning.schema {
                learning.settled.settle_all(&mut learning.learner);
                learning.learner.forget_statistics();
                learning.schema_hash = Sha256::digest(&schema).into();
                learning.schema = schema;
            }
            learning.features = Features::resolve(names, plan, &mut table.field_names);
        }
    }
}

impl Learning {
    fn new(definition: &TaskPlan, names: Vec<String>, learner: Learner, plan: &Plan, table: &mut Table) -> Self {
        let schema = schema(definition, &names, &Features::definitions(&names, plan)).into_bytes();
        Self {
            missing: vec![0; names.len()],
            watch: Watch::new(&definition.drift, names.len()),
            settled: SecondLabels::default(),
            breaker: Breaker::default(),
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
}

/// True when a field index names a field.
#[must_use]
pub fn is_field(field: u32) -> bool {
    field != NONE
}
