//! A table of values by key.

use super::value::{list, string, strings, unique};
use crate::error::{CoreError, Result};
use crate::json::Value;

/// Columns of one table.
const LOOKUP_COLUMNS_MAX: usize = 64;
/// Rows of one table: it is part of the plan, which stands in every checkpoint.
const LOOKUP_ROWS_MAX: usize = 10_000;

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

    pub(super) fn parse(value: &Value) -> Result<Self> {
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
