//! What a gateway is to do: sources, windows and tasks, read from the plan's canonical JSON (FORMATS.md §3). The host fills
//! in every default; here each value is checked against its range, and a plan that passed can be followed without further
//! questions.

use crate::decode::{Format, Mapping, PATHS_MAX, Packing, Path, Selection, is_capture_name};
use crate::error::{CoreError, Result};
use crate::evaluate::{EvaluationKind, EvaluationSpec};
use crate::json::{self, Value};
use crate::learner::Column;
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
    /// Event-time spans to aggregate over.
    pub windows: Vec<Window>,
    /// What to predict.
    pub tasks: Vec<TaskPlan>,
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
    /// How far event time may run ahead of the wall clock; 0: any.
    pub clock_skew_max_ms: f64,
    /// Silence after which a key's windows close without it; 0: never.
    pub idle_ms: f64,
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
            windows: list(&value, "windows", WINDOWS_MAX)?
                .iter()
                .map(Window::parse)
                .collect::<Result<_>>()?,
            tasks: list(&value, "tasks", TASKS_MAX)?
                .iter()
                .map(TaskPlan::parse)
                .collect::<Result<_>>()?,
        };
        unique(plan.sources.iter().map(|source| &source.name))?;
        unique(plan.windows.iter().map(|window| &window.name))?;
        unique(plan.tasks.iter().map(|task| &task.name))?;
        for window in &mut plan.windows {
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
    }))
}

impl Source {
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
            })
        });
        let fields: Vec<Field> = fields.collect::<Result<_>>()?;
        for (index, field) in fields.iter().enumerate() {
            let mut captures = key.payload_captures().chain(field.name.payload_captures());
            if !captures.all(|capture| mapping.has(capture, index)) {
                return Err(CoreError::BadPlan);
            }
        }
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
            clock_skew_max_ms: duration(value, "clock_skew_max_ms")?,
            idle_ms: duration(value, "idle_ms")?,
            topic,
        })
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
    let captures = match value.get("captures") {
        Some(_) => list(value, "captures", PATHS_MAX)?,
        None => &[],
    };
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
