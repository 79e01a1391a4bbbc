//! What a gateway is to do: sources, windows and tasks, read from the plan's canonical JSON (FORMATS.md §3). The host fills
//! in every default; here each value is checked against its range, and a plan that passed can be followed without further
//! questions.

use crate::decode::{Format, Mapping, PATHS_MAX, Packing, Path, Selection, Sense, is_capture_name};
use crate::drift::{Kind, RUN_LENGTHS};
use crate::error::{CoreError, Result};
use crate::evaluate::{DriftSpec, EvaluationKind, EvaluationSpec};
use crate::expression::Expression;
use crate::forward::Rule;
use crate::json::{self, Value};
use crate::learner::Column;
use crate::panel::budget::Budget;
use crate::route::{Pattern, Template};
use crate::window::Window;
use crate::zone::Zone;

/// Version of the plan that this core follows.
const VERSION: f64 = 1.0;
/// Sources of a gateway: each message is matched against all of them once per topic.
const SOURCES_MAX: usize = 256;
/// Windows: every reading is added to each that covers its field.
const WINDOWS_MAX: usize = 64;
/// Tasks: each has a panel of experts, some megabytes large.
const TASKS_MAX: usize = 64;
/// Features of a task: the cost of the panel's second-order experts grows with their square.
pub const FEATURES_MAX: usize = 256;
/// Derived fields of a source.
const DERIVED_MAX: usize = 64;
/// Rules of forwarding: each looks at every reading.
const FORWARD_MAX: usize = 64;
/// Tables of values by key.
const LOOKUPS_MAX: usize = 16;
/// Columns of one table.
const LOOKUP_COLUMNS_MAX: usize = 64;
/// Rows of one table: it is part of the plan, which stands in every checkpoint.
const LOOKUP_ROWS_MAX: usize = 10_000;
/// A hundred years in milliseconds: no duration of a plan is longer.
const DURATION_MS_MAX: f64 = 100.0 * 366.0 * 86_400_000.0;

/// A plan and its text.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The canonical JSON it was read from.
    pub text: Vec<u8>,
    /// What state may grow to.
    pub limits: Limits,
    /// Where messages come from.
    pub sources: Vec<Source>,
    /// Values by key that do not come from devices.
    pub lookups: Vec<Lookup>,
    /// Event-time spans to aggregate over.
    pub windows: Vec<Window>,
    /// What to predict.
    pub tasks: Vec<TaskPlan>,
    /// Which readings go on as they are.
    pub forward: Vec<Rule>,
    /// What names of features refer to, as canonical JSON: windows, lookups, derived fields, each with its name.
    pub definitions: Vec<(String, String)>,
}

/// Bounds of the state.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Keys.
    pub keys: usize,
    /// Field names.
    pub fields: usize,
    /// Predictions of one task and key that wait for their label.
    pub pending_per_key: usize,
    /// Bytes of one payload.
    pub payload_bytes: usize,
    /// Classes of one task.
    pub classes: usize,
}

/// A field of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: Template,
    /// What is read where nothing stands, in a row with something else.
    pub absent: Option<f64>,
    /// What its wildcards pass over.
    pub except: Vec<String>,
    /// Its contract; `None`: any number is as good as another.
    pub sense: Option<Sense>,
}

/// A field that is made of others of the same key.
#[derive(Clone, Debug, PartialEq)]
pub struct Derived {
    /// Its name.
    pub name: String,
    /// What it is.
    pub expression: Expression,
}

/// A source of readings.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its name in the ledger.
    pub name: String,
    /// The topics it takes.
    pub topic: Pattern,
    /// Those of them that it does not.
    pub except: Vec<Pattern>,
    /// The door it listens at; `None`: all.
    pub door: Option<u16>,
    /// How payloads are read.
    pub format: Format,
    /// How they may be compressed; `None`: not at all.
    pub packing: Option<Packing>,
    /// The key of its readings.
    pub key: Template,
    /// What it measures.
    pub fields: Vec<Field>,
    /// What follows from that.
    pub derived: Vec<Derived>,
    /// Where fields, event time, the device's counter and captures of the payload stand.
    pub mapping: Mapping,
    /// True when a row without event time, or from a clock that was not set, is taken for one of its arrival.
    pub time_absent: bool,
    /// The zone of times that name none.
    pub zone: Zone,
    /// The device's number where it says none.
    pub seq_absent: Option<f64>,
    /// True when messages in which nothing is found to read are none of its business, not wrong.
    pub filters: bool,
    /// How much later than the newest a reading may come where no window says otherwise.
    pub lateness_ms: f64,
    /// Where the lateness follows the delays of the readings; it begins with `lateness_ms`.
    pub adaptive: Option<Adaptive>,
    /// How far event time may be off the wall clock; 0: any.
    pub clock_skew_max_ms: f64,
    /// What is done about clocks that are further off.
    pub clock: Clocks,
    /// Silence after which a key's windows close without it; 0: never.
    pub idle_ms: f64,
}

/// A table of values by key.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    /// Its name.
    pub name: String,
    /// Names of its columns.
    pub columns: Vec<String>,
    /// Keys in the order of their bytes, each with a value per column; NaN where there is none.
    rows: Vec<(String, Vec<f64>)>,
}

impl Lookup {
    /// What stands in a column for a key.
    #[must_use]
    pub fn value(&self, key: &str, column: usize) -> Option<f64> {
        let row = self.rows.binary_search_by(|(name, _)| name.as_str().cmp(key)).ok()?;
        Some(self.rows[row].1[column])
    }

    fn parse(value: &Value) -> Result<Self> {
        let columns = strings(value, "columns", LOOKUP_COLUMNS_MAX)?;
        unique(columns.iter())?;
        let rows = list(value, "rows", LOOKUP_ROWS_MAX)?.iter().map(|row| {
            let (key, values) = row
                .as_list()
                .and_then(<[Value]>::split_first)
                .ok_or(CoreError::BadPlan)?;
            let values = values.iter().map(|value| match value {
                Value::Null => Ok(f64::NAN),
                value => value.as_f64().ok_or(CoreError::BadPlan),
            });
            let values: Vec<f64> = values.collect::<Result<_>>()?;
            let key = key.as_str().ok_or(CoreError::BadPlan)?;
            if values.len() == columns.len() {
                Ok((key.into(), values))
            } else {
                Err(CoreError::BadPlan)
            }
        });
        let rows: Vec<(String, Vec<f64>)> = rows.collect::<Result<_>>()?;
        if rows.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err(CoreError::BadPlan);
        }
        Ok(Self {
            name: string(value, "name")?,
            columns,
            rows,
        })
    }
}

/// How to wait for late readings.
#[derive(Clone, Debug, PartialEq)]
pub struct Adaptive {
    /// The share of readings that should come in time, above 0, at most 1.
    pub quantile: f64,
    /// The longest wait.
    pub max_ms: f64,
}

/// What is done about event times that are far off the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clocks {
    /// Those ahead are refused; those behind are old readings.
    Ahead,
    /// Both are refused.
    Quarantine,
    /// The clock of the device is estimated, and its times are put right.
    Correct,
}

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

/// Where a task's labels come from.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelPlan {
    /// Topics.
    pub topic: Pattern,
    /// The key a label is for.
    pub key: Template,
    /// Where the label stands, then the time it is for if it has one (else it is for the latest prediction), then the
    /// number of its sender if it has one.
    pub selection: Selection,
    /// True when the label has a time.
    pub has_time: bool,
    /// True when whoever labels numbers the labels of a topic.
    pub has_number: bool,
    /// True when the payload is the label.
    pub is_whole: bool,
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
}

impl Plan {
    /// Reads a gateway's plan.
    ///
    /// # Errors
    /// `BadPlan`; `TooNew` for another version.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let value = versioned(text)?;
        let limits = member(&value, "limits")?;
        let limits = Limits {
            keys: count(limits, "keys", 1 << 20)?,
            fields: count(limits, "fields", 4096)?,
            pending_per_key: count(limits, "pending_per_key", 65_536)?,
            payload_bytes: count(limits, "payload_bytes", 16 << 20)?,
            classes: count(limits, "classes", 65_536)?,
        };
        let mut plan = Self {
            text: text.to_vec(),
            limits,
            sources: list(&value, "sources", SOURCES_MAX)?
                .iter()
                .map(Source::parse)
                .collect::<Result<_>>()?,
            lookups: optional_list(&value, "lookups", LOOKUPS_MAX)?
                .iter()
                .map(Lookup::parse)
                .collect::<Result<_>>()?,
            windows: list(&value, "windows", WINDOWS_MAX)?
                .iter()
                .map(Window::parse)
                .collect::<Result<_>>()?,
            tasks: list(&value, "tasks", TASKS_MAX)?
                .iter()
                .map(TaskPlan::parse)
                .collect::<Result<_>>()?,
            forward: optional_list(&value, "forward", FORWARD_MAX)?
                .iter()
                .map(forward)
                .collect::<Result<_>>()?,
            definitions: definitions(&value)?,
        };
        unique(plan.sources.iter().map(|source| &source.name))?;
        unique(plan.lookups.iter().map(|lookup| &lookup.name))?;
        unique(plan.windows.iter().map(|window| &window.name))?;
        unique(plan.tasks.iter().map(|task| &task.name))?;
        let waits = plan.sources.iter().filter_map(|source| source.adaptive.as_ref());
        let wait_ms = waits.map(|adaptive| adaptive.max_ms).fold(0.0, f64::max);
        for window in &mut plan.windows {
            window.check_open(wait_ms)?;
            window.keep_for_features(plan.tasks.iter().flat_map(|task| &task.features));
        }
        Ok(plan)
    }
}

impl Plan {
    /// True when a reading may put out windows by its value.
    #[must_use]
    pub fn has_punctuation(&self) -> bool {
        let mut triggers = self.windows.iter().filter_map(|window| window.trigger.as_ref());
        triggers.any(|trigger| trigger.punctuation.is_some())
    }
}

impl Plan {
    /// True when it reads Sparkplug, so that there is something to remember of edge nodes.
    #[must_use]
    pub fn has_sparkplug(&self) -> bool {
        self.sources.iter().any(|source| source.format == Format::Sparkplug)
    }
}

/// Reads an evaluation plan; `None` when `text` is the plan of a gateway.
///
/// # Errors
/// `BadPlan`; `TooNew` for another version.
pub fn evaluation(text: &[u8]) -> Result<Option<EvaluationSpec>> {
    let value = versioned(text)?;
    let Some(value) = value.get("evaluate") else {
        return Ok(None);
    };
    let columns = list(value, "columns", 65_536)?.iter().map(|column| {
        let categorical = match string(column, "type")?.as_str() {
            "number" => false,
            "category" => true,
            _ => return Err(CoreError::BadPlan),
        };
        Ok(Column {
            name: string(column, "name")?,
            categorical,
        })
    });
    Ok(Some(EvaluationSpec {
        kind: match string(value, "kind")?.as_str() {
            "regression" => EvaluationKind::Regression,
            "classification" => EvaluationKind::Classification,
            "forecast" => EvaluationKind::Forecast,
            _ => return Err(CoreError::BadPlan),
        },
        columns: columns.collect::<Result<_>>()?,
        target: string(value, "target")?,
        horizon: index(value, "horizon", 1 << 20)?,
        label_delay: index(value, "label_delay", 1 << 20)?,
        classes_max: index(value, "classes", 1 << 20)?,
        drift: value.get("drift").map(drift).transpose()?,
        budget: budget(value)?,
    }))
}

fn drift(value: &Value) -> Result<DriftSpec> {
    let kind = Kind::named(&string(value, "detector")?).ok_or(CoreError::BadPlan)?;
    let run_length = number(value, "run_length")?;
    if (RUN_LENGTHS[0]..=RUN_LENGTHS[1]).contains(&run_length) {
        Ok(DriftSpec { kind, run_length })
    } else {
        Err(CoreError::BadPlan)
    }
}

impl Source {
    /// How far behind the time of its key a reading that no window covers is late. A lateness that follows the delays is in
    /// the time of the key already.
    #[must_use]
    pub fn late_after_ms(&self) -> f64 {
        if self.adaptive.is_some() { 0.0 } else { self.lateness_ms }
    }

    fn parse(value: &Value) -> Result<Self> {
        let topic = Pattern::parse(&string(value, "topic")?)?;
        let format = Format::parse(member(value, "format")?)?;
        let mapping = mapping(value, &format)?;
        let names = Template::names(&topic, mapping.names())?;
        let key = Template::parse(&string(value, "key")?, &names)?;
        let fields = list(value, "fields", PATHS_MAX)?.iter().map(|field| {
            Ok(Field {
                name: Template::parse(&string(field, "name")?, &names)?,
                absent: optional_number(field, "absent")?,
                except: optional_strings(field, "except")?,
                sense: Sense::parse(field)?,
            })
        });
        let fields: Vec<Field> = fields.collect::<Result<_>>()?;
        for (index, field) in fields.iter().enumerate() {
            let mut captures = key.payload_captures().chain(field.name.payload_captures());
            if !captures.all(|capture| mapping.has(capture, index)) {
                return Err(CoreError::BadPlan);
            }
        }
        let derived = optional_list(value, "derived", DERIVED_MAX)?.iter().map(|derived| {
            Ok(Derived {
                name: string(derived, "name")?,
                expression: Expression::parse(&string(derived, "expression")?)?,
            })
        });
        let derived: Vec<Derived> = derived.collect::<Result<_>>()?;
        unique(derived.iter().map(|derived| &derived.name))?;
        let door = member(value, "door")?;
        let except = optional_strings(value, "except")?;
        let time_absent = match value.get("time_absent").map(Value::as_str) {
            None => false,
            Some(Some("arrival")) => true,
            Some(_) => return Err(CoreError::BadPlan),
        };
        let filters = match value.get("nothing").map(Value::as_str) {
            None => false,
            Some(Some("filter")) => true,
            Some(_) => return Err(CoreError::BadPlan),
        };
        let packing = value
            .get("compression")
            .map(|name| name.as_str().ok_or(CoreError::BadPlan));
        Ok(Self {
            derived,
            name: string(value, "name")?,
            packing: packing.map(|name| name.and_then(Packing::parse)).transpose()?,
            except: except.iter().map(|text| Pattern::parse(text)).collect::<Result<_>>()?,
            time_absent,
            zone: Zone::parse(value)?,
            seq_absent: optional_number(value, "seq_absent")?,
            filters,
            door: if door.is_null() {
                None
            } else {
                Some(
                    u16::try_from(index(value, "door", usize::from(crate::wire::DOORS_MAX) - 1)?)
                        .expect("checked above"),
                )
            },
            format,
            key,
            fields,
            mapping,
            lateness_ms: duration(value, "lateness_ms")?,
            adaptive: value.get("adaptive").map(Adaptive::parse).transpose()?,
            clock_skew_max_ms: duration(value, "clock_skew_max_ms")?,
            clock: match value
                .get("clock")
                .map(|_| string(value, "clock"))
                .transpose()?
                .as_deref()
            {
                None => Clocks::Ahead,
                Some("quarantine") => Clocks::Quarantine,
                Some("correct") => Clocks::Correct,
                Some(_) => return Err(CoreError::BadPlan),
            },
            idle_ms: duration(value, "idle_ms")?,
            topic,
        })
    }
}

/// A rule of forwarding.
fn forward(value: &Value) -> Result<Rule> {
    let condition = member(value, "where")?;
    let deadband = number(value, "deadband")?;
    if !(0.0..=f64::MAX).contains(&deadband) {
        return Err(CoreError::BadPlan);
    }
    Ok(Rule {
        of: strings(value, "of", 4096)?,
        condition: if condition.is_null() {
            None
        } else {
            Some(Expression::parse(&string(value, "where")?)?)
        },
        every_ms: duration(value, "every_ms")?,
        deadband,
        is_relative: flag(value, "relative")?,
        at_least_ms: duration(value, "at_least_ms")?,
        one_in: count(value, "one_in", 1 << 20)? as u64,
    })
}

/// What names of features refer to.
fn definitions(plan: &Value) -> Result<Vec<(String, String)>> {
    let mut definitions = Vec::new();
    for (section, kind, max) in [("windows", "", WINDOWS_MAX), ("lookups", "lookup.", LOOKUPS_MAX)] {
        for value in optional_list(plan, section, max)? {
            let name = format!("{kind}{}.", string(value, "name")?);
            definitions.push((name, json::text(value)));
        }
    }
    for source in list(plan, "sources", SOURCES_MAX)? {
        for value in optional_list(source, "derived", DERIVED_MAX)? {
            definitions.push((string(value, "name")?, json::text(value)));
        }
    }
    Ok(definitions)
}

impl Adaptive {
    fn parse(value: &Value) -> Result<Self> {
        let adaptive = Self {
            quantile: number(value, "quantile")?,
            max_ms: duration(value, "max_ms")?,
        };
        if adaptive.quantile > 0.0 && adaptive.quantile <= 1.0 {
            Ok(adaptive)
        } else {
            Err(CoreError::BadPlan)
        }
    }
}

/// Where a source looks for its fields, its time, its counter and its captures, each as its format lays payloads out.
fn mapping(value: &Value, format: &Format) -> Result<Mapping> {
    let place = |path: Path| format.place(path);
    let fields = list(value, "fields", PATHS_MAX)?.iter();
    let fields: Vec<Path> = fields
        .map(|field| path(field, "path").and_then(place))
        .collect::<Result<_>>()?;
    if *format == Format::Number && !fields.iter().all(Path::is_whole) {
        return Err(CoreError::BadPlan);
    }
    let time = optional_path(value, "time")?.map(place).transpose()?;
    let counter = optional_path(value, "seq")?.map(place).transpose()?;
    let captures = optional_list(value, "captures", PATHS_MAX)?;
    let captures = captures.iter().map(|capture| {
        let name = string(capture, "name")?;
        if !is_capture_name(&name) {
            return Err(CoreError::BadPlan);
        }
        Ok((name, place(path(capture, "path")?)?))
    });
    let captures: Vec<(String, Path)> = captures.collect::<Result<_>>()?;
    Mapping::new(&fields, time.as_ref(), counter.as_ref(), &captures)
}

impl TaskPlan {
    fn parse(value: &Value) -> Result<Self> {
        let target = member(value, "target")?;
        let label = member(value, "label")?;
        let task = Self {
            name: string(value, "name")?,
            kind: match string(value, "kind")?.as_str() {
                "forecast" => TaskKind::Forecast,
                "regression" => TaskKind::Regression,
                "classification" => TaskKind::Classification,
                "anomaly" => TaskKind::Anomaly,
                _ => return Err(CoreError::BadPlan),
            },
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
        };
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
        let (has_time, has_number, is_whole) = (time.is_some(), number.is_some(), label.is_whole());
        let paths: Vec<Path> = core::iter::once(label).chain(time).chain(number).collect();
        if !paths.iter().all(Path::is_single) {
            return Err(CoreError::BadPlan);
        }
        Ok(Self {
            key: Template::parse(&string(value, "key")?, &Template::names(&topic, [].into_iter())?)?,
            selection: Selection::new(&paths)?,
            has_time,
            has_number,
            is_whole,
            path_text: string(value, "path")?,
            topic,
        })
    }
}

fn versioned(text: &[u8]) -> Result<Value> {
    let value = json::parse(text)?;
    match number(&value, "plan")? {
        VERSION => Ok(value),
        version if version > VERSION => Err(CoreError::TooNew),
        _ => Err(CoreError::BadPlan),
    }
}

fn member<'a>(value: &'a Value, name: &str) -> Result<&'a Value> {
    value.get(name).ok_or(CoreError::BadPlan)
}

pub(crate) fn string(value: &Value, name: &str) -> Result<String> {
    member(value, name)?
        .as_str()
        .map(String::from)
        .ok_or(CoreError::BadPlan)
}

pub(crate) fn number(value: &Value, name: &str) -> Result<f64> {
    member(value, name)?.as_f64().ok_or(CoreError::BadPlan)
}

fn flag(value: &Value, name: &str) -> Result<bool> {
    match member(value, name)? {
        Value::Bool(flag) => Ok(*flag),
        _ => Err(CoreError::BadPlan),
    }
}

pub(crate) fn duration(value: &Value, name: &str) -> Result<f64> {
    let duration = number(value, name)?;
    if (0.0..=DURATION_MS_MAX).contains(&duration) {
        Ok(duration)
    } else {
        Err(CoreError::BadPlan)
    }
}

/// A whole number from 0 to `max`.
pub(crate) fn index(value: &Value, name: &str, max: usize) -> Result<usize> {
    let number = number(value, name)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "compared with the original below"
    )]
    let whole = number as usize;
    #[expect(
        clippy::cast_precision_loss,
        reason = "an inexact one does not compare equal, or is over the maximum"
    )]
    let same = whole as f64 == number;
    if same && whole <= max {
        Ok(whole)
    } else {
        Err(CoreError::BadPlan)
    }
}

/// A whole number from 1 to `max`.
fn count(value: &Value, name: &str, max: usize) -> Result<usize> {
    index(value, name, max).and_then(|count| if count > 0 { Ok(count) } else { Err(CoreError::BadPlan) })
}

pub(crate) fn list<'a>(value: &'a Value, name: &str, max: usize) -> Result<&'a [Value]> {
    member(value, name)?
        .as_list()
        .filter(|items| items.len() <= max)
        .ok_or(CoreError::BadPlan)
}

/// A list that is left out when it is empty.
fn optional_list<'a>(value: &'a Value, name: &str, max: usize) -> Result<&'a [Value]> {
    match value.get(name) {
        Some(_) => list(value, name, max),
        None => Ok(&[]),
    }
}

pub(crate) fn strings(value: &Value, name: &str, max: usize) -> Result<Vec<String>> {
    list(value, name, max)?
        .iter()
        .map(|item| item.as_str().map(String::from).ok_or(CoreError::BadPlan))
        .collect()
}

/// The member `name`; absent: none.
fn optional_strings(value: &Value, name: &str) -> Result<Vec<String>> {
    value.get(name).map_or(Ok(Vec::new()), |_| strings(value, name, 4096))
}

/// The member `name`; absent: none.
fn optional_number(value: &Value, name: &str) -> Result<Option<f64>> {
    value.get(name).map(|_| number(value, name)).transpose()
}

/// The member `budget`; absent: the default.
fn budget(value: &Value) -> Result<Budget> {
    let Some(value) = value.get("budget") else {
        return Ok(Budget::default());
    };
    Ok(Budget {
        ns: u32::try_from(count(value, "ns", 1 << 30)?).map_err(|_| CoreError::BadPlan)?,
        bytes: u32::try_from(count(value, "bytes", 1 << 30)?).map_err(|_| CoreError::BadPlan)?,
    })
}

fn path(value: &Value, name: &str) -> Result<Path> {
    Path::parse(&string(value, name)?)
}

fn optional_path(value: &Value, name: &str) -> Result<Option<Path>> {
    if member(value, name)?.is_null() {
        Ok(None)
    } else {
        path(value, name).map(Some)
    }
}

fn unique<'a>(names: impl Iterator<Item = &'a String>) -> Result<()> {
    let mut seen: Vec<&String> = names.collect();
    seen.sort();
    if seen.windows(2).any(|pair| pair[0] == pair[1]) {
        Err(CoreError::BadPlan)
    } else {
        Ok(())
    }
}

#[cfg(test)]
#[expect(missing_docs, reason = "what other tests build on")]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A plan with one source `building/{room}/{sensor}`, a window of a minute, and the tasks given as JSON.
    pub fn building(tasks: &str) -> String {
        format!(
            concat!(
                r#"{{"plan":1,"gateway":"g","limits":{{"keys":100,"fields":20,"pending_per_key":50,"payload_bytes":4096,"classes":8}},"#,
                r#""sources":[{{"name":"building","topic":"building/{{room}}/{{sensor}}","door":null,"format":"auto","key":"{{room}}","#,
                r#""fields":[{{"name":"{{sensor}}","path":"value"}}],"time":"ts","seq":"seq","lateness_ms":5000,"clock_skew_max_ms":0,"idle_ms":60000}}],"#,
                r#""windows":[{{"name":"m","every_ms":60000,"of":[],"stats":["mean","min","max","std"],"lateness_ms":5000}}],"#,
                r#""tasks":[{}]}}"#
            ),
            tasks
        )
    }

    /// A forecast of `co2` a minute ahead.
    pub const FORECAST: &str = r#"{"name":"co2_1m","kind":"forecast","target":"co2","horizon_ms":60000,"label":null,"features":[],"every_ms":10000,"wait_ms":600000,"tolerance_ms":30000,"threshold":0}"#;
    /// Whether a room is occupied.
    pub const OCCUPIED: &str = r#"{"name":"occupied","kind":"classification","target":null,"horizon_ms":0,"label":{"topic":"labels/{room}/occupied","key":"{room}","path":"value","time":"ts"},"features":[],"every_ms":10000,"wait_ms":600000,"tolerance_ms":30000,"threshold":0}"#;
    /// Alarms on `co2`.
    pub const UNUSUAL: &str = r#"{"name":"unusual","kind":"anomaly","target":"co2","horizon_ms":0,"label":null,"features":[],"every_ms":0,"wait_ms":600000,"tolerance_ms":0,"threshold":8}"#;

    #[test]
    fn a_full_plan_is_read() {
        let plan = Plan::parse(building(&[FORECAST, OCCUPIED, UNUSUAL].join(",")).as_bytes()).unwrap();
        assert_eq!(plan.limits.pending_per_key, 50);
        assert_eq!(plan.sources[0].format, Format::Auto);
        assert!(plan.windows[0].covers("anything"));
        assert_eq!(plan.tasks[1].label.as_ref().unwrap().path_text, "value");
    }

    #[test]
    fn a_plan_out_of_range_is_refused() {
        let good = building(FORECAST);
        assert!(Plan::parse(good.as_bytes()).is_ok());
        for (from, to) in [
            ("\"keys\":100", "\"keys\":0"),
            ("\"keys\":100", "\"keys\":1.5"),
            ("\"keys\":100", "\"keys\":1e18"),
            ("\"every_ms\":60000", "\"every_ms\":0"),
            ("\"horizon_ms\":60000", "\"horizon_ms\":0"),
            ("\"horizon_ms\":60000", "\"horizon_ms\":-1"),
            ("\"stats\":[\"mean\"", "\"stats\":[\"medium\""),
            ("\"target\":\"co2\"", "\"target\":null"),
            ("\"path\":\"value\"", "\"path\":\"a..b\""),
            ("\"name\":\"{sensor}\"", "\"name\":\"{nothing}\""),
            ("\"format\":\"auto\"", "\"format\":\"number\""),
            ("\"key\":\"{room}\"", "\"key\":\"{dev}\""),
            ("\"path\":\"value\"", "\"path\":\"{room}.value\""),
            ("\"time\":\"ts\"", "\"time\":\"*.ts\""),
            ("\"door\":null", "\"door\":64"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good);
            assert_eq!(Plan::parse(bad.as_bytes()).err(), Some(CoreError::BadPlan), "{to}");
        }
        assert_eq!(
            Plan::parse(good.replace("\"plan\":1", "\"plan\":2").as_bytes()).err(),
            Some(CoreError::TooNew)
        );
        assert!(Plan::parse(building(&[FORECAST, FORECAST].join(",")).as_bytes()).is_err());
    }

    #[test]
    fn an_evaluation_plan_is_told_from_a_gateways() {
        let text = br#"{"plan":1,"evaluate":{"kind":"forecast","columns":[{"name":"a","type":"number"},{"name":"b","type":"category"}],"target":"a","horizon":3,"label_delay":0,"classes":0}}"#;
        let spec = evaluation(text).unwrap().unwrap();
        assert_eq!(
            (spec.kind, spec.horizon, spec.columns[1].categorical),
            (EvaluationKind::Forecast, 3, true)
        );
        assert_eq!(evaluation(building("").as_bytes()), Ok(None));
    }

    proptest! {
        #[test]
        fn a_plan_with_damage_is_read_or_refused(at in 0_usize..900, byte in any::<u8>()) {
            let mut text = building(&[FORECAST, OCCUPIED].join(",")).into_bytes();
            let at = at % text.len();
            text[at] = byte;
            let _ = (Plan::parse(&text), evaluation(&text));
        }
    }
}
