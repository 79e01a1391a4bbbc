//! The shape of payloads: most devices send the same text again and again with other values in it. A shape is one such payload
//! and where its scalars stand. The next payload is compared with it; where the two differ must be a scalar, which is read in
//! its new form, and everything else is what it was: names, nesting, order, and the values that are the same. So the walk
//! along the paths is done once and not per message.
//!
//! Whatever shapes are remembered, a payload gives the same values and the same error: what stands between two scalars brings
//! the reader into the state that it was in when the shape was learned, scalars are read by the reader itself, and a payload
//! that is of no known shape is read without them. They are no state of the fold.

use super::found::Found;
use super::rows::{Child, Decoded};
use super::scan::same;
use super::selection::{Move, Selection};
use super::text::{Escapes, Text};
use super::walk::{Cursor, Token, bits};
use super::{Format, cbor, decode, influx, json, msgpack};
use crate::error::Result;

/// Shapes of one source: device types behind one topic filter.
const SHAPES_MAX: usize = 8;
/// Bytes of a payload that is learned, and scalars in it: what is larger is seldom sent twice.
const TEXT_MAX: usize = 4096;
const SLOTS_MAX: usize = 256;
/// In a payload this short there is nothing to be gained.
const TEXT_MIN: usize = 12;
/// Learning costs about this many messages of a known shape; those that fit pay for it, so that payloads that never come
/// twice in a shape are not learned in vain.
const LEARN_COST: u32 = 8;
const CREDIT_MAX: u32 = 64;
/// Where nothing fits any more, this many messages pay for a new attempt.
const ATTEMPT_AFTER: u32 = 256;

/// A reader that can go on at a place where it has been in another payload. Where a scalar ends is told by its own bytes and what
/// follows them, never by what stands before.
pub(super) trait Resume<'a>: Cursor<'a> {
    /// Bytes that have not been read.
    fn left(&self) -> usize;
    /// What it needs to know beside its place to read the scalar at hand.
    fn state(&self) -> u8;
    /// Goes to the scalar that `rest` begins with.
    fn resume(&mut self, rest: &'a [u8], state: u8);
    /// Reads the scalar that `rest` begins with, as `open` does; how many bytes it takes, `None` when there is none.
    fn scalar(&mut self, rest: &'a [u8], state: u8, wanted: bool, found: &mut Found<'a>) -> Option<usize> {
        self.resume(rest, state);
        let opened = self.open(wanted, found);
        matches!(opened, Ok(Token::Scalar)).then(|| rest.len() - self.left())
    }
}

/// A scalar in a shape.
struct Slot {
    start: usize,
    end: usize,
    state: u8,
    /// Paths that end here.
    paths: u64,
    value: Value,
}

/// What a scalar says as long as it is written the same.
enum Value {
    /// The bytes from `from` on, `length` of them.
    Text {
        from: usize,
        length: usize,
        escapes: Escapes,
    },
    Other(Found<'static>),
}

/// What is met in a payload, from front to back.
enum Step {
    Scalar(Slot),
    /// An element that an instance of a scope begins with.
    Open {
        scope: usize,
        place: usize,
    },
}

/// One payload and what is met in it.
#[derive(Default)]
struct Shape {
    text: Vec<u8>,
    steps: Vec<Step>,
}

impl Shape {
    /// Reads a payload of this shape with `cursor`; false when it is of another, or is not valid.
    fn read<'a, C: Resume<'a>>(
        &self,
        mut cursor: C,
        payload: &'a [u8],
        selection: &Selection,
        decoded: &mut Decoded<'a>,
    ) -> bool {
        // Nothing was learned.
        if self.text.is_empty() {
            return false;
        }
        let rows = &mut decoded.rows;
        rows.begin(selection);
        let (mut from, mut known) = (0, 0);
        let mut steps = self.steps.iter();
        let mut found = Found::Other;
        loop {
            let run = same(&payload[from..], &self.text[known..]);
            let (at, until) = (from + run, known + run);
            let whole = until == self.text.len() && at == payload.len();
            let changed = loop {
                match steps.next() {
                    None => return whole,
                    Some(Step::Open { scope, place }) => {
                        if rows.open(selection, *scope, Child::Element(*place)).is_err() {
                            return false;
                        }
                    }
                    // One whose last byte is the same may go on in another way; behind that one it is as it was.
                    Some(Step::Scalar(slot)) if slot.end >= until && !whole => break slot,
                    Some(Step::Scalar(slot)) if slot.paths != 0 => {
                        found = slot.value.of(&payload[at - (until - slot.start)..]);
                        bits(slot.paths).for_each(|path| rows.set(selection, path, &found));
                    }
                    Some(Step::Scalar(_)) => {}
                }
            };
            if changed.start > until {
                return false;
            }
            let start = at - (until - changed.start);
            let taken = cursor.scalar(&payload[start..], changed.state, changed.paths != 0, &mut found);
            let Some(taken) = taken else { return false };
            bits(changed.paths).for_each(|path| rows.set(selection, path, &found));
            (from, known) = (start + taken, changed.end);
        }
    }

    /// Learns a payload, which `cursor` stands before and which was read without error; false when it cannot be.
    fn learn<'a, C: Resume<'a>>(&mut self, mut cursor: C, payload: &'a [u8], selection: &Selection) -> bool {
        self.text.clear();
        self.steps.clear();
        let mut learner = Learner {
            payload,
            selection,
            steps: &mut self.steps,
            found: Found::Other,
        };
        let learned = payload.len() <= TEXT_MAX
            && learner.value(&mut cursor, 0, selection.all()).unwrap_or(false)
            && cursor.finish().is_ok();
        if learned {
            self.text.extend_from_slice(payload);
        }
        learned
    }
}

struct Learner<'a, 's> {
    payload: &'a [u8],
    selection: &'s Selection,
    steps: &'s mut Vec<Step>,
    found: Found<'a>,
}

impl<'a> Learner<'a, '_> {
    /// Learns the value that `cursor` stands before, to which the first `depth` steps of the paths `active` lead.
    fn value<C: Resume<'a>>(&mut self, cursor: &mut C, depth: usize, active: u64) -> Result<bool> {
        let routes = &self.selection.routes;
        let ending = |path: &usize| routes[*path].moves.len() == depth;
        let paths = bits(active).filter(ending).fold(0, |mask, path| mask | 1 << path);
        let going = active & !paths;
        let (state, start) = (cursor.state(), self.payload.len() - cursor.left());
        match cursor.open(paths != 0, &mut self.found)? {
            Token::Scalar => {
                let end = self.payload.len() - cursor.left();
                return Ok(self.scalar(start, end, state, paths));
            }
            // A field that is an object: there is nothing to be gained.
            Token::Map(_) | Token::List(_) if paths != 0 => return Ok(false),
            Token::Map(mut frame) => {
                while let Some(child) = cursor.member(&mut frame)? {
                    let Some(next) = self.enter(depth, going, child) else {
                        return Ok(false);
                    };
                    if !self.value(cursor, depth + 1, next)? {
                        return Ok(false);
                    }
                }
            }
            Token::List(mut frame) => {
                let mut place = 0;
                while cursor.element(&mut frame)? {
                    let Some(next) = self.enter(depth, going, Child::Element(place)) else {
                        return Ok(false);
                    };
                    if !self.value(cursor, depth + 1, next)? {
                        return Ok(false);
                    }
                    place += 1;
                }
            }
        }
        Ok(true)
    }

    fn scalar(&mut self, start: usize, end: usize, state: u8, paths: u64) -> bool {
        if start == end {
            // Something that the reader says of what stands further on.
            return paths == 0;
        }
        let value = if paths == 0 {
            Some(Value::Other(Found::Other))
        } else {
            Value::learned(&self.found, &self.payload[start..end])
        };
        let Some(value) = value else { return false };
        self.steps.push(Step::Scalar(Slot {
            start,
            end,
            state,
            paths,
            value,
        }));
        self.steps.len() <= SLOTS_MAX
    }

    /// The paths among `going` that lead into `child`, for which the scopes that begin there are opened; `None` where that depends
    /// on more than places.
    fn enter(&mut self, depth: usize, going: u64, child: Child) -> Option<u64> {
        let routes = &self.selection.routes;
        let leads = |path: &usize| match &routes[*path].moves[depth] {
            Move::Name(wanted) => child.is_named(wanted),
            Move::Index(wanted) => child.is_at(*wanted),
            Move::Each | Move::EachIf(_) | Move::Where(_) => true,
        };
        let next = bits(going).filter(leads).fold(0, |mask, path| mask | 1 << path);
        let wild = self.selection.wild.get(depth).map_or(0, |wild| wild & next);
        if wild != 0 {
            let Child::Element(place) = child else { return None };
            for (scope, of) in self.selection.scopes.iter().enumerate().skip(1) {
                if of.depth == depth && of.through & wild != 0 {
                    self.steps.push(Step::Open { scope, place });
                }
            }
        }
        Some(next)
    }
}

impl Value {
    /// What of a scalar, which is written as `bytes`, does not depend on where it stands.
    fn learned(found: &Found, bytes: &[u8]) -> Option<Self> {
        Some(Self::Other(match *found {
            Found::Text(text) => {
                let (says, escapes) = text.parts();
                // Wherever in them: as long as the bytes are the same, so is what is found there.
                let from = (0..=bytes.len() - says.len()).find(|&from| bytes[from..].starts_with(says))?;
                let length = says.len();
                return Some(Self::Text { from, length, escapes });
            }
            Found::Number(number) => Found::Number(number),
            Found::Time(time) => Found::Time(time),
            Found::Whole { negative, size } => Found::Whole { negative, size },
            Found::Bool(bool) => Found::Bool(bool),
            Found::Other => Found::Other,
            Found::Absent | Found::Joined(..) | Found::Announced(_) => return None,
        }))
    }

    /// The scalar that `bytes` begin with and that is written as it was.
    fn of<'a>(&self, bytes: &'a [u8]) -> Found<'a> {
        match *self {
            Self::Text { from, length, escapes } => Found::Text(Text::escaped(&bytes[from..from + length], escapes)),
            Self::Other(found) => found,
        }
    }
}

/// The shapes that the payloads of one source had lately.
pub struct Shapes {
    shapes: Vec<Shape>,
    /// The one that makes room for the next.
    oldest: usize,
    credit: u32,
    unknown: u32,
}

impl Default for Shapes {
    fn default() -> Self {
        Self {
            shapes: Vec::new(),
            oldest: 0,
            credit: CREDIT_MAX,
            unknown: 0,
        }
    }
}

impl Shapes {
    /// Does what `decode` does. `last` is the shape of the payload before on this topic.
    ///
    /// # Errors
    /// Those of `decode`.
    pub fn decode<'a>(
        &mut self,
        last: &mut u8,
        format: &Format,
        payload: &'a [u8],
        wall_ms: f64,
        selection: &Selection,
        decoded: &mut Decoded<'a>,
    ) -> Result<()> {
        let plainly = |decoded: &mut Decoded<'a>| decode(format, payload, wall_ms, selection, decoded);
        if payload.len() < TEXT_MIN || selection.conditions.is_some() {
            return plainly(decoded);
        }
        match format {
            Format::Json | Format::Auto => {
                self.follow(last, json::Cursor::new(payload), payload, selection, decoded, plainly)
            }
            Format::Cbor => self.follow(last, cbor::Cursor::new(payload), payload, selection, decoded, plainly),
            Format::Msgpack => self.follow(
                last,
                msgpack::Cursor::new(payload),
                payload,
                selection,
                decoded,
                plainly,
            ),
            Format::Influx(precision) => {
                let cursor = influx::Cursor::new(payload, *precision);
                self.follow(last, cursor, payload, selection, decoded, plainly)
            }
            _ => plainly(decoded),
        }
    }

    fn follow<'a, C: Resume<'a>>(
        &mut self,
        last: &mut u8,
        cursor: C,
        payload: &'a [u8],
        selection: &Selection,
        decoded: &mut Decoded<'a>,
        plainly: impl FnOnce(&mut Decoded<'a>) -> Result<()>,
    ) -> Result<()> {
        let first = usize::from(*last);
        let others = (0..self.shapes.len()).filter(|&other| other != first);
        for at in core::iter::once(first).chain(others) {
            let shape = self.shapes.get(at);
            if shape.is_some_and(|shape| shape.read(cursor.clone(), payload, selection, decoded)) {
                *last = index(at);
                self.credit = CREDIT_MAX.min(self.credit + 1);
                return Ok(());
            }
        }
        plainly(decoded)?;
        self.unknown += 1;
        if self.credit >= LEARN_COST || self.unknown >= ATTEMPT_AFTER {
            self.credit = self.credit.saturating_sub(LEARN_COST);
            self.unknown = 0;
            *last = self.learn(cursor, payload, selection);
        }
        Ok(())
    }

    fn learn<'a, C: Resume<'a>>(&mut self, cursor: C, payload: &'a [u8], selection: &Selection) -> u8 {
        let at = if self.shapes.len() < SHAPES_MAX {
            self.shapes.push(Shape::default());
            self.shapes.len() - 1
        } else {
            let oldest = self.oldest;
            self.oldest = (oldest + 1) % SHAPES_MAX;
            oldest
        };
        if !self.shapes[at].learn(cursor, payload, selection) {
            self.shapes[at] = Shape::default();
        }
        index(at)
    }
}

fn index(at: usize) -> u8 {
    u8::try_from(at).expect("fewer than SHAPES_MAX")
}

#[cfg(test)]
mod tests;
