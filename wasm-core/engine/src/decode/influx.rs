//! Influx line protocol: a list of lines, each with the members `series` (measurement and tags as they stand), `measurement`,
//! `tags`, `fields` and, if the line has a timestamp, `time`. Integers, floats, strings and truth values are as their field says; comments and empty lines are
//! passed over.

use super::found::Found;
use super::rows::Child;
use super::shape::Resume;
use super::text::{Escapes, Text};
use super::walk;
use crate::error::{CoreError, Result};
use crate::number;

/// What timestamps count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Nanoseconds.
    Nanoseconds,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
}

/// What stands at the place that is opened next.
#[derive(Clone, Copy)]
enum Next {
    Lines,
    Line,
    Series,
    Measurement,
    Tags,
    Tag,
    Fields,
    Field,
    Time,
}

/// What is being read.
pub(super) enum Frame {
    Lines,
    /// How many of a line's members are behind.
    Line(u8),
    Tags,
    /// True before the first field.
    Fields(bool),
}

/// A place in line protocol.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    next: Next,
    precision: Precision,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8], precision: Precision) -> Self {
        Self {
            bytes,
            at: 0,
            next: Next::Lines,
            precision,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// True at the end of a line or of all.
    fn at_end(&self) -> bool {
        matches!(self.peek(), None | Some(b'\n'))
            || (self.peek() == Some(b'\r') && matches!(self.bytes.get(self.at + 1), None | Some(b'\n')))
    }

    fn spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    fn end_line(&mut self) {
        if self.peek() == Some(b'\r') {
            self.at += 1;
        }
        if self.peek() == Some(b'\n') {
            self.at += 1;
        }
    }

    /// A name, or a tag's value: at least one character up to one of `stops` that no backslash stands before.
    fn name(&mut self, stops: &[u8]) -> Result<Text<'a>> {
        let from = self.at;
        let mut escapes = Escapes::None;
        while !self.at_end() {
            let byte = self.bytes[self.at];
            if stops.contains(&byte) {
                break;
            }
            self.at += 1;
            if byte == b'\\' {
                escapes = Escapes::LineName;
                if matches!(self.peek(), Some(b',' | b'=' | b' ')) {
                    self.at += 1;
                }
            }
        }
        if self.at == from {
            return Err(self.wrong());
        }
        Ok(Text::escaped(&self.bytes[from..self.at], escapes))
    }

    /// Measurement and tags as they stand; the cursor stays before them.
    fn series(&self) -> Result<Found<'a>> {
        self.clone().name(b" ").map(Found::Text)
    }

    /// Nothing where something must be is an end too soon; anything else is wrong.
    fn wrong(&self) -> CoreError {
        if self.peek().is_none() {
            CoreError::Truncated
        } else {
            CoreError::Corrupt
        }
    }

    /// Why a word, behind which this stands, is not what must be there.
    fn not(&self, word: &[u8]) -> CoreError {
        if word.is_empty() {
            self.wrong()
        } else {
            CoreError::Corrupt
        }
    }

    /// A key and its equals sign.
    fn key(&mut self) -> Result<Child<'a>> {
        let name = self.name(b",= ")?;
        if self.peek() != Some(b'=') {
            return Err(self.wrong());
        }
        self.at += 1;
        Ok(Child::Name(name))
    }

    fn string(&mut self) -> Result<Found<'a>> {
        self.at += 1;
        let from = self.at;
        let mut escapes = Escapes::None;
        loop {
            match self.peek().ok_or(CoreError::Truncated)? {
                b'"' => {
                    self.at += 1;
                    let text = &self.bytes[from..self.at - 1];
                    return Ok(Found::Text(Text::escaped(text, escapes)));
                }
                b'\\' => {
                    escapes = Escapes::LineString;
                    self.at += 1;
                    if matches!(self.peek(), Some(b'"' | b'\\')) {
                        self.at += 1;
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    /// What stands up to a comma, a space or the end of the line.
    fn word(&mut self) -> &'a [u8] {
        let from = self.at;
        loop {
            let rest = &self.bytes[self.at..];
            let stop = rest.iter().position(|byte| matches!(byte, b',' | b' ' | b'\n' | b'\r'));
            self.at += stop.unwrap_or(rest.len());
            // A carriage return ends a line only where the line ends.
            if self.peek() != Some(b'\r') || self.at_end() {
                return &self.bytes[from..self.at];
            }
            self.at += 1;
        }
    }

    fn field(&mut self) -> Result<Found<'a>> {
        if self.peek() == Some(b'"') {
            return self.string();
        }
        let word = self.word();
        if let Some((value, length)) = number::read(word)
            && length == word.len()
        {
            return Ok(Found::Number(value));
        }
        let found = match word {
            b"t" | b"T" | b"true" | b"True" | b"TRUE" => Some(Found::Bool(true)),
            b"f" | b"F" | b"false" | b"False" | b"FALSE" => Some(Found::Bool(false)),
            [digits @ .., b'i'] => parse(digits).map(|value: i64| Found::integer(value < 0, value.unsigned_abs())),
            [digits @ .., b'u'] if digits.first() != Some(&b'-') => {
                parse(digits).map(|value| Found::integer(false, value))
            }
            _ => float(word),
        };
        found.ok_or_else(|| self.not(word))
    }

    fn time(&mut self) -> Result<Found<'a>> {
        let word = self.word();
        let count = number::integer(word).ok_or_else(|| self.not(word))?;
        let per_ms = match self.precision {
            Precision::Nanoseconds => 1_000_000,
            Precision::Microseconds => 1000,
            #[expect(clippy::cast_precision_loss, reason = "a time that is not exact is far out of range")]
            Precision::Milliseconds => return Ok(Found::Time(count as f64)),
            #[expect(clippy::cast_precision_loss, reason = "a time that is not exact is far out of range")]
            Precision::Seconds => return Ok(Found::Time(count as f64 * 1000.0)),
        };
        #[expect(clippy::cast_precision_loss, reason = "both parts are below 2^53")]
        let (whole, part) = (count.div_euclid(per_ms) as f64, count.rem_euclid(per_ms) as f64);
        #[expect(clippy::cast_precision_loss, reason = "a power of ten")]
        Ok(Found::Time(whole + part / per_ms as f64))
    }
}

impl<'a> walk::Cursor<'a> for Cursor<'a> {
    type Frame = Frame;

    fn open(&mut self, wanted: bool, found: &mut Found<'a>) -> Result<walk::Token<Frame>> {
        *found = match self.next {
            Next::Lines => return Ok(walk::Token::List(Frame::Lines)),
            Next::Line => return Ok(walk::Token::Map(Frame::Line(0))),
            Next::Tags => return Ok(walk::Token::Map(Frame::Tags)),
            Next::Fields => return Ok(walk::Token::Map(Frame::Fields(true))),
            Next::Series if wanted => self.series()?,
            Next::Series => Found::Other,
            Next::Measurement => Found::Text(self.name(b", ")?),
            Next::Tag => Found::Text(self.name(b",= ")?),
            Next::Field => self.field()?,
            Next::Time => self.time()?,
        };
        Ok(walk::Token::Scalar)
    }

    fn member(&mut self, frame: &mut Frame) -> Result<Option<Child<'a>>> {
        match frame {
            Frame::Lines => Ok(None),
            Frame::Line(behind) => {
                if *behind == 4 {
                    self.spaces();
                }
                let (name, next): (&[u8], Next) = match *behind {
                    0 => (b"series", Next::Series),
                    1 => (b"measurement", Next::Measurement),
                    2 => (b"tags", Next::Tags),
                    3 => (b"fields", Next::Fields),
                    4 if !self.at_end() => (b"time", Next::Time),
                    _ => {
                        self.spaces();
                        return if self.at_end() {
                            self.end_line();
                            Ok(None)
                        } else {
                            Err(CoreError::Corrupt)
                        };
                    }
                };
                *behind += 1;
                self.next = next;
                Ok(Some(Child::Name(Text::plain(name))))
            }
            Frame::Tags => match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.next = Next::Tag;
                    self.key().map(Some)
                }
                Some(b' ') => Ok(None),
                _ => Err(self.wrong()),
            },
            Frame::Fields(first) => {
                if core::mem::take(first) {
                    self.spaces();
                } else if self.peek() == Some(b',') {
                    self.at += 1;
                } else if self.at_end() || self.peek() == Some(b' ') {
                    return Ok(None);
                } else {
                    return Err(CoreError::Corrupt);
                }
                self.next = Next::Field;
                self.key().map(Some)
            }
        }
    }

    fn element(&mut self, _: &mut Frame) -> Result<bool> {
        loop {
            self.spaces();
            match self.peek() {
                None => return Ok(false),
                Some(b'#') => {
                    while !self.at_end() {
                        self.at += 1;
                    }
                }
                _ if !self.at_end() => break,
                _ => {}
            }
            self.end_line();
        }
        self.next = Next::Line;
        Ok(true)
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Scalars, in the order of their states.
const SCALARS: [Next; 4] = [Next::Measurement, Next::Tag, Next::Field, Next::Time];

impl<'a> Resume<'a> for Cursor<'a> {
    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn state(&self) -> u8 {
        match self.next {
            Next::Measurement => 0,
            Next::Tag => 1,
            Next::Field => 2,
            _ => 3,
        }
    }

    fn resume(&mut self, rest: &'a [u8], state: u8) {
        (self.bytes, self.at) = (rest, 0);
        self.next = SCALARS[usize::from(state)];
    }
}

/// Digits as an integer, without a plus sign.
fn parse<T: core::str::FromStr>(digits: &[u8]) -> Option<T> {
    let text = core::str::from_utf8(digits).ok()?;
    if text.starts_with('+') { None } else { text.parse().ok() }
}

/// A float in a form that JSON does not have: digits, a point, an exponent; infinite when it is too large.
fn float<'a>(word: &[u8]) -> Option<Found<'a>> {
    let known = word
        .iter()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'));
    let value = if known { parse(word) } else { None };
    value.map(Found::Number)
}

#[cfg(test)]
mod tests;
