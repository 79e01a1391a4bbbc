//! The formats a source can have, read from its plan.

use super::path::Path;
use crate::error::{CoreError, Result};
use crate::json::Value;

/// How a source's payloads are read.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// JSON, else a raw number.
    Auto,
    /// JSON.
    Json,
    /// A raw number, `true` or `false`.
    Number,
}

impl Format {
    /// Reads a source's `format`.
    ///
    /// # Errors
    /// `BadPlan` for a format that this core does not have.
    pub fn parse(value: &Value) -> Result<Self> {
        Ok(match value.as_str().ok_or(CoreError::BadPlan)? {
            "auto" => Self::Auto,
            "json" => Self::Json,
            "number" => Self::Number,
            _ => return Err(CoreError::BadPlan),
        })
    }

    /// The path as this format's payloads are laid out.
    ///
    /// # Errors
    /// `BadPlan` for a path that cannot lead anywhere in this format.
    pub fn place(&self, path: Path) -> Result<Path> {
        match self {
            Self::Auto | Self::Json | Self::Number => Ok(path),
        }
    }
}
