//! A source of readings: which topics, how a payload is laid out, what is read from it, and when it happened.

use super::value::{
    duration, index, list, member, number, optional_list, optional_number, optional_path, optional_strings, path,
    string, unique,
};
use crate::decode::{Format, Mapping, OnViolation, PATHS_MAX, Packing, Path, Sense, is_capture_name};
use crate::error::{CoreError, Result};
use crate::expression::Expression;
use crate::json::Value;
use crate::route::{Pattern, Template};
use crate::zone::Zone;

/// Derived fields of a source.
pub(super) const DERIVED_MAX: usize = 64;

/// A field of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: Template,
    /// What is read where nothing stands, in a row with something else.
    pub absent: Option<f64>,
    /// What its wildcards pass over.
    pub except: Vec<String>,
    /// Its contract; `None`: any number is as good as another.
    pub sense: Option<Sense>,
}

/// What is appended to the name of a field for that of its quality.
pub const QUALITY: &str = "_quality";

impl Field {
    /// True when a field beside it tells its quality.
    #[must_use]
    pub fn has_quality(&self) -> bool {
        let on_violation = self.sense.as_ref().map(|sense| sense.on_violation);
        on_violation == Some(OnViolation::Flag)
    }

    /// The name of its quality for these captures of the topic, when it has one and its name needs no other.
    #[must_use]
    pub fn quality_name(&self, captured: &[String]) -> Option<String> {
        let name = if self.has_quality() {
            self.name.fill(captured)
        } else {
            None
        };
        name.map(|name| name + QUALITY)
    }
}

/// A field that is made of others of the same key.
#[derive(Clone, Debug, PartialEq)]
pub struct Derived {
    /// Its name.
    pub name: String,
    /// What it is.
    pub expression: Expression,
}

/// A source of readings.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its name in the ledger.
    pub name: String,
    /// The topics it takes.
    pub topic: Pattern,
    /// Those of them that it does not.
    pub except: Vec<Pattern>,
    /// The door it listens at; `None`: all.
    pub door: Option<u16>,
    /// How payloads are read.
    pub format: Format,
    /// How they may be compressed; `None`: not at all.
    pub packing: Option<Packing>,
    /// The key of its readings.
    pub key: Template,
    /// What it measures.
    pub fields: Vec<Field>,
    /// What follows from that.
    pub derived: Vec<Derived>,
    /// Only rows for which this is true are taken.
    pub condition: Option<Expression>,
    /// Where fields, event time, the device's counter and captures of the payload stand.
    pub mapping: Mapping,
    /// True when a row without event time, or from a clock that was not set, is taken for one of its arrival.
    pub time_absent: bool,
    /// The zone of times that name none.
    pub zone: Zone,
    /// The device's number where it says none.
    pub seq_absent: Option<f64>,
    /// True when a message without a number is a repeat if its topic just had the same content under the same event time.
    pub repeats_by_time: bool,
    /// True when messages in which nothing is found to read are none of its business, not wrong.
    pub filters: bool,
    /// True when its messages say what other topics hold: they are put out whole, for the host to make sources of.
    pub announces: bool,
    /// How much later than the newest a reading may come where no window says otherwise.
    pub lateness_ms: f64,
    /// Where the lateness follows the delays of the readings; it begins with `lateness_ms`.
    pub adaptive: Option<Adaptive>,
    /// How far event time may be off the wall clock; 0: any.
    pub clock_skew_max_ms: f64,
    /// What is done about clocks that are further off.
    pub clock: Clocks,
    /// Silence after which a key's windows close without it; 0: never.
    pub idle_ms: f64,
}

/// How to wait for late readings.
#[derive(Clone, Debug, PartialEq)]
pub struct Adaptive {
    /// The share of readings that should come in time, above 0, at most 1.
    pub quantile: f64,
    /// The longest wait.
    pub max_ms: f64,
}

/// What is done about event times that are far off the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clocks {
    /// Those ahead are refused; those behind are old readings.
    Ahead,
    /// Both are refused.
    Quarantine,
    /// The clock of the device is estimated, and its times are put right.
    Correct,
}

impl Source {
    /// True when a reading of it is judged by the one before of its series.
    #[must_use]
    pub fn compares_readings(&self) -> bool {
        let mut contracts = self.fields.iter().filter_map(|field| field.sense.as_ref());
        contracts.any(Sense::compares)
    }

    /// How far behind the time of its key a reading that no window covers is late. A lateness that follows the delays is in
    /// the time of the key already.
    #[must_use]
    pub fn late_after_ms(&self) -> f64 {
        if self.adaptive.is_some() { 0.0 } else { self.lateness_ms }
    }

    pub(super) fn parse(value: &Value) -> Result<Self> {
        let topic = Pattern::parse(&string(value, "topic")?)?;
        let format = Format::parse(member(value, "format")?)?;
        let mapping = mapping(value, &format)?;
        let names = Template::names(&topic, mapping.names())?;
        let key = Template::parse(&string(value, "key")?, &names)?;
        let fields = list(value, "fields", PATHS_MAX)?.iter().map(|field| {
            Ok(Field {
                name: Template::parse(&string(field, "name")?, &names)?,
                absent: optional_number(field, "absent")?,
                except: optional_strings(field, "except")?,
                sense: Sense::parse(field)?,
            })
        });
        let fields: Vec<Field> = fields.collect::<Result<_>>()?;
        for (index, field) in fields.iter().enumerate() {
            let mut captures = key.payload_captures().chain(field.name.payload_captures());
            if !captures.all(|capture| mapping.has(capture, index)) {
                return Err(CoreError::BadPlan);
            }
        }
        let derived = optional_list(value, "derived", DERIVED_MAX)?.iter().map(|derived| {
            Ok(Derived {
                name: string(derived, "name")?,
                expression: Expression::parse(&string(derived, "expression")?)?,
            })
        });
        let derived: Vec<Derived> = derived.collect::<Result<_>>()?;
        unique(derived.iter().map(|derived| &derived.name))?;
        let door = member(value, "door")?;
        let except = optional_strings(value, "except")?;
        let time_absent = match value.get("time_absent").map(Value::as_str) {
            None => false,
            Some(Some("arrival")) => true,
            Some(_) => return Err(CoreError::BadPlan),
        };
        let filters = match value.get("nothing").map(Value::as_str) {
            None => false,
            Some(Some("filter")) => true,
            Some(_) => return Err(CoreError::BadPlan),
        };
        let repeats_by_time = match value.get("repeats").map(Value::as_str) {
            None => false,
            Some(Some("event_time")) => true,
            Some(_) => return Err(CoreError::BadPlan),
        };
        let announces = match value.get("announces").map(Value::as_str) {
            None => false,
            Some(Some("home_assistant")) => true,
            Some(_) => return Err(CoreError::BadPlan),
        };
        let packing = value
            .get("compression")
            .map(|name| name.as_str().ok_or(CoreError::BadPlan));
        let condition = value.get("where").map(|_| string(value, "where")).transpose()?;
        Ok(Self {
            derived,
            condition: condition.map(|text| Expression::parse(&text)).transpose()?,
            name: string(value, "name")?,
            packing: packing.map(|name| name.and_then(Packing::parse)).transpose()?,
            except: except.iter().map(|text| Pattern::parse(text)).collect::<Result<_>>()?,
            time_absent,
            zone: Zone::parse(value)?,
            seq_absent: optional_number(value, "seq_absent")?,
            repeats_by_time,
            filters,
            announces,
            door: if door.is_null() {
                None
            } else {
                Some(
                    u16::try_from(index(value, "door", usize::from(crate::wire::DOORS_MAX) - 1)?)
                        .expect("checked above"),
                )
            },
            format,
            key,
            fields,
            mapping,
            lateness_ms: duration(value, "lateness_ms")?,
            adaptive: value.get("adaptive").map(Adaptive::parse).transpose()?,
            clock_skew_max_ms: duration(value, "clock_skew_max_ms")?,
            clock: match value
                .get("clock")
                .map(|_| string(value, "clock"))
                .transpose()?
                .as_deref()
            {
                None => Clocks::Ahead,
                Some("quarantine") => Clocks::Quarantine,
                Some("correct") => Clocks::Correct,
                Some(_) => return Err(CoreError::BadPlan),
            },
            idle_ms: duration(value, "idle_ms")?,
            topic,
        })
    }
}

impl Adaptive {
    fn parse(value: &Value) -> Result<Self> {
        let adaptive = Self {
            quantile: number(value, "quantile")?,
            max_ms: duration(value, "max_ms")?,
        };
        if adaptive.quantile > 0.0 && adaptive.quantile <= 1.0 {
            Ok(adaptive)
        } else {
            Err(CoreError::BadPlan)
        }
    }
}

/// Where a source looks for its fields, its time, its counter and its captures, each as its format lays payloads out.
fn mapping(value: &Value, format: &Format) -> Result<Mapping> {
    let place = |path: Path| format.place(path);
    let fields = list(value, "fields", PATHS_MAX)?.iter();
    let fields: Vec<Path> = fields
        .map(|field| path(field, "path").and_then(place))
        .collect::<Result<_>>()?;
    if *format == Format::Number && !fields.iter().all(Path::is_whole) {
        return Err(CoreError::BadPlan);
    }
    let time = optional_path(value, "time")?.map(place).transpose()?;
    let counter = optional_path(value, "seq")?.map(place).transpose()?;
    let captures = optional_list(value, "captures", PATHS_MAX)?;
    let mut absent = Vec::new();
    let captures = captures.iter().map(|capture| {
        let name = string(capture, "name")?;
        if !is_capture_name(&name) {
            return Err(CoreError::BadPlan);
        }
        if capture.get("absent").is_some() {
            absent.push((name.clone(), string(capture, "absent")?));
        }
        Ok((name, place(path(capture, "path")?)?))
    });
    let captures: Vec<(String, Path)> = captures.collect::<Result<_>>()?;
    let mut mapping = Mapping::new(&fields, time.as_ref(), counter.as_ref(), &captures)?;
    mapping.selection.in_records(format.members());
    for (name, text) in absent {
        mapping.set_absent(&name, text);
    }
    Ok(mapping)
}
