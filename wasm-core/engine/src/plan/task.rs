//! One thing to predict, and where its labels come from.

use super::drift::DriftPlan;
use super::value::{budget, duration, experts, member, number, optional_path, path, string, strings};
use crate::decode::{Format, Path, Selection};
use crate::error::{CoreError, Result};
use crate::json::Value;
use crate::panel::budget::Budget;
use crate::panel::choice::{Choice, Family};
use crate::route::{Pattern, Template};

/// Features of a task: the cost of the panel's second-order experts grows with their square.
pub const FEATURES_MAX: usize = 256;

/// What kind of truth a task predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskKind {
    /// A field's value some time ahead.
    Forecast,
    /// A number that comes on a label topic.
    Regression,
    /// A class that comes on a label topic.
    Classification,
    /// A field's next value, to tell the unusual.
    Anomaly,
}

impl TaskKind {
    /// Its word in plans, schemas and reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Forecast => "forecast",
            Self::Regression => "regression",
            Self::Classification => "classification",
            Self::Anomaly => "anomaly",
        }
    }
}

/// What becomes of a second label that contradicts the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflicts {
    /// The first one stays.
    First,
    /// The second one corrects it.
    Last,
    /// It is quarantined.
    Quarantine,
}

/// What becomes of labels while their source's breaker is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerPolicy {
    /// There is none.
    Off,
    /// They are dropped.
    Ignore,
    /// They are held until it closes.
    Hold,
}

/// Where a task's labels come from.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelPlan {
    /// Topics.
    pub topic: Pattern,
    /// The key a label is for.
    pub key: Template,
    /// How payloads are read; in a format of records each is a label.
    pub format: Format,
    /// Where the label stands, then the time it is for if it has one (else it is for the latest prediction), then the
    /// number of its sender if it has one, then the prediction it is for if it names one.
    pub selection: Selection,
    /// True when the label has a time.
    pub has_time: bool,
    /// True when whoever labels numbers the labels of a topic.
    pub has_number: bool,
    /// True when labels may name a prediction.
    pub has_id: bool,
    /// True when the payload is the label.
    pub is_whole: bool,
    /// What becomes of a second label that contradicts the first.
    pub conflicts: Conflicts,
    /// What becomes of labels that are suddenly others than they were.
    pub breaker: BreakerPolicy,
    /// The path of the label as written: the target's name in the schema.
    pub path_text: String,
}

/// One thing to predict.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskPlan {
    /// Its name.
    pub name: String,
    /// What kind of truth.
    pub kind: TaskKind,
    /// The field that is its own label (forecast, anomaly).
    pub target: Option<String>,
    /// How far ahead (forecast), else 0.
    pub horizon_ms: f64,
    /// The label topic (regression, classification).
    pub label: Option<LabelPlan>,
    /// Names of the features; empty: automatic.
    pub features: Vec<String>,
    /// Least event time between two predictions of a key.
    pub every_ms: f64,
    /// How long a prediction waits for its label.
    pub wait_ms: f64,
    /// How far from the time asked for a label may be.
    pub tolerance_ms: f64,
    /// Errors of this many scales are an alarm (anomaly).
    pub threshold: f64,
    /// What its panel may cost.
    pub budget: Budget,
    /// The experts its panel begins with.
    pub experts: Choice,
    /// What is watched for drift; another one does not make it another task.
    pub drift: DriftPlan,
}

impl TaskPlan {
    /// True for one that goes on with the state of the other: what it learns from, and what, is the same.
    #[must_use]
    pub fn continues(&self, other: &Self) -> bool {
        let drift = crate::plan::DriftPlan {
            memory: other.drift.memory, // other experts
            ..self.drift.clone()
        };
        *self == Self { drift, ..other.clone() }
    }

    pub(super) fn parse(value: &Value) -> Result<Self> {
        let target = member(value, "target")?;
        let label = member(value, "label")?;
        let kind = match string(value, "kind")?.as_str() {
            "forecast" => TaskKind::Forecast,
            "regression" => TaskKind::Regression,
            "classification" => TaskKind::Classification,
            "anomaly" => TaskKind::Anomaly,
            _ => return Err(CoreError::BadPlan),
        };
        let task = Self {
            name: string(value, "name")?,
            kind,
            target: if target.is_null() {
                None
            } else {
                Some(string(value, "target")?)
            },
            horizon_ms: duration(value, "horizon_ms")?,
            label: if label.is_null() {
                None
            } else {
                Some(LabelPlan::parse(label)?)
            },
            features: strings(value, "features", FEATURES_MAX)?,
            every_ms: duration(value, "every_ms")?,
            wait_ms: duration(value, "wait_ms")?,
            tolerance_ms: duration(value, "tolerance_ms")?,
            threshold: number(value, "threshold")?,
            budget: budget(value)?,
            experts: experts(value, kind == TaskKind::Classification)?,
            drift: DriftPlan::parse(value)?,
        };
        let guarded = task
            .label
            .as_ref()
            .is_some_and(|label| label.breaker != BreakerPolicy::Off);
        let memory = task.drift.memory;
        if memory.any() && task.kind != TaskKind::Classification {
            return Err(CoreError::BadPlan);
        }
        if memory.needs_network() && !task.experts.has(Family::Network) {
            return Err(CoreError::BadPlan);
        }
        let mut task = task;
        task.drift.labels |= guarded;
        let complete = match task.kind {
            TaskKind::Forecast => task.target.is_some() && task.label.is_none() && task.horizon_ms > 0.0,
            TaskKind::Anomaly => task.target.is_some() && task.label.is_none() && task.threshold > 0.0,
            TaskKind::Regression | TaskKind::Classification => task.label.is_some(),
        };
        if complete { Ok(task) } else { Err(CoreError::BadPlan) }
    }
}

impl LabelPlan {
    fn parse(value: &Value) -> Result<Self> {
        let topic = Pattern::parse(&string(value, "topic")?)?;
        let (label, time) = (path(value, "path")?, optional_path(value, "time")?);
        let number = match value.get("seq") {
            Some(_) => Some(path(value, "seq")?),
            None => None,
        };
        let id = match value.get("id") {
            Some(_) => Some(path(value, "id")?),
            None => None,
        };
        let (has_time, has_number, has_id) = (time.is_some(), number.is_some(), id.is_some());
        let is_whole = label.is_whole();
        let paths: Vec<Path> = core::iter::once(label).chain(time).chain(number).chain(id).collect();
        let format = value.get("format").map_or(Ok(Format::Json), Format::parse)?;
        let no_path = format == Format::Number && !paths.iter().all(Path::is_whole);
        if !paths.iter().all(Path::is_single) || format == Format::Sparkplug || no_path {
            return Err(CoreError::BadPlan);
        }
        let paths: Vec<Path> = paths
            .into_iter()
            .map(|path| format.place(path))
            .collect::<Result<_>>()?;
        Ok(Self {
            key: Template::parse(&string(value, "key")?, &Template::names(&topic, [].into_iter())?)?,
            selection: Selection::new(&paths)?,
            format,
            has_time,
            has_number,
            has_id,
            is_whole,
            conflicts: match value.get("conflicts").map(Value::as_str) {
                None => Conflicts::First,
                Some(Some("last")) => Conflicts::Last,
                Some(Some("quarantine")) => Conflicts::Quarantine,
                Some(_) => return Err(CoreError::BadPlan),
            },
            breaker: match value.get("breaker").map(Value::as_str) {
                None => BreakerPolicy::Off,
                Some(Some("ignore")) => BreakerPolicy::Ignore,
                Some(Some("hold")) => BreakerPolicy::Hold,
                Some(_) => return Err(CoreError::BadPlan),
            },
            path_text: string(value, "path")?,
            topic,
        })
    }
}
