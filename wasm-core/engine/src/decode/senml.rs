//! SenML (RFC 8428), JSON and CBOR: a list of records with their base fields resolved. A record has the members `name`
//! (base name and name), `bn`, `n`, `u`, `v`, `vb`, `vs`, `s`, `t` (a time; relative ones count from arrival) and `ut`, where
//! it has them; `vd` is passed over.

use super::found::Found;
use super::records::Records;
use super::rows::Child;
use super::text::Text;
use super::walk;
use crate::error::{CoreError, Result};

/// Version of SenML that a pack may ask for.
const VERSION_MAX: f64 = 10.0;
/// Times below are relative to arrival (§4.5.3): 2^28 seconds.
const ABSOLUTE_FROM: f64 = 268_435_456.0;
/// Nesting of what is passed over.
const DEPTH_MAX: usize = 64;

/// Labels of a record that are looked at: their names in JSON and their numbers in CBOR (§6).
const LABELS: [(&str, i64); 15] = [
    ("bver", -1),
    ("bn", -2),
    ("bt", -3),
    ("bu", -4),
    ("bv", -5),
    ("bs", -6),
    ("n", 0),
    ("u", 1),
    ("v", 2),
    ("vs", 3),
    ("vb", 4),
    ("s", 5),
    ("t", 6),
    ("ut", 7),
    ("vd", 8),
];
const BVER: usize = 0;
const BN: usize = 1;
const BT: usize = 2;
const BU: usize = 3;
const BV: usize = 4;
const BS: usize = 5;
/// Labels before this one are base fields, which stay.
const BASES: usize = 6;
const N: usize = 6;
const U: usize = 7;
const V: usize = 8;
const VS: usize = 9;
const VB: usize = 10;
const S: usize = 11;
const T: usize = 12;
const UT: usize = 13;
const VD: usize = 14;

/// Members of a resolved record.
pub(super) const MEMBERS: [&str; 10] = ["name", "bn", "n", "u", "v", "vs", "vb", "s", "t", "ut"];

#[derive(Clone, Copy)]
enum Next {
    Pack,
    Record,
    Member(usize),
}

/// What is being read.
pub(super) enum Frame<F> {
    Pack(F),
    /// The next of a record's members.
    Record(usize),
}

/// A place in a pack.
#[derive(Clone)]
pub(super) struct Cursor<'a, C> {
    inner: C,
    wall_ms: f64,
    next: Next,
    /// The record at hand as it stands in the pack, and the base fields in force.
    raw: [Found<'a>; LABELS.len()],
}

impl<'a, C: walk::Cursor<'a>> Cursor<'a, C> {
    pub fn new(inner: C, wall_ms: f64) -> Self {
        Self {
            inner,
            wall_ms,
            next: Next::Pack,
            raw: [Found::Absent; LABELS.len()],
        }
    }

    fn record(&mut self) -> Result<()> {
        self.raw[BASES..].fill(Found::Absent);
        let mut found = Found::Other;
        let walk::Token::Map(mut frame) = self.inner.open(true, &mut found)? else {
            return Err(CoreError::Corrupt);
        };
        while let Some(child) = self.inner.member(&mut frame)? {
            let label = label(child);
            if label.is_none() && must_be_understood(child) {
                return Err(CoreError::Foreign);
            }
            let token = self.inner.open(label.is_some(), &mut found)?;
            match (label, token) {
                (Some(label), walk::Token::Scalar) => self.raw[label] = found,
                (Some(_), _) => return Err(CoreError::Corrupt),
                (None, token) => pass(&mut self.inner, token, 3)?,
            }
        }
        self.check()
    }

    /// Checks the record at hand.
    fn check(&self) -> Result<()> {
        let raw = &self.raw;
        for label in [BN, BU, N, U, VS] {
            if !matches!(raw[label], Found::Absent | Found::Text(_)) {
                return Err(CoreError::Corrupt);
            }
        }
        if !matches!(raw[VB], Found::Absent | Found::Bool(_)) {
            return Err(CoreError::Corrupt);
        }
        if number(&raw[BVER])?.is_some_and(|version| version > VERSION_MAX) {
            return Err(CoreError::TooNew);
        }
        for label in [BT, T, BV, V, BS, S, UT] {
            number(&raw[label])?;
        }
        let values = [V, VS, VB, VD].map(|label| usize::from(!matches!(raw[label], Found::Absent)));
        if values.iter().sum::<usize>() > 1 {
            return Err(CoreError::Corrupt);
        }
        Ok(())
    }

    /// A number of the record at hand, which was checked.
    fn number(&self, label: usize) -> Option<f64> {
        number(&self.raw[label]).ok().flatten()
    }

    /// A record's own number with what is to be added to it.
    fn sum(&self, base: usize, own: usize) -> Found<'a> {
        match (self.number(base), self.number(own)) {
            (_, None) => Found::Absent,
            (None, Some(_)) => self.raw[own],
            (Some(base), Some(own)) => Found::Number(base + own),
        }
    }

    fn time(&self) -> Found<'a> {
        match (self.number(BT), self.number(T)) {
            (None, None) => Found::Absent,
            (base, own) => {
                let seconds = base.unwrap_or(0.0) + own.unwrap_or(0.0);
                let from_ms = if seconds < ABSOLUTE_FROM { self.wall_ms } else { 0.0 };
                Found::Time(from_ms + seconds * 1000.0)
            }
        }
    }
}

impl<'a, C: walk::Cursor<'a>> walk::Cursor<'a> for Cursor<'a, C> {
    type Frame = Frame<C::Frame>;

    fn open(&mut self, _: bool, found: &mut Found<'a>) -> Result<walk::Token<Self::Frame>> {
        match self.next {
            Next::Pack => match self.inner.open(true, found)? {
                walk::Token::List(frame) => Ok(walk::Token::List(Frame::Pack(frame))),
                _ => Err(CoreError::Corrupt),
            },
            Next::Record => Ok(walk::Token::Map(Frame::Record(0))),
            Next::Member(member) => {
                *found = self.at(member);
                Ok(walk::Token::Scalar)
            }
        }
    }

    fn member(&mut self, frame: &mut Self::Frame) -> Result<Option<Child<'a>>> {
        let Frame::Record(next) = frame else { return Ok(None) };
        while *next < MEMBERS.len() {
            let member = *next;
            *next += 1;
            if !matches!(self.at(member), Found::Absent) {
                self.next = Next::Member(member);
                return Ok(Some(Child::Name(Text::plain(MEMBERS[member].as_bytes()))));
            }
        }
        Ok(None)
    }

    fn element(&mut self, frame: &mut Self::Frame) -> Result<bool> {
        let Frame::Pack(pack) = frame else { return Ok(false) };
        if !self.inner.element(pack)? {
            return Ok(false);
        }
        self.record()?;
        self.next = Next::Record;
        Ok(true)
    }

    fn finish(&mut self) -> Result<()> {
        self.inner.finish()
    }
}

impl<'a, C: walk::Cursor<'a>> Records<'a> for Cursor<'a, C> {
    fn at(&self, member: usize) -> Found<'a> {
        let raw = &self.raw;
        match member {
            0 => match (&raw[BN], &raw[N]) {
                (Found::Text(base), Found::Text(own)) => Found::Joined(*base, *own),
                (base, Found::Absent) => *base,
                (_, own) => *own,
            },
            1 => raw[BN],
            2 => raw[N],
            3 if matches!(raw[U], Found::Absent) => raw[BU],
            3 => raw[U],
            4 => self.sum(BV, V),
            5 => raw[VS],
            6 => raw[VB],
            7 => self.sum(BS, S),
            8 => self.time(),
            _ => self.number(UT).map_or(Found::Absent, Found::Number),
        }
    }
}

/// The label that a member of a record has.
fn label(child: Child) -> Option<usize> {
    if let Child::Name(name) = child
        && let Some(plain) = name.as_plain()
        && plain.len() <= 2
    {
        // As nearly all are written.
        return Some(match plain {
            b"n" => N,
            b"v" => V,
            b"u" => U,
            b"t" => T,
            b"s" => S,
            b"bn" => BN,
            b"bt" => BT,
            b"bu" => BU,
            b"bv" => BV,
            b"bs" => BS,
            b"vs" => VS,
            b"vb" => VB,
            b"ut" => UT,
            b"vd" => VD,
            _ => return None,
        });
    }
    LABELS.iter().position(|&(name, number)| match child {
        Child::Whole { negative, size } => size == number.unsigned_abs() && negative == (number < 0),
        _ => child.is_named(name),
    })
}

/// True for a label that nobody may pass over who does not know it: its name ends in an underscore (§4.4).
fn must_be_understood(child: Child) -> bool {
    matches!(child, Child::Name(text) if text.ends_with(b'_'))
}

/// Passes over the rest of a value.
fn pass<'a, C: walk::Cursor<'a>>(cursor: &mut C, token: walk::Token<C::Frame>, depth: usize) -> Result<()> {
    if depth > DEPTH_MAX {
        return Err(CoreError::Limit);
    }
    match token {
        walk::Token::Scalar => {}
        walk::Token::Map(mut frame) => {
            while cursor.member(&mut frame)?.is_some() {
                let token = cursor.open(false, &mut Found::Other)?;
                pass(cursor, token, depth + 1)?;
            }
        }
        walk::Token::List(mut frame) => {
            while cursor.element(&mut frame)? {
                let token = cursor.open(false, &mut Found::Other)?;
                pass(cursor, token, depth + 1)?;
            }
        }
    }
    Ok(())
}

/// A number, if there is anything; anything else is wrong.
fn number(found: &Found) -> Result<Option<f64>> {
    match found {
        Found::Absent => Ok(None),
        Found::Number(_) | Found::Whole { .. } => found.number().map(Some).ok_or(CoreError::BadNumbers),
        _ => Err(CoreError::Corrupt),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::find_rows;
    use super::super::{cbor, json};
    use super::*;

    const WALL_MS: f64 = 1_760_000_000_000.0;

    type Resolved<'a> = Vec<(String, Option<f64>, Option<f64>)>;

    fn read<'a>(cursor: impl walk::Cursor<'a>) -> Result<Resolved<'a>> {
        let rows = find_rows(Cursor::new(cursor, WALL_MS), &["*.name", "*.v", "*.t"])?;
        Ok(rows
            .into_iter()
            .map(|(_, found)| {
                let mut name = String::new();
                found[0].append_name(&mut name).unwrap();
                (name, found[1].number(), found[2].number())
            })
            .collect())
    }

    fn read_json(payload: &str) -> Result<Resolved<'_>> {
        read(json::Cursor::new(payload.as_bytes()))
    }

    fn row(name: &str, value: f64, time_ms: f64) -> (String, Option<f64>, Option<f64>) {
        (name.into(), Some(value), Some(time_ms))
    }

    /// RFC 8428 §5.1.3, shortened.
    const MANY: &str = r#"[{"bn":"urn:dev:ow:10e2073a01080063:","bt":1.320067464e+09,"bu":"%RH","v":20},
        {"u":"lon","v":24.30621},{"u":"lat","v":60.07965},{"t":60,"v":20.3}]"#;

    #[test]
    fn base_fields_count_from_their_record_on() {
        let name = "urn:dev:ow:10e2073a01080063:";
        let from = 1_320_067_464_000.0;
        assert_eq!(
            read_json(MANY).unwrap(),
            [
                row(name, 20.0, from),
                row(name, 24.30621, from),
                row(name, 60.07965, from),
                row(name, 20.3, from + 60_000.0)
            ]
        );
        // §5.1.2: a base name with names, times relative to now, the base behind its record's other members.
        let pack = r#"[{"n":"voltage","v":120.1,"t":-5,"bn":"dev:"},{"n":"current","t":-4,"v":1.2},{"n":"x","bv":100,"v":0.5,"t":0},{"n":"y","v":1}]"#;
        assert_eq!(
            read_json(pack).unwrap(),
            [
                row("dev:voltage", 120.1, WALL_MS - 5000.0),
                row("dev:current", 1.2, WALL_MS - 4000.0),
                row("dev:x", 100.5, WALL_MS),
                ("dev:y".into(), Some(101.0), None),
            ]
        );
    }

    #[test]
    fn cbor_labels_are_numbers() {
        // §6: [{-2: "urn:dev:ow:10e2073a01080063", 0: "temperature", -3: 1.276020076e9, -4: "Cel", 2: 23.5}], decimal fraction.
        let mut pack = vec![0x81, 0xa4, 0x21, 0x64];
        pack.extend(b"dev:");
        pack.extend([
            0x22, 0x1a, 0x4c, 0x0e, 0x85, 0x6c, 0x00, 0x61, b't', 0x02, 0xc4, 0x82, 0x20, 0x18, 0xeb,
        ]);
        assert_eq!(
            read(cbor::Cursor::new(&pack)).unwrap(),
            [row("dev:t", 23.5, 1_276_020_076_000.0)]
        );
        for end in 0..pack.len() {
            assert!(read(cbor::Cursor::new(&pack[..end])).is_err());
        }
    }

    #[test]
    fn what_is_no_pack_is_refused_with_its_code() {
        for (pack, error) in [
            (r#"{"n":"a","v":1}"#, CoreError::Corrupt),
            (r#"[{"n":"a","v":"1"}]"#, CoreError::Corrupt),
            (r#"[{"n":1,"v":1}]"#, CoreError::Corrupt),
            (r#"[{"n":"a","v":1,"vs":"x"}]"#, CoreError::Corrupt),
            (r#"[{"n":"a","v":[1]}]"#, CoreError::Corrupt),
            (r#"[{"n":"a","v":1e999}]"#, CoreError::BadNumbers),
            (r#"[{"bver":11,"n":"a","v":1}]"#, CoreError::TooNew),
            (r#"[{"n":"a","v":1,"new_":1}]"#, CoreError::Foreign),
            (r#"[{"n":"a","v":1}"#, CoreError::Truncated),
        ] {
            assert_eq!(read_json(pack), Err(error), "{pack}");
        }
        assert_eq!(read_json(r#"[{"n":"a","v":1,"new":[{"x":[1]}]}]"#).unwrap().len(), 1);
        for end in 0..MANY.len() {
            assert!(read_json(&MANY[..end]).is_err(), "{end}");
        }
    }
}
