//! From a payload to rows of values. Every structured format is read by a cursor of its own (one file each) and followed by
//! one walk along the source's paths; what comes out is the same for all of them.

pub mod text;
pub mod found;
pub mod path;
pub mod selection;
pub mod rows;
mod walk;
pub mod format;
pub mod mapping;
mod json;
#[cfg(test)]
mod testing;

pub use format::Format;
pub use found::Found;
pub use mapping::Mapping;
pub use path::{Path, is_capture_name};
pub use rows::{Decoded, Rows};
pub use selection::{PATHS_MAX, Selection};
pub use text::Text;

use crate::error::{CoreError, Result};
use crate::number;

/// Reads `payload` along the paths of `selection` into `decoded`.
///
/// # Errors
/// `Truncated`, `Foreign` or `Corrupt` when it is not of its format, `NoReading` for a raw payload that is no number,
/// `Limit` when it is nested deeper than 64 or its wildcards meet more than 16,384 things.
pub fn decode<'a>(format: &Format, payload: &'a [u8], selection: &Selection, decoded: &mut Decoded<'a>) -> Result<()> {
    match format {
        Format::Json => walk::read(json::Cursor::new(payload), selection, decoded),
        Format::Number => raw(payload, selection, decoded),
        Format::Auto => walk::read(json::Cursor::new(payload), selection, decoded)
            .or_else(|error| raw(payload, selection, decoded).map_err(|_| error)),
    }
}

/// A payload that is one number or truth value.
fn raw<'a>(payload: &'a [u8], selection: &Selection, decoded: &mut Decoded<'a>) -> Result<()> {
    let found = match payload.trim_ascii() {
        b"true" => Found::Bool(true),
        b"false" => Found::Bool(false),
        text => Found::Number(number::whole(text).ok_or(CoreError::NoReading)?),
    };
    decoded.set_whole(selection, found);
    Ok(())
}
