//! What stands under a name in the plan's JSON, checked against its range.

use crate::decode::Path;
use crate::error::{CoreError, Result};
use crate::json::{self, Value};
use crate::panel::budget::Budget;
use crate::panel::choice::Choice;

/// Version of the plan that this core follows.
const VERSION: f64 = 1.0;

/// A hundred years in milliseconds: no duration of a plan is longer.
const DURATION_MS_MAX: f64 = 100.0 * 366.0 * 86_400_000.0;

pub(super) fn versioned(text: &[u8]) -> Result<Value> {
    let value = json::parse(text)?;
    match number(&value, "plan")? {
        VERSION => Ok(value),
        version if version > VERSION => Err(CoreError::TooNew),
        _ => Err(CoreError::BadPlan),
    }
}

pub(super) fn member<'a>(value: &'a Value, name: &str) -> Result<&'a Value> {
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

pub(super) fn flag(value: &Value, name: &str) -> Result<bool> {
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
pub(crate) fn count(value: &Value, name: &str, max: usize) -> Result<usize> {
    index(value, name, max).and_then(|count| if count > 0 { Ok(count) } else { Err(CoreError::BadPlan) })
}

pub(crate) fn list<'a>(value: &'a Value, name: &str, max: usize) -> Result<&'a [Value]> {
    member(value, name)?
        .as_list()
        .filter(|items| items.len() <= max)
        .ok_or(CoreError::BadPlan)
}

/// A list that is left out when it is empty.
pub(crate) fn optional_list<'a>(value: &'a Value, name: &str, max: usize) -> Result<&'a [Value]> {
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
pub(super) fn optional_strings(value: &Value, name: &str) -> Result<Vec<String>> {
    value.get(name).map_or(Ok(Vec::new()), |_| strings(value, name, 4096))
}

/// The member `name`; absent: none.
pub(super) fn optional_number(value: &Value, name: &str) -> Result<Option<f64>> {
    value.get(name).map(|_| number(value, name)).transpose()
}

/// The member `budget`; absent: the default.
pub(super) fn budget(value: &Value) -> Result<Budget> {
    let Some(value) = value.get("budget") else {
        return Ok(Budget::default());
    };
    Ok(Budget {
        ns: u32::try_from(count(value, "ns", 1 << 30)?).map_err(|_| CoreError::BadPlan)?,
        bytes: u32::try_from(count(value, "bytes", 1 << 30)?).map_err(|_| CoreError::BadPlan)?,
    })
}

/// The member `experts`, for classes or numbers; absent: the default.
pub(super) fn experts(value: &Value, classes: bool) -> Result<Choice> {
    if value.get("experts").is_none() {
        return Ok(Choice::default());
    }
    let names = strings(value, "experts", 64)?;
    Choice::named(names.iter().map(String::as_str), classes).ok_or(CoreError::BadPlan)
}

pub(super) fn path(value: &Value, name: &str) -> Result<Path> {
    Path::parse(&string(value, name)?)
}

pub(super) fn optional_path(value: &Value, name: &str) -> Result<Option<Path>> {
    if member(value, name)?.is_null() {
        Ok(None)
    } else {
        path(value, name).map(Some)
    }
}

pub(super) fn unique<'a>(names: impl Iterator<Item = &'a String>) -> Result<()> {
    let mut seen: Vec<&String> = names.collect();
    seen.sort();
    if seen.windows(2).any(|pair| pair[0] == pair[1]) {
        Err(CoreError::BadPlan)
    } else {
        Ok(())
    }
}
