//! SenML (RFC 8428), JSON and CBOR: a list of records with their base fields resolved. A record has the members `name`
//! (base name and name), `bn`, `n`, `u`, `v`, `vb`, `vs`, `s`, `t` (a time; relative ones count from arrival) and `ut`, where
//! it has them; `vd` is passed over.

use super::found::Found;
use super::records::Members;
use super::rows::Child;
use super::text::Text;
use super::walk::{self, bits};
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

/// What a pack has said up to the record at hand.
#[derive(Clone)]
pub(super) struct Pack<'a> {
    wall_ms: f64,
    /// The record at hand as it stands in the pack, and the base fields in force.
    raw: [Found<'a>; LABELS.len()],
    /// Labels that the record at hand has, as bits.
    present: u64,
}

/// Labels of values, of which a record has one at most.
const VALUES: u64 = 1 << V | 1 << VS | 1 << VB | 1 << VD;

impl<'a> Pack<'a> {
    /// Nothing, of a pack that arrived at `wall_ms`.
    pub fn new(wall_ms: f64) -> Self {
        Self {
            wall_ms,
            raw: [Found::Absent; LABELS.len()],
            present: 0,
        }
    }

    /// Begins the next record.
    pub fn begin(&mut self) {
        bits(self.present)
            .filter(|&label| label >= BASES)
            .for_each(|label| self.raw[label] = Found::Absent);
        self.present = 0;
    }

    /// Notes what the record at hand says under a label; what it said there before is forgotten.
    pub fn put(&mut self, label: usize, found: &Found<'a>) {
        self.raw[label] = *found;
        self.present |= 1 << label;
    }

    /// Checks the record at hand, all of which was put in.
    ///
    /// # Errors
    /// `Corrupt` for a value that its label does not have, `BadNumbers`, `TooNew` for a later version of SenML.
    pub fn check(&self) -> Result<()> {
        for label in bits(self.present) {
            let found = &self.raw[label];
            match label {
                BN | BU | N | U | VS if !matches!(found, Found::Text(_)) => return Err(CoreError::Corrupt),
                VB if !matches!(found, Found::Bool(_)) => return Err(CoreError::Corrupt),
                BVER if number(found)?.is_some_and(|version| version > VERSION_MAX) => return Err(CoreError::TooNew),
                BT | T | BV | V | BS | S | UT => _ = number(found)?,
                _ => {}
            }
        }
        if (self.present & VALUES).count_ones() > 1 {
            return Err(CoreError::Corrupt);
        }
        Ok(())
    }

    /// A number of the record at hand, which was checked.
    fn number(&self, label: usize) -> Option<f64> {
        number(&self.raw[label]).ok().flatten()
    }

    /// A record's own number with what is to be added to it; where one of the two is missing it counts as zero (§4.5.4). A
    /// record of nothing but base fields says what holds for those behind it, and no number of its own.
    fn sum(&self, base: usize, own: usize) -> Found<'a> {
        match (self.number(base), self.number(own)) {
            (None, None) => Found::Absent,
            (None, Some(_)) => self.raw[own],
            (Some(_), None) if self.present >> BASES == 0 => Found::Absent,
            (Some(base), own) => Found::Number(base + own.unwrap_or(0.0)),
        }
    }

    /// The number that a record says: none where it says a text, a truth value or bytes.
    fn value(&self) -> Found<'a> {
        match self.present & VALUES & !(1 << V) {
            0 => self.sum(BV, V),
            _ => Found::Absent,
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

impl<'a> Members<'a> for Pack<'a> {
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
            4 => self.value(),
            5 => raw[VS],
            6 => raw[VB],
            7 => self.sum(BS, S),
            8 => self.time(),
            _ => self.number(UT).map_or(Found::Absent, Found::Number),
        }
    }
}

/// A place in a pack.
#[derive(Clone)]
pub(super) struct Cursor<'a, C> {
    inner: C,
    next: Next,
    pack: Pack<'a>,
}

impl<'a, C: walk::Cursor<'a>> Cursor<'a, C> {
    pub fn new(inner: C, wall_ms: f64) -> Self {
        Self {
            inner,
            next: Next::Pack,
            pack: Pack::new(wall_ms),
        }
    }

    /// What reads the pack's JSON or CBOR.
    pub fn inner(&self) -> &C {
        &self.inner
    }

    fn record(&mut self) -> Result<()> {
        self.pack.begin();
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
                (Some(label), walk::Token::Scalar) => self.pack.put(label, &found),
                (Some(_), _) => return Err(CoreError::Corrupt),
                (None, token) => pass(&mut self.inner, token, 3)?,
            }
        }
        self.pack.check()
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

impl<'a, C: walk::Cursor<'a>> Members<'a> for Cursor<'a, C> {
    fn at(&self, member: usize) -> Found<'a> {
        self.pack.at(member)
    }
}

/// True for a pack in JSON: the list that a pack is begins with a bracket, or with a byte that no text begins with.
pub(super) fn is_json(payload: &[u8]) -> bool {
    payload.trim_ascii_start().first() == Some(&b'[')
}

/// The label that a member of a record has.
pub(super) fn label(child: Child) -> Option<usize> {
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
mod tests;
