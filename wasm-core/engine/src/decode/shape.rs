//! The shape of JSON payloads: most devices send the same text again and again with other values in it. A shape is one such
//! payload and where its scalars stand. The next payload is compared with it; where the two differ must be a scalar, which
//! is read in its new form, and everything else is what it was: names, nesting, order, and the values that are the same.
//! So the walk along the paths is done once and not per message.
//!
//! Whatever shapes are remembered, a payload gives the same values and the same error: text between two scalars brings the
//! reader into the state that it was in when the shape was learned, scalars are read by the reader's own functions, and a
//! payload that is of no known shape is read without them. They are no state of the fold.

use super::found::Found;
use super::json::Cursor;
use super::rows::{Child, Decoded};
use super::scan::same;
use super::selection::{Move, Selection};
use super::text::{Escapes, Text};
use super::walk::{Cursor as _, Token, bits};
use super::{Format, decode};
use crate::error::Result;

/// Shapes of one source: device types behind one topic filter.
const SHAPES_MAX: usize = 8;
/// Bytes of a payload that is learned, and scalars in it: what is larger is seldom sent twice.
const TEXT_MAX: usize = 4096;
const SLOTS_MAX: usize = 256;
/// Learning costs about this many messages of a known shape; those that fit pay for it, so that payloads that never come
/// twice in a shape are not learned in vain.
const LEARN_COST: u32 = 8;
const CREDIT_MAX: u32 = 64;
/// Where nothing fits any more, this many messages pay for a new attempt.
const ATTEMPT_AFTER: u32 = 256;

/// A scalar in a shape.
struct Slot {
    start: usize,
    end: usize,
    /// Paths that end here.
    paths: u64,
    value: Value,
}

/// What a scalar says as long as it is written the same.
enum Value {
    Text(Escapes),
    Other(Found<'static>),
}

/// One payload and its scalars, from front to back.
#[derive(Default)]
struct Shape {
    text: Vec<u8>,
    slots: Vec<Slot>,
}

impl Shape {
    /// Reads a payload of this shape; false when it is of another, or is not valid.
    fn read<'a>(&self, payload: &'a [u8], selection: &Selection, decoded: &mut Decoded<'a>) -> bool {
        // Nothing was learned.
        if self.text.is_empty() {
            return false;
        }
        let rows = &mut decoded.rows;
        rows.begin(selection);
        let mut cursor = Cursor::new(payload);
        let mut known = 0;
        let mut slots = self.slots.iter();
        loop {
            let from = cursor.position();
            let run = same(&payload[from..], &self.text[known..]);
            let (at, until) = (from + run, known + run);
            let whole = until == self.text.len() && at == payload.len();
            let changed = loop {
                let Some(slot) = slots.next() else {
                    return whole;
                };
                // One whose last byte is the same may go on in another way; behind that one it is as it was.
                if slot.end >= until && !whole {
                    break slot;
                }
                if slot.paths != 0 {
                    let start = at - (until - slot.start);
                    let found = slot.value.at(payload, start, slot.end - slot.start);
                    bits(slot.paths).for_each(|path| rows.set(selection, path, found));
                }
            };
            if changed.start > until {
                return false;
            }
            cursor.go_to(at - (until - changed.start));
            let Ok(Token::Scalar(found)) = cursor.open(changed.paths != 0) else {
                return false;
            };
            bits(changed.paths).for_each(|path| rows.set(selection, path, found));
            known = changed.end;
        }
    }

    /// Learns a payload that was read without error; false when it cannot be.
    fn learn(&mut self, payload: &[u8], selection: &Selection) -> bool {
        self.text.clear();
        self.slots.clear();
        let learned = payload.len() <= TEXT_MAX
            && self
                .value(&mut Cursor::new(payload), selection, 0, selection.all())
                .unwrap_or(false);
        if learned {
            self.text.extend_from_slice(payload);
        }
        learned
    }

    /// Learns the value that `cursor` stands before, to which the first `depth` steps of the paths `active` lead.
    fn value(&mut self, cursor: &mut Cursor, selection: &Selection, depth: usize, active: u64) -> Result<bool> {
        let routes = &selection.routes;
        let ending = |path: &usize| routes[*path].moves.len() == depth;
        let paths = bits(active).filter(ending).fold(0, |mask, path| mask | 1 << path);
        let going = active & !paths;
        let into = |child: Child| {
            let leads = |path: &usize| match &routes[*path].moves[depth] {
                Move::Name(wanted) => child.is_named(wanted),
                Move::Index(wanted) => child.is_at(*wanted),
                Move::Each | Move::EachIf(_) | Move::Where(_) => false,
            };
            bits(going).filter(leads).fold(0, |mask, path| mask | 1 << path)
        };
        cursor.space();
        let start = cursor.position();
        match cursor.open(paths != 0)? {
            Token::Scalar(found) => {
                let value = Value::of(found);
                let end = cursor.position();
                self.slots.extend(value.map(|value| Slot {
                    start,
                    end,
                    paths,
                    value,
                }));
                return Ok(self.slots.len() <= SLOTS_MAX);
            }
            // A field that is an object: there is nothing to be gained.
            Token::Map(_) | Token::List(_) if paths != 0 => return Ok(false),
            Token::Map(mut frame) => {
                while let Some(child) = cursor.member(&mut frame)? {
                    if !self.value(cursor, selection, depth + 1, into(child))? {
                        return Ok(false);
                    }
                }
            }
            Token::List(mut frame) => {
                let mut place = 0;
                while cursor.element(&mut frame)? {
                    if !self.value(cursor, selection, depth + 1, into(Child::Element(place)))? {
                        return Ok(false);
                    }
                    place += 1;
                }
            }
        }
        Ok(true)
    }
}

impl Value {
    /// What of a scalar does not depend on where it stands.
    fn of(found: Found) -> Option<Self> {
        Some(Self::Other(match found {
            Found::Text(text) => return Some(Self::Text(text.escapes())),
            Found::Number(number) => Found::Number(number),
            Found::Whole { negative, size } => Found::Whole { negative, size },
            Found::Bool(bool) => Found::Bool(bool),
            Found::Other => Found::Other,
            // JSON has no other.
            Found::Absent | Found::Joined(..) | Found::Announced(_) | Found::Time(_) => return None,
        }))
    }

    /// The scalar of `length` bytes at `start`, which are what they were.
    fn at<'a>(&self, payload: &'a [u8], start: usize, length: usize) -> Found<'a> {
        match *self {
            Self::Text(escapes) => Found::Text(Text::escaped(&payload[start + 1..start + length - 1], escapes)),
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
        if !matches!(format, Format::Json | Format::Auto) || !selection.is_plain() {
            return decode(format, payload, wall_ms, selection, decoded);
        }
        let first = usize::from(*last);
        let others = (0..self.shapes.len()).filter(|&other| other != first);
        for at in core::iter::once(first).chain(others) {
            if self
                .shapes
                .get(at)
                .is_some_and(|shape| shape.read(payload, selection, decoded))
            {
                *last = index(at);
                self.credit = CREDIT_MAX.min(self.credit + 1);
                return Ok(());
            }
        }
        decode(format, payload, wall_ms, selection, decoded)?;
        if !matches!(payload.trim_ascii_start().first(), Some(b'{' | b'[')) {
            return Ok(());
        }
        self.unknown += 1;
        if self.credit >= LEARN_COST || self.unknown >= ATTEMPT_AFTER {
            self.credit = self.credit.saturating_sub(LEARN_COST);
            self.unknown = 0;
            *last = self.learn(payload, selection);
        }
        Ok(())
    }

    fn learn(&mut self, payload: &[u8], selection: &Selection) -> u8 {
        let at = if self.shapes.len() < SHAPES_MAX {
            self.shapes.push(Shape::default());
            self.shapes.len() - 1
        } else {
            let oldest = self.oldest;
            self.oldest = (oldest + 1) % SHAPES_MAX;
            oldest
        };
        if !self.shapes[at].learn(payload, selection) {
            self.shapes[at] = Shape::default();
        }
        index(at)
    }
}

fn index(at: usize) -> u8 {
    u8::try_from(at).expect("fewer than SHAPES_MAX")
}

#[cfg(test)]
mod tests {
    use super::super::path::Path;
    use super::*;
    use proptest::prelude::*;

    const PATHS: [&str; 6] = ["a", "b.c", "b.d[1]", "e", "b.d[0].x", "f.g"];

    fn selection(paths: &[&str]) -> Selection {
        let paths: Vec<Path> = paths.iter().map(|path| Path::parse(path).unwrap()).collect();
        Selection::new(&paths).unwrap()
    }

    /// What a payload says, to the last bit.
    fn says(read: Result<()>, selection: &Selection, decoded: &Decoded) -> String {
        match read {
            Ok(()) => {
                let found = (0..selection.routes.len()).map(|path| decoded.whole(selection, path));
                format!("{:?}", found.collect::<Vec<_>>())
            }
            Err(error) => format!("{error:?}"),
        }
    }

    /// Reads `payloads` one after the other with shapes and without; true for those that were of a known shape.
    fn compare(payloads: &[Vec<u8>], paths: &[&str]) -> Vec<bool> {
        let selection = selection(paths);
        let (mut shapes, mut last) = (Shapes::default(), 0);
        let known = payloads.iter().map(|payload| {
            let (mut with, mut without) = (Decoded::default(), Decoded::default());
            let known = shapes
                .shapes
                .iter()
                .any(|shape| shape.read(payload, &selection, &mut with));
            let read = shapes.decode(&mut last, &Format::Json, payload, 0.0, &selection, &mut with);
            let plain = decode(&Format::Json, payload, 0.0, &selection, &mut without);
            let text = String::from_utf8_lossy(payload);
            assert_eq!(
                says(read, &selection, &with),
                says(plain, &selection, &without),
                "{text}"
            );
            known
        });
        known.collect()
    }

    fn texts(payloads: &[&str]) -> Vec<Vec<u8>> {
        payloads.iter().map(|payload| payload.as_bytes().to_vec()).collect()
    }

    #[test]
    fn a_payload_with_other_values_is_of_the_same_shape() {
        let payloads = texts(&[
            r#"{"a":1,"b":{"c":"x","d":[{"x":2},3]},"e":true}"#,
            r#"{"a":-12.5e3,"b":{"c":"x\u00e9\"y","d":[{"x":null},"3"]},"e":1e999}"#,
            r#"{"a":1,"b":{"c":"x","d":[{"x":2},3]},"e":true}"#,
            r#"{"a":10,"b":{"c":"","d":[{"x":20},9007199254740993]},"e":false}"#,
        ]);
        assert_eq!(compare(&payloads, &PATHS), [false, true, true, true]);
    }

    #[test]
    fn a_payload_of_another_shape_is_read_without_one() {
        let payloads = texts(&[
            r#"{"a":1,"e":2}"#,
            r#"{"a":1, "e":2}"#,
            r#"{"e":1,"a":2}"#,
            r#"{"a":{},"e":2}"#,
            r#"{"a":1,"e":2,"f":3}"#,
            r#"{"a":1,"e":2} "#,
            r#"{"a":1,"e":2"#,
            r#"{"a":1,"e":2}}"#,
            r#"{"a":01,"e":2}"#,
            r#"{"a":1,"e":}"#,
            r#"{"a":"1,"e":2}"#,
            "",
        ]);
        let known = compare(&payloads, &PATHS);
        assert_eq!(known.iter().filter(|known| **known).count(), 0);
    }

    #[test]
    fn a_name_that_stands_twice_counts_the_last_time() {
        let payloads = texts(&[
            r#"{"a":1,"a":2,"e":3}"#,
            r#"{"a":4,"a":"x","e":3}"#,
            r#"{"a":4,"a":2,"e":3}"#,
        ]);
        assert_eq!(compare(&payloads, &PATHS), [false, true, true]);
    }

    #[test]
    fn payloads_that_never_fit_are_not_learned_for_ever() {
        let payloads: Vec<Vec<u8>> = (0..2000).map(|n| format!("{{\"name {n}\":1}}").into_bytes()).collect();
        let selection = selection(&["a"]);
        let (mut shapes, mut last, mut learned) = (Shapes::default(), 0, 0);
        for payload in &payloads {
            shapes
                .decode(
                    &mut last,
                    &Format::Json,
                    payload,
                    0.0,
                    &selection,
                    &mut Decoded::default(),
                )
                .unwrap();
            learned += u32::from(shapes.unknown == 0);
        }
        assert!(shapes.shapes.len() == SHAPES_MAX && learned <= 2000 / ATTEMPT_AFTER + CREDIT_MAX / LEARN_COST);
    }

    /// Scalars, some of them none.
    fn scalar() -> impl Strategy<Value = String> {
        prop_oneof![
            6 => "-?(0|[1-9][0-9]{0,17})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
            3 => "\"[a-c ,:{}\\[\\]é]{0,9}\"",
            1 => "\"[ab\"\\\\nu0/]{0,6}\"",
            2 => prop::sample::select(vec!["true", "false", "null"]).prop_map(String::from),
            1 => "[-+.0-9eEtrufalsn\"{}\\[\\], ]{0,5}",
        ]
    }

    fn payload() -> impl Strategy<Value = Vec<u8>> {
        let of = |template: &'static str| {
            prop::collection::vec(scalar(), 6).prop_map(move |values| {
                let mut text = String::from(template);
                for value in values {
                    text = text.replacen('V', &value, 1);
                }
                text.into_bytes()
            })
        };
        let text = prop_oneof![
            5 => of(r#"{"a":V,"b":{"c":V,"d":[{"x":V},V]},"e":V}"#),
            2 => of("{ \"a\" : V ,\n \"f\" : { \"g\" : V } , \"a\" : V }"),
            2 => of(r#"[V,{"a":V},[V,V]]"#),
            1 => of("V"),
            1 => of(r#"{"a":V,"b":{},"e":[]}"#),
        ];
        let damage = prop::option::weighted(0.2, (any::<prop::sample::Index>(), any::<u8>()));
        (text, damage).prop_map(|(mut text, damage)| {
            if let Some((at, byte)) = damage
                && !text.is_empty()
            {
                let at = at.index(text.len());
                if byte < 40 { text.truncate(at) } else { text[at] = byte }
            }
            text
        })
    }

    proptest! {
        #[test]
        fn every_payload_says_the_same_with_shapes_and_without(payloads in prop::collection::vec(payload(), 1..24)) {
            compare(&payloads, &PATHS);
            compare(&payloads, &["[0]", "[1].a", "[2][1]", "a", ""]);
        }
    }
}
