//! The plan of `rivulet evaluate`: a table instead of a gateway.

use super::drift::spec;
use super::value::{budget, experts, index, list, string, versioned};
use crate::error::{CoreError, Result};
use crate::evaluate::{EvaluationKind, EvaluationSpec};
use crate::learner::Column;

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
    let kind = match string(value, "kind")?.as_str() {
        "regression" => EvaluationKind::Regression,
        "classification" => EvaluationKind::Classification,
        "forecast" => EvaluationKind::Forecast,
        _ => return Err(CoreError::BadPlan),
    };
    Ok(Some(EvaluationSpec {
        kind,
        columns: columns.collect::<Result<_>>()?,
        target: string(value, "target")?,
        horizon: index(value, "horizon", 1 << 20)?,
        label_delay: index(value, "label_delay", 1 << 20)?,
        classes_max: index(value, "classes", 1 << 20)?,
        drift: value.get("drift").map(spec).transpose()?,
        budget: budget(value)?,
        experts: experts(value, kind == EvaluationKind::Classification)?,
    }))
}
