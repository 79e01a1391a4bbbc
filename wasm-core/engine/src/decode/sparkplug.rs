//! Sparkplug B payloads (Eclipse Sparkplug 3.0, chapter 6; protobuf wire format): a list of metrics, each with the members `name`,
//! `value`, `time` (its own, else the payload's), `alias`, `datatype`, `historical` and `transient`. Metrics that only have an alias are named by
//! the birth they were announced in; what an edge node has announced is in `sparkplug.rs` of the engine.

use super::found::Found;
use super::records::{self, Members};
use super::rows::{Child, Decoded};
use super::selection::Selection;
use super::text::Text;
use super::walk;
use crate::error::{CoreError, Result};

/// The metric by which a node says which of its deaths is meant, and what hosts write to: no readings.
const BIRTH_DEATH: &[u8] = b"bdSeq";
const CONTROLS: [&[u8]; 2] = [b"Node Control/", b"Device Control/"];

/// Members of a metric.
pub(super) const MEMBERS: [&str; 7] = ["name", "value", "time", "alias", "datatype", "historical", "transient"];

/// What one field of a protobuf message holds.
enum Held<'a> {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    Bytes(&'a [u8]),
}

/// The fields of a protobuf message, one after the other.
#[derive(Clone)]
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CoreError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64> {
        // As nearly all are: one byte.
        if let Some((&byte, rest)) = self.rest.split_first()
            && byte < 0x80
        {
            self.rest = rest;
            return Ok(byte.into());
        }
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(CoreError::Corrupt);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(CoreError::Corrupt)
    }

    /// The number of the next field and what it holds; `None` at the end.
    fn next(&mut self) -> Result<Option<(u64, Held<'a>)>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let held = match tag & 7 {
            0 => Held::Varint(self.varint()?),
            1 => Held::Fixed64(u64::from_le_bytes(*self.take(8)?.first_chunk().expect("8 bytes"))),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| CoreError::Truncated)?;
                Held::Bytes(self.take(length)?)
            }
            5 => Held::Fixed32(u32::from_le_bytes(*self.take(4)?.first_chunk().expect("4 bytes"))),
            _ => return Err(CoreError::Corrupt),
        };
        if tag >> 3 == 0 {
            return Err(CoreError::Corrupt);
        }
        Ok(Some((tag >> 3, held)))
    }
}

/// One metric as it stands in a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metric<'a> {
    /// Its name, unless its alias says it.
    pub name: Option<&'a [u8]>,
    /// Its alias.
    pub alias: Option<u64>,
    /// Its data type (§6.4.16); 0: the birth's.
    pub datatype: u8,
    time: Option<u64>,
    value: Raw<'a>,
    historical: bool,
    transient: bool,
    null: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Raw<'a> {
    #[default]
    None,
    Integer(u64),
    Float(f64),
    Bool(bool),
    Text(&'a [u8]),
}

impl<'a> Metric<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut fields = Fields { rest: bytes };
        let mut metric = Self::default();
        while let Some((number, held)) = fields.next()? {
            match (number, held) {
                (1, Held::Bytes(name)) => metric.name = Some(name),
                (2, Held::Varint(alias)) => metric.alias = Some(alias),
                (3, Held::Varint(time)) => metric.time = Some(time),
                (4, Held::Varint(datatype)) => metric.datatype = u8::try_from(datatype).unwrap_or(u8::MAX),
                (5, Held::Varint(flag)) => metric.historical = flag != 0,
                (6, Held::Varint(flag)) => metric.transient = flag != 0,
                (7, Held::Varint(flag)) => metric.null = flag != 0,
                (10 | 11, Held::Varint(value)) => metric.value = Raw::Integer(value),
                (12, Held::Fixed32(bits)) => metric.value = Raw::Float(f32::from_bits(bits).into()),
                (13, Held::Fixed64(bits)) => metric.value = Raw::Float(f64::from_bits(bits)),
                (14, Held::Varint(flag)) => metric.value = Raw::Bool(flag != 0),
                (15, Held::Bytes(text)) => metric.value = Raw::Text(text),
                (1..=7 | 10..=15, _) => return Err(CoreError::Corrupt),
                _ => {}
            }
        }
        Ok(metric)
    }

    /// Its value as its data type says: senders put small negative integers as 8, 16, 32 or 64 bits.
    #[expect(clippy::cast_possible_truncation, reason = "the bits that count")]
    fn found(&self, datatype: u8) -> Found<'a> {
        if self.null || self.name.is_some_and(is_control) {
            return Found::Other;
        }
        let signed = |value: i64| Found::integer(value < 0, value.unsigned_abs());
        match (self.value, datatype) {
            (Raw::None, _) => Found::Other,
            (Raw::Integer(bits), 1) => signed((bits as u8).cast_signed().into()),
            (Raw::Integer(bits), 2) => signed((bits as u16).cast_signed().into()),
            (Raw::Integer(bits), 3) => signed((bits as u32).cast_signed().into()),
            (Raw::Integer(bits), 4) => signed(bits.cast_signed()),
            (Raw::Integer(bits), _) => Found::integer(false, bits),
            (Raw::Float(value), _) => Found::Number(value),
            (Raw::Bool(value), _) => Found::Bool(value),
            (Raw::Text(text), _) => Found::Text(Text::plain(text)),
        }
    }
}

fn is_control(name: &[u8]) -> bool {
    name == BIRTH_DEATH || CONTROLS.iter().any(|control| name.starts_with(control))
}

/// Metrics of a payload that are read once and kept: most payloads have fewer.
const KEPT_MAX: usize = 64;

/// A payload that is one, each metric checked.
#[derive(Debug)]
pub struct Payload<'a> {
    time: Option<u64>,
    /// The number of the message in the session of its edge node.
    pub seq: Option<u64>,
    /// True when a metric has no name of its own.
    pub has_aliases: bool,
    /// Its first metrics, and what stands behind them.
    kept: Vec<Metric<'a>>,
    rest: &'a [u8],
}

impl<'a> Payload<'a> {
    /// Reads all of it once. What `kept` holds is forgotten, its memory is used.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn parse(bytes: &'a [u8], mut kept: Vec<Metric<'a>>) -> Result<Self> {
        kept.clear();
        let mut fields = Fields { rest: bytes };
        let mut payload = Self {
            time: None,
            seq: None,
            has_aliases: false,
            kept,
            rest: bytes,
        };
        while let Some((number, held)) = fields.next()? {
            match (number, held) {
                (1, Held::Varint(time)) => payload.time = Some(time),
                (2, Held::Bytes(metric)) => {
                    let metric = Metric::parse(metric)?;
                    payload.has_aliases |= metric.name.is_none();
                    if payload.kept.len() < KEPT_MAX {
                        payload.kept.push(metric);
                        payload.rest = fields.rest;
                    }
                }
                (3, Held::Varint(seq)) => payload.seq = Some(seq),
                (1..=3, _) => return Err(CoreError::Corrupt),
                _ => {}
            }
        }
        Ok(payload)
    }

    /// Bytes from the field on that is none, of a payload that is not one.
    pub(super) fn left_at_error(bytes: &[u8]) -> Option<usize> {
        let mut fields = Fields { rest: bytes };
        loop {
            let left = fields.rest.len();
            match fields.next() {
                Ok(None) => return None,
                Ok(Some((2, Held::Bytes(metric)))) if Metric::parse(metric).is_ok() => {}
                Ok(Some((1 | 3, Held::Varint(_)) | (4.., _))) => {}
                Ok(Some(_)) | Err(_) => return Some(left),
            }
        }
    }

    /// Its metrics in order.
    pub fn metrics<'p>(&'p self) -> impl Iterator<Item = Metric<'a>> + Clone + use<'a, 'p> {
        self.kept.iter().copied().chain(behind(self.rest))
    }

    /// The memory of the metrics that were kept, to be used again.
    pub fn into_kept(self) -> Vec<Metric<'a>> {
        self.kept
    }

    /// Follows the paths of `selection` through it. `announced` says the name (its index) and data type of a metric of a birth.
    ///
    /// # Errors
    /// `Limit` for more metrics than a payload may have.
    pub fn read(
        &self,
        announced: impl Fn(&Metric) -> Option<(u32, u8)> + Clone,
        selection: &Selection,
        decoded: &mut Decoded<'a>,
    ) -> Result<()> {
        let cursor = Cursor {
            metrics: self.metrics(),
            time: self.time,
            announced,
            metric: Metric::default(),
            known: None,
            next: Next::Payload,
        };
        records::read(cursor, selection, decoded)
    }
}

/// The metrics in what is left of a payload that was checked.
fn behind<'a>(rest: &'a [u8]) -> impl Iterator<Item = Metric<'a>> + Clone + use<'a> {
    let mut fields = Fields { rest };
    core::iter::from_fn(move || {
        loop {
            match fields.next() {
                Ok(Some((2, Held::Bytes(metric)))) => return Metric::parse(metric).ok(),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return None,
            }
        }
    })
}

#[derive(Clone, Copy)]
enum Next {
    Payload,
    Metric,
    Member(usize),
}

/// A place in a payload.
#[derive(Clone)]
struct Cursor<'a, I, F> {
    metrics: I,
    time: Option<u64>,
    announced: F,
    /// The metric at hand, and what was announced of it.
    metric: Metric<'a>,
    known: Option<(u32, u8)>,
    next: Next,
}

impl<'a, I, F> Members<'a> for Cursor<'a, I, F>
where
    I: Iterator<Item = Metric<'a>> + Clone,
    F: Fn(&Metric) -> Option<(u32, u8)> + Clone,
{
    #[expect(clippy::cast_precision_loss, reason = "a time that is not exact is far out of range")]
    fn at(&self, member: usize) -> Found<'a> {
        let metric = &self.metric;
        let datatype = match (metric.datatype, self.known) {
            (0, Some((_, datatype))) => datatype,
            (datatype, _) => datatype,
        };
        match member {
            0 => match (metric.name, self.known) {
                (Some(name), _) => Found::Text(Text::plain(name)),
                (None, Some((name, _))) => Found::Announced(name),
                (None, None) => Found::Absent,
            },
            1 => metric.found(datatype),
            2 => metric
                .time
                .or(self.time)
                .map_or(Found::Absent, |time| Found::Time(time as f64)),
            3 => metric.alias.map_or(Found::Absent, |alias| Found::integer(false, alias)),
            4 => Found::integer(false, datatype.into()),
            5 => Found::Bool(metric.historical),
            _ => Found::Bool(metric.transient),
        }
    }
}

impl<'a, I, F> walk::Cursor<'a> for Cursor<'a, I, F>
where
    I: Iterator<Item = Metric<'a>> + Clone,
    F: Fn(&Metric) -> Option<(u32, u8)> + Clone,
{
    /// How many members of a metric are behind.
    type Frame = usize;

    fn open(&mut self, _: bool, found: &mut Found<'a>) -> Result<walk::Token<usize>> {
        Ok(match self.next {
            Next::Payload => walk::Token::List(0),
            Next::Metric => walk::Token::Map(0),
            Next::Member(member) => {
                *found = self.at(member);
                walk::Token::Scalar
            }
        })
    }

    fn member(&mut self, behind: &mut usize) -> Result<Option<Child<'a>>> {
        let member = *behind;
        *behind += 1;
        self.next = Next::Member(member);
        Ok(MEMBERS
            .get(member)
            .map(|name| Child::Name(Text::plain(name.as_bytes()))))
    }

    fn element(&mut self, _: &mut usize) -> Result<bool> {
        let Some(metric) = self.metrics.next() else {
            return Ok(false);
        };
        self.metric = metric;
        self.known = (self.announced)(&self.metric);
        self.next = Next::Metric;
        Ok(true)
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
