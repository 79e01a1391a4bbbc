//! What a gateway is to do: sources, windows and tasks, read from the plan's canonical JSON (FORMATS.md §3). The host fills
//! in every default; here each value is checked against its range, and a plan that passed can be followed without further
//! questions.

mod drift;
mod evaluation;
mod forward;
mod lookup;
mod source;
mod task;
mod value;

pub use drift::DriftPlan;
pub use evaluation::evaluation;
pub use lookup::Lookup;
pub use source::{Adaptive, Clocks, Derived, Field, QUALITY, Source};
pub use task::{BreakerPolicy, Conflicts, FEATURES_MAX, LabelPlan, TaskKind, TaskPlan};
pub(crate) use value::{count, duration, index, list, number, optional_list, string, strings};

use crate::decode::Format;
use crate::error::Result;
use crate::forward::Rule;
use crate::json::{self, Value};
use crate::window::Window;
use forward::forward;
use source::DERIVED_MAX;
use value::{member, unique, versioned};

/// Sources of a gateway: each message is matched against all of them once per topic.
const SOURCES_MAX: usize = 1024;
/// Windows: every reading is added to each that covers its field.
const WINDOWS_MAX: usize = 64;
/// Tasks: each has a panel of experts, some megabytes large.
const TASKS_MAX: usize = 64;
/// Rules of forwarding: each looks at every reading.
const FORWARD_MAX: usize = 64;
/// Tables of values by key.
const LOOKUPS_MAX: usize = 16;

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

    /// True when a reading may put out windows by its value.
    #[must_use]
    pub fn has_punctuation(&self) -> bool {
        let mut triggers = self.windows.iter().filter_map(|window| window.trigger.as_ref());
        triggers.any(|trigger| trigger.punctuation.is_some())
    }

    /// True when a reading is judged by the one before of its series.
    #[must_use]
    pub fn compares_readings(&self) -> bool {
        self.sources.iter().any(Source::compares_readings)
    }
}

impl Plan {
    /// True when a source tells repeats by event time and content.
    #[must_use]
    pub fn remembers_contents(&self) -> bool {
        self.sources.iter().any(|source| source.repeats_by_time)
    }

    /// True when it reads Sparkplug, so that there is something to remember of edge nodes.
    #[must_use]
    pub fn has_sparkplug(&self) -> bool {
        self.sources.iter().any(|source| source.format == Format::Sparkplug)
    }
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

#[cfg(test)]
#[expect(missing_docs, reason = "what other tests build on")]
pub mod tests {
    use super::*;
    use crate::error::CoreError;
    use crate::evaluate::EvaluationKind;
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
