//! The formats a source can have, read from its plan (FORMATS.md §3).

use super::binary::{Kind, Layout};
use super::csv::Csv;
use super::influx::Precision;
use super::path::{Path, Step};
use super::{binary, selection, senml, sparkplug};
use crate::error::{CoreError, Result};
use crate::json::Value;
use crate::plan::{index, list, number, string};

/// Bytes of a payload that a layout can describe, and columns that a plan can name.
const PLACES_MAX: usize = 65_536;

/// How a source's payloads are read.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// JSON, else a raw number.
    Auto,
    /// JSON.
    Json,
    /// A raw number, `true` or `false`.
    Number,
    /// CBOR.
    Cbor,
    /// MessagePack.
    Msgpack,
    /// SenML, JSON or CBOR by its first byte.
    Senml,
    /// Influx line protocol.
    Influx(Precision),
    /// Comma-separated lines.
    Csv(Csv),
    /// Sparkplug B.
    Sparkplug,
    /// A fixed binary layout.
    Binary(Layout),
}

impl Format {
    /// Reads a source's `format`.
    ///
    /// # Errors
    /// `BadPlan` for a format that this core does not have.
    pub fn parse(value: &Value) -> Result<Self> {
        if let Some(name) = value.as_str() {
            return Ok(match name {
                "auto" => Self::Auto,
                "json" => Self::Json,
                "number" => Self::Number,
                "cbor" => Self::Cbor,
                "msgpack" => Self::Msgpack,
                "senml" => Self::Senml,
                "sparkplug" => Self::Sparkplug,
                _ => return Err(CoreError::BadPlan),
            });
        }
        if let Some(influx) = value.get("influx") {
            return Ok(Self::Influx(match influx.get("precision").and_then(Value::as_str) {
                Some("ns") => Precision::Nanoseconds,
                Some("us") => Precision::Microseconds,
                Some("ms") => Precision::Milliseconds,
                Some("s") => Precision::Seconds,
                _ => return Err(CoreError::BadPlan),
            }));
        }
        if let Some(csv) = value.get("csv") {
            return parse_csv(csv).map(Self::Csv);
        }
        value
            .get("binary")
            .ok_or(CoreError::BadPlan)
            .and_then(parse_layout)
            .map(Self::Binary)
    }

    /// A payload without the byte order mark that text may begin with (RFC 8259 §8.1 lets a reader pass it over).
    #[must_use]
    pub fn body<'p>(&self, payload: &'p [u8]) -> &'p [u8] {
        let marked = match self {
            Self::Auto | Self::Json | Self::Number | Self::Senml | Self::Influx(_) | Self::Csv(_) => payload,
            Self::Cbor | Self::Msgpack | Self::Sparkplug | Self::Binary(_) => return payload,
        };
        marked.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload)
    }

    /// True when a payload without time is as good as one with: it is taken for one of its arrival.
    #[must_use]
    pub fn time_is_optional(&self) -> bool {
        matches!(self, Self::Senml | Self::Influx(_) | Self::Sparkplug)
    }

    /// The names of the members that each record of a payload may have; none where it is no list of records.
    #[must_use]
    pub fn members(&self) -> &'static [&'static str] {
        match self {
            Self::Senml => &senml::MEMBERS,
            Self::Sparkplug => &sparkplug::MEMBERS,
            _ => &[],
        }
    }

    /// The path as this format's payloads are laid out: in each line or record, columns and binary values by their place.
    ///
    /// # Errors
    /// `BadPlan` for a path that cannot lead anywhere in this format.
    pub fn place(&self, mut path: Path) -> Result<Path> {
        match self {
            Self::Auto | Self::Json | Self::Number | Self::Cbor | Self::Msgpack => Ok(path),
            Self::Senml | Self::Influx(_) | Self::Sparkplug => path.in_records(),
            Self::Csv(csv) => {
                if !csv.columns.is_empty() {
                    name_to_place(&mut path, csv.columns.iter())?;
                }
                path.in_records()
            }
            Self::Binary(layout) => {
                name_to_place(&mut path, layout.values.iter().map(|value| &value.name))?;
                match path.steps[..] {
                    [Step::Index(place)] if place < layout.values.len() => Ok(path),
                    _ => Err(CoreError::BadPlan),
                }
            }
        }
    }
}

/// Puts the place of a name among `names` for the name that a path begins with.
fn name_to_place<'n>(path: &mut Path, mut names: impl Iterator<Item = &'n String>) -> Result<()> {
    if let Some(step) = path.steps.first_mut()
        && let Step::Name(wanted) = step
    {
        let place = names.position(|name| name == wanted).ok_or(CoreError::BadPlan)?;
        *step = Step::Index(place);
    }
    Ok(())
}

fn parse_csv(value: &Value) -> Result<Csv> {
    let separator = match *string(value, "separator")?.as_bytes() {
        [separator] if !matches!(separator, b'"' | b'\r' | b'\n') => separator,
        _ => return Err(CoreError::BadPlan),
    };
    let columns = list(value, "columns", PLACES_MAX)?.iter();
    let columns: Vec<String> = columns
        .map(|name| name.as_str().map(String::from).ok_or(CoreError::BadPlan))
        .collect::<Result<_>>()?;
    let header = match value.get("header") {
        Some(Value::Bool(header)) => *header,
        _ => return Err(CoreError::BadPlan),
    };
    if header && !columns.is_empty() {
        return Err(CoreError::BadPlan);
    }
    Ok(Csv {
        separator,
        columns,
        header,
    })
}

fn parse_layout(value: &Value) -> Result<Layout> {
    let values = list(value, "values", selection::PATHS_MAX)?.iter();
    let values = values.map(parse_value).collect::<Result<Vec<_>>>()?;
    let length = index(value, "length", PLACES_MAX)?;
    match values.iter().map(binary::Value::end).max() {
        Some(end) if length == 0 || end <= length => Ok(Layout { length, values, end }),
        _ => Err(CoreError::BadPlan),
    }
}

fn parse_value(value: &Value) -> Result<binary::Value> {
    let name = string(value, "type")?;
    let (kind, bits) = name.split_at_checked(1).ok_or(CoreError::BadPlan)?;
    let kind = match kind {
        "u" => Kind::Unsigned,
        "i" => Kind::Signed,
        "f" => Kind::Float,
        _ => return Err(CoreError::BadPlan),
    };
    let bytes = match bits {
        "32" => 4,
        "64" => 8,
        "8" if kind != Kind::Float => 1,
        "16" if kind != Kind::Float => 2,
        "24" if kind != Kind::Float => 3,
        "48" if kind != Kind::Float => 6,
        _ => return Err(CoreError::BadPlan),
    };
    let bits = match list(value, "bits", 2)? {
        [] => (0, 0),
        [from, count] if kind == Kind::Unsigned => bit_range(from, count, 8 * bytes)?,
        _ => return Err(CoreError::BadPlan),
    };
    let scale = number(value, "scale")?;
    if scale == 0.0 {
        return Err(CoreError::BadPlan);
    }
    Ok(binary::Value {
        name: string(value, "name")?,
        at: index(value, "at", PLACES_MAX)?,
        kind,
        bytes: bytes as usize,
        big: match string(value, "endian")?.as_str() {
            "big" => true,
            "little" => false,
            _ => return Err(CoreError::BadPlan),
        },
        bits,
        scale: binary::Scale::of(scale),
        add: number(value, "add")?,
    })
}

/// The lowest bit that counts and how many do, of `size`.
fn bit_range(from: &Value, count: &Value, size: u32) -> Result<(u32, u32)> {
    let small = |value: &Value| (0..=size).find(|&bit| value.as_f64() == Some(f64::from(bit)));
    match (small(from), small(count)) {
        (Some(from), Some(count)) if count > 0 && from + count <= size => Ok((from, count)),
        _ => Err(CoreError::BadPlan),
    }
}
