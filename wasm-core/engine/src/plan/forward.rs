//! A rule of forwarding, as the plan says it.

use super::value::{count, duration, flag, member, number, string, strings};
use crate::error::{CoreError, Result};
use crate::expression::Expression;
use crate::forward::Rule;
use crate::json::Value;

/// A rule of forwarding.
pub(super) fn forward(value: &Value) -> Result<Rule> {
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
