//! What follows from the readings of a row: whether it is taken, derived fields, and what goes on as it is.

use super::State;
use super::message::{Reading, Row};
use crate::expression::Expression;
use crate::output::Outputs;
use crate::series::Table;

/// The name under which a condition finds the reading it is asked for.
const VALUE: &str = "value";

impl State {
    /// Leaves out the rows for which the condition of their source is not true; false when none is left. It is asked over
    /// the readings of the row, and where it has none, the value of its key as of its time.
    pub(super) fn select(&mut self, source: usize) -> bool {
        let Self {
            plan,
            table,
            rows,
            readings,
            stack,
            ..
        } = self;
        let Some(condition) = &plan.sources[source].condition else {
            return true;
        };
        rows.retain(|row| {
            let named = |name: usize| {
                let field = table.field_names.find(&condition.names()[name]);
                let of_field = |reading: &&Reading| Some(table.series[reading.place as usize].field) == field;
                let own = readings[row.from..row.to].iter().find(of_field);
                let value = || as_of(table, row, field);
                own.map_or_else(value, |reading| reading.value)
            };
            let value = condition.evaluate(named, stack);
            value != 0.0 && !value.is_nan()
        });
        !rows.is_empty()
    }

    /// Makes the derived fields of a row that was added, for which one of their fields came; what else they need is the
    /// key's value as of the row's time. A field for which there is no room is left out, as is a value that is missing.
    pub(super) fn derive(&mut self, source: usize, row: &Row, outputs: &mut Outputs) {
        self.derived.clear();
        let Self {
            plan,
            table,
            readings,
            derived,
            stack,
            ..
        } = self;
        let source = &plan.sources[source];
        for definition in &source.derived {
            let came = |name: &String| {
                let field = table.field_names.find(name);
                let readings = readings[row.from..row.to].iter().chain(derived.iter());
                readings
                    .filter(|reading| !reading.late)
                    .any(|reading| Some(table.series[reading.place as usize].field) == field)
            };
            if !definition.expression.names().iter().any(came) {
                continue;
            }
            let value = evaluate(&definition.expression, table, row, None, stack);
            if value.is_nan() {
                continue;
            }
            let Ok(series) = table.series(row.key, &definition.name, plan) else {
                continue;
            };
            if !table.is_late(series, row.time_ms, source.late_after_ms(), &plan.windows) {
                table.add(series, row.time_ms, value, &plan.windows, outputs);
                derived.push(Reading {
                    place: series,
                    value,
                    late: false,
                    is_quality: false,
                    field: u16::MAX,
                });
            }
        }
        if !derived.is_empty() {
            self.windows_of(row, outputs);
        }
    }

    /// Puts out what the rules of forwarding let through of a row.
    pub(super) fn forward(&mut self, row: &Row, outputs: &mut Outputs) {
        let Self {
            plan,
            table,
            readings,
            derived,
            sending,
            stack,
            ..
        } = self;
        for (index, rule) in plan.forward.iter().enumerate() {
            for reading in readings[row.from..row.to].iter().chain(derived.iter()) {
                let field = table.field_names.name(table.series[reading.place as usize].field);
                let covered = rule.of.is_empty() || rule.of.iter().any(|name| name == field);
                if !covered || reading.late {
                    continue;
                }
                let holds = rule.condition.as_ref().is_none_or(|condition| {
                    let value = evaluate(condition, table, row, Some(reading.value), stack);
                    value != 0.0 && !value.is_nan()
                });
                if holds && sending[index].offer(rule, reading.place, row.time_ms, reading.value) {
                    outputs.forward(index, table.key_names.name(row.key), field, row.time_ms, reading.value);
                }
            }
        }
    }
}

/// An expression over the fields of the row's key as of the row's time, and over `value` where one is given.
fn evaluate(expression: &Expression, table: &Table, row: &Row, value: Option<f64>, stack: &mut Vec<f64>) -> f64 {
    let named = |name: usize| {
        let name = &expression.names()[name];
        if let (Some(value), VALUE) = (value, name.as_str()) {
            return value;
        }
        as_of(table, row, table.field_names.find(name))
    };
    expression.evaluate(named, stack)
}

/// The value of a field of the row's key as of the row's time; NaN when there is none.
fn as_of(table: &Table, row: &Row, field: Option<u32>) -> f64 {
    let series = field.and_then(|field| table.find(row.key, field));
    let as_of = series.and_then(|series| table.series[series as usize].as_of(row.time_ms));
    as_of.map_or(f64::NAN, |(value, _)| value)
}
