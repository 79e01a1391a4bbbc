//! The shape of payloads: most devices send the same text again and again with other values in it. A shape is one such payload
//! and where its scalars stand. The next payload is compared with it; where the two differ must be a scalar, which is read in
//! its new form, and everything else is what it was: names, nesting, order, and the values that are the same. So the walk
//! along the paths is done once and not per message.
//!
//! Whatever shapes are remembered, a payload gives the same values and the same error: what stands between two scalars brings
//! the reader into the state that it was in when the shape was learned, scalars are read by the reader itself, and a payload
//! that is of no known shape is read without them. They are no state of the fold.

mod learn;

use super::found::Found;
use super::records::MemberPaths;
use super::rows::{Child, Decoded, Rows};
use super::scan::same;
use super::selection::Selection;
use super::text::{Escapes, Text};
use super::walk::{Cursor, Token, bits};
use super::{Format, cbor, decode, influx, json, msgpack, senml};
use crate::error::Result;
use learn::Learner;

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
    /// Paths that end here; in a pack of SenML the label it has.
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
    /// An element that an instance of a scope begins with; in a pack of SenML the end of a record.
    Open {
        scope: usize,
        place: usize,
    },
}

/// What takes what is met.
trait Sink<'a> {
    fn scalar(&mut self, paths: u64, found: &Found<'a>);
    fn open(&mut self, scope: usize, place: usize) -> Result<()>;
}

/// Values go where the paths lead to.
struct Along<'a, 'b> {
    selection: &'b Selection,
    rows: &'b mut Rows<'a>,
}

impl<'a> Sink<'a> for Along<'a, '_> {
    fn scalar(&mut self, paths: u64, found: &Found<'a>) {
        bits(paths).for_each(|path| self.rows.set(self.selection, path, found));
    }

    fn open(&mut self, scope: usize, place: usize) -> Result<()> {
        self.rows.open(self.selection, scope, Child::Element(place))
    }
}

/// Values go into the record at hand, which is resolved at its end.
struct Resolved<'a, 'b> {
    pack: senml::Pack<'a>,
    members: &'b MemberPaths,
    along: Along<'a, 'b>,
}

impl<'a> Sink<'a> for Resolved<'a, '_> {
    fn scalar(&mut self, paths: u64, found: &Found<'a>) {
        bits(paths).for_each(|label| self.pack.put(label, found));
    }

    fn open(&mut self, _: usize, place: usize) -> Result<()> {
        self.pack.check()?;
        let Along { selection, rows } = &mut self.along;
        self.members.take(&self.pack, place, selection, rows)?;
        self.pack.begin();
        Ok(())
    }
}

/// One payload and what is met in it.
#[derive(Default)]
struct Shape {
    text: Vec<u8>,
    steps: Vec<Step>,
}

impl Shape {
    /// Reads a payload of this shape with `cursor`; false when it is of another, or is not valid.
    #[inline]
    fn read<'a, C: Resume<'a>>(&self, mut cursor: C, payload: &'a [u8], sink: &mut impl Sink<'a>) -> bool {
        // Nothing was learned.
        if self.text.is_empty() {
            return false;
        }
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
                        if sink.open(*scope, *place).is_err() {
                            return false;
                        }
                    }
                    // One whose last byte is the same may go on in another way; behind that one it is as it was.
                    Some(Step::Scalar(slot)) if slot.end >= until && !whole => break slot,
                    Some(Step::Scalar(slot)) if slot.paths != 0 => {
                        found = slot.value.of(&payload[at - (until - slot.start)..]);
                        sink.scalar(slot.paths, &found);
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
            sink.scalar(changed.paths, &found);
            (from, known) = (start + taken, changed.end);
        }
    }

    /// Learns a payload, which `cursor` stands before and which was read without error; false when it cannot be.
    fn learn<'a, C: Resume<'a>>(&mut self, mut cursor: C, payload: &'a [u8], wanted: &Wanted) -> bool {
        self.text.clear();
        self.steps.clear();
        let selection = wanted.selection;
        let mut learner = Learner::new(payload, selection, &mut self.steps);
        let learned = payload.len() <= TEXT_MAX
            && match wanted.members {
                None => learner.value(&mut cursor, 0, selection.all()),
                Some(_) => learner.pack(&mut cursor),
            }
            .unwrap_or(false)
            && cursor.finish().is_ok();
        if learned {
            self.text.extend_from_slice(payload);
        }
        learned
    }
}

/// What is wanted of a payload that arrived at `wall_ms`.
struct Wanted<'s> {
    selection: &'s Selection,
    wall_ms: f64,
    /// The same of each record, where the payload is a pack of SenML.
    members: Option<&'s MemberPaths>,
}

impl Wanted<'_> {
    /// Reads a payload of a known shape; false when it is of another, or is not valid.
    fn read<'a, C: Resume<'a>>(&self, shape: &Shape, cursor: C, payload: &'a [u8], decoded: &mut Decoded<'a>) -> bool {
        let (selection, rows) = (self.selection, &mut decoded.rows);
        rows.begin(selection);
        let mut along = Along { selection, rows };
        match self.members {
            None => shape.read(cursor, payload, &mut along),
            Some(members) => {
                let pack = senml::Pack::new(self.wall_ms);
                shape.read(cursor, payload, &mut Resolved { pack, members, along })
            }
        }
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
        let payload = format.body(payload);
        let plainly = |decoded: &mut Decoded<'a>| decode(format, payload, wall_ms, selection, decoded);
        let mut wanted = Wanted {
            selection,
            wall_ms,
            members: None,
        };
        if payload.len() < TEXT_MIN || (selection.conditions.is_some() && selection.members.is_none()) {
            return plainly(decoded);
        }
        match format {
            Format::Json | Format::Auto => {
                self.follow(last, json::Cursor::new(payload), payload, &wanted, decoded, plainly)
            }
            Format::Cbor => self.follow(last, cbor::Cursor::new(payload), payload, &wanted, decoded, plainly),
            Format::Msgpack => self.follow(last, msgpack::Cursor::new(payload), payload, &wanted, decoded, plainly),
            Format::Influx(precision) => {
                let cursor = influx::Cursor::new(payload, *precision);
                self.follow(last, cursor, payload, &wanted, decoded, plainly)
            }
            Format::Senml if selection.members.is_some() => {
                wanted.members = selection.members.as_ref();
                if senml::is_json(payload) {
                    self.follow(last, json::Cursor::new(payload), payload, &wanted, decoded, plainly)
                } else {
                    self.follow(last, cbor::Cursor::new(payload), payload, &wanted, decoded, plainly)
                }
            }
            _ => plainly(decoded),
        }
    }

    fn follow<'a, C: Resume<'a>>(
        &mut self,
        last: &mut u8,
        cursor: C,
        payload: &'a [u8],
        wanted: &Wanted,
        decoded: &mut Decoded<'a>,
        plainly: impl FnOnce(&mut Decoded<'a>) -> Result<()>,
    ) -> Result<()> {
        let first = usize::from(*last);
        let others = (0..self.shapes.len()).filter(|&other| other != first);
        for at in core::iter::once(first).chain(others) {
            let shape = self.shapes.get(at);
            if shape.is_some_and(|shape| wanted.read(shape, cursor.clone(), payload, decoded)) {
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
            *last = self.learn(cursor, payload, wanted);
        }
        Ok(())
    }

    fn learn<'a, C: Resume<'a>>(&mut self, cursor: C, payload: &'a [u8], wanted: &Wanted) -> u8 {
        let at = if self.shapes.len() < SHAPES_MAX {
            self.shapes.push(Shape::default());
            self.shapes.len() - 1
        } else {
            let oldest = self.oldest;
            self.oldest = (oldest + 1) % SHAPES_MAX;
            oldest
        };
        if !self.shapes[at].learn(cursor, payload, wanted) {
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
