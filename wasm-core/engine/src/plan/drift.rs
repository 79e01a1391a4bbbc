//! What a task watches for drift, and what it does then: `drift` of a task (FORMATS.md §3).

use super::value::{number, string, strings};
use crate::drift::{DriftSpec, Kind, RUN_LENGTHS};
use crate::error::{CoreError, Result};
use crate::json::Value;
use crate::panel::experts::anchors::Memory;

/// Values between two false alarms where nothing is said.
const RUN_LENGTH: f64 = 1e5;

/// A detector and its run length.
pub(super) fn spec(value: &Value) -> Result<DriftSpec> {
    let kind = Kind::named(&string(value, "detector")?).ok_or(CoreError::BadPlan)?;
    let run_length = number(value, "run_length")?;
    if (RUN_LENGTHS[0]..=RUN_LENGTHS[1]).contains(&run_length) {
        Ok(DriftSpec { kind, run_length })
    } else {
        Err(CoreError::BadPlan)
    }
}

/// What a task watches and does.
#[derive(Clone, Debug, PartialEq)]
pub struct DriftPlan {
    /// The detector, one of its own for everything that is watched.
    pub spec: DriftSpec,
    /// The error of what was served, once its label has come; only a rise is drift.
    pub error: bool,
    /// What is served: a number (of a forecast its change against now), or the probability of the class.
    pub prediction: bool,
    /// Each feature by itself.
    pub features: bool,
    /// All features at once.
    pub multivariate: bool,
    /// The labels of a topic, and the time they take.
    pub labels: bool,
    /// Drift is put out for people to see.
    pub alert: bool,
    /// The coordinator is asked for what it has.
    pub sync: bool,
    /// The panel trusts its past less: weights move towards all experts, second-order experts learn faster.
    pub adapt: bool,
    /// What the panel does about concepts that change and return; classification only.
    pub memory: Memory,
}

impl Default for DriftPlan {
    fn default() -> Self {
        Self {
            spec: DriftSpec {
                kind: Kind::Adwin,
                run_length: RUN_LENGTH,
            },
            error: true,
            prediction: true,
            features: false,
            multivariate: false,
            labels: false,
            alert: true,
            sync: false,
            adapt: false,
            memory: Memory::default(),
        }
    }
}

impl DriftPlan {
    /// The member `drift` of a task; absent: the default.
    pub(super) fn parse(task: &Value) -> Result<Self> {
        let Some(value) = task.get("drift") else {
            return Ok(Self::default());
        };
        let mut plan = Self {
            spec: spec(value)?,
            error: false,
            prediction: false,
            alert: false,
            ..Self::default()
        };
        for on in strings(value, "on", 5)? {
            *match on.as_str() {
                "error" => &mut plan.error,
                "prediction" => &mut plan.prediction,
                "features" => &mut plan.features,
                "multivariate" => &mut plan.multivariate,
                "labels" => &mut plan.labels,
                _ => return Err(CoreError::BadPlan),
            } = true;
        }
        for what in strings(value, "do", 8)? {
            *match what.as_str() {
                "alert" => &mut plan.alert,
                "sync" => &mut plan.sync,
                "adapt" => &mut plan.adapt,
                "reset" => &mut plan.memory.reset,
                "anchor" => &mut plan.memory.anchor,
                "replay" => &mut plan.memory.replay,
                "hold" => &mut plan.memory.hold,
                "columns" => &mut plan.memory.columns,
                _ => return Err(CoreError::BadPlan),
            } = true;
        }
        Ok(plan)
    }
}
