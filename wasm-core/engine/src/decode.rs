//! From a payload to rows of values. Every structured format is read by a cursor of its own (one file each) and followed by
//! one walk along the source's paths; what comes out is the same for all of them.

pub mod text;
pub mod found;
pub mod path;
pub mod selection;
pub mod rows;
mod walk;
pub mod packed;
pub mod format;
pub mod mapping;
mod scan;
mod records;
mod json;
mod shape;
mod bytes;
mod cbor;
mod msgpack;
mod senml;
mod influx;
mod csv;
mod binary;
pub mod sense;
pub mod sparkplug;
mod stop;
#[cfg(test)]
mod differential;
#[cfg(test)]
mod testing;

pub use format::Format;
pub use found::Found;
pub use mapping::Mapping;
pub use packed::{Packing, Unpacker};
pub use path::{Path, is_capture_name};
pub use rows::{Decoded, Rows};
pub use selection::{PATHS_MAX, Selection};
pub use sense::{Newest, OnViolation, Sense, Violation};
pub use shape::Shapes;
pub use stop::append_stop;
pub use text::Text;

use crate::error::{CoreError, Result};
use crate::number;

/// Reads `payload`, which arrived at `wall_ms`, along the paths of `selection` into `decoded`.
///
/// # Errors
/// `Truncated`, `Foreign`, `TooNew` or `Corrupt` when it is not of its format, `NoReading` for a raw payload that is no
/// number, `Limit` when it is nested deeper than 64 or its wildcards meet more than 16,384 things.
pub fn decode<'a>(
    format: &Format,
    payload: &'a [u8],
    wall_ms: f64,
    selection: &Selection,
    decoded: &mut Decoded<'a>,
) -> Result<()> {
    let payload = format.body(payload);
    match format {
        Format::Json => walk::read(json::Cursor::new(payload), selection, decoded),
        Format::Number => {
            // Words are for the field's contract to understand.
            if raw(payload, selection, decoded).is_err() {
                decoded.set_whole(selection, Found::Text(Text::plain(payload.trim_ascii())));
            }
            Ok(())
        }
        Format::Auto => walk::read(json::Cursor::new(payload), selection, decoded)
            .or_else(|error| raw(payload, selection, decoded).map_err(|_| error)),
        Format::Cbor => walk::read(cbor::Cursor::new(payload), selection, decoded),
        Format::Msgpack => walk::read(msgpack::Cursor::new(payload), selection, decoded),
        Format::Senml if senml::is_json(payload) => records::read(
            senml::Cursor::new(json::Cursor::new(payload), wall_ms),
            selection,
            decoded,
        ),
        Format::Senml => records::read(
            senml::Cursor::new(cbor::Cursor::new(payload), wall_ms),
            selection,
            decoded,
        ),
        Format::Influx(precision) => walk::read(influx::Cursor::new(payload, *precision), selection, decoded),
        Format::Csv(csv) => walk::read(csv::Cursor::new(payload, csv), selection, decoded),
        // Its names are in what was announced before: see `sparkplug::Payload::read`.
        Format::Sparkplug => Err(CoreError::Foreign),
        Format::Binary(layout) => layout.read(payload, selection, decoded),
    }
}

/// A payload that is one number or truth value.
fn raw<'a>(payload: &'a [u8], selection: &Selection, decoded: &mut Decoded<'a>) -> Result<()> {
    let found = match number::whole(payload) {
        Some(number) => Found::Number(number),
        None => match payload.trim_ascii() {
            b"true" => Found::Bool(true),
            b"false" => Found::Bool(false),
            _ => return Err(CoreError::NoReading),
        },
    };
    decoded.set_whole(selection, found);
    Ok(())
}
