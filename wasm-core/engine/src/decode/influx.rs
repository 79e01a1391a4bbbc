//! Influx line protocol: a list of lines, each with the members `series` (measurement and tags as they stand), `measurement`,
//! `tags`, `fields` and, if the line has a timestamp, `time`. Integers, floats, strings and truth values are as their field says; comments and empty lines are
//! passed over.

use super::found::Found;
use super::rows::Child;
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
        while !self.at_end() && !matches!(self.peek(), Some(b',' | b' ')) {
            self.at += 1;
        }
        &self.bytes[from..self.at]
    }

    fn field(&mut self) -> Result<Found<'a>> {
        if self.peek() == Some(b'"') {
            return self.string();
        }
        let word = self.word();
        let found = match word {
            b"t" | b"T" | b"true" | b"True" | b"TRUE" => Some(Found::Bool(true)),
            b"f" | b"F" | b"false" | b"False" | b"FALSE" => Some(Found::Bool(false)),
            [digits @ .., b'i'] => parse(digits).map(|value: i64| Found::integer(value < 0, value.unsigned_abs())),
            [digits @ .., b'u'] if digits.first() != Some(&b'-') => {
                parse(digits).map(|value| Found::integer(false, value))
            }
            _ => float(word),
        };
        found.ok_or_else(|| self.wrong())
    }

    fn time(&mut self) -> Result<Found<'a>> {
        let count: i64 = parse(self.word()).ok_or_else(|| self.wrong())?;
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

    fn open(&mut self, wanted: bool) -> Result<walk::Token<'a, Frame>> {
        let found = match self.next {
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
        Ok(walk::Token::Scalar(found))
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

/// Digits as an integer, without a plus sign.
fn parse<T: core::str::FromStr>(digits: &[u8]) -> Option<T> {
    let text = core::str::from_utf8(digits).ok()?;
    if text.starts_with('+') { None } else { text.parse().ok() }
}

/// A float: digits, a point, an exponent; infinite when it is too large.
fn float<'a>(word: &[u8]) -> Option<Found<'a>> {
    if let Some((value, length)) = number::read(word)
        && length == word.len()
    {
        return Some(Found::Number(value));
    }
    let known = word
        .iter()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'));
    let value = if known { parse(word) } else { None };
    value.map(Found::Number)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{find_first, find_rows};
    use super::*;
    use proptest::prelude::*;

    fn cursor(text: &str) -> Cursor<'_> {
        Cursor::new(text.as_bytes(), Precision::Nanoseconds)
    }

    fn text(says: &str) -> Found<'_> {
        Found::Text(Text::plain(says.as_bytes()))
    }

    const VECTOR: &str = "# a comment\n\nweather,site=north\\ 1,dev=a temp=21.5,wind=3i,n=4u,ok=t,say=\"a \\\"b\\\", c\" 1760000000123456789\r\nweather,dev=b temp=-1e-1\n";

    #[test]
    fn a_series_is_measurement_and_tags() {
        let rows = find_rows(cursor(VECTOR), &["[*].series", "[*].fields.wind"]).unwrap();
        let mut name = String::new();
        assert_eq!(rows[0].1[0].append_name(&mut name), Ok(true));
        assert_eq!(name, "weather,site=north 1,dev=a");
        assert_eq!(rows[1].1[0], text("weather,dev=b"));
    }

    #[test]
    fn a_line_has_a_measurement_tags_typed_fields_and_a_time() {
        let paths = [
            "[0].measurement",
            "[0].tags.site",
            "[0].fields.temp",
            "[0].fields.wind",
            "[0].fields.n",
            "[0].fields.ok",
        ];
        let found = find_first(cursor(VECTOR), &paths).unwrap();
        let site = Found::Text(Text::escaped(b"north\\ 1", Escapes::LineName));
        let number = Found::Number;
        assert_eq!(
            found,
            [
                text("weather"),
                site,
                number(21.5),
                number(3.0),
                number(4.0),
                Found::Bool(true)
            ]
        );
        let found = find_first(
            cursor(VECTOR),
            &["[0].fields.say", "[0].time", "[1].time", "[1].fields.temp"],
        )
        .unwrap();
        assert_eq!(
            found[0],
            Found::Text(Text::escaped(b"a \\\"b\\\", c", Escapes::LineString))
        );
        assert_eq!(
            found[1..],
            [Found::Time(1_760_000_000_123.456_8), Found::Absent, number(-0.1)]
        );
        let rows = find_rows(cursor(VECTOR), &["*.fields.temp", "*.tags.dev"]).unwrap();
        assert_eq!(rows[1].1, [number(-0.1), text("b")]);
    }

    #[test]
    fn timestamps_are_in_the_precision_that_the_source_names() {
        for (precision, time) in [
            (Precision::Nanoseconds, "1760000000500000000"),
            (Precision::Microseconds, "1760000000500000"),
            (Precision::Milliseconds, "1760000000500"),
        ] {
            let line = format!("m v=1 {time}");
            let found = find_first(Cursor::new(line.as_bytes(), precision), &["[0].time"]).unwrap();
            assert_eq!(found, [Found::Time(1_760_000_000_500.0)]);
        }
        let found = find_first(Cursor::new(b"m v=1 -2", Precision::Seconds), &["[0].time"]).unwrap();
        assert_eq!(found, [Found::Time(-2000.0)]);
    }

    #[test]
    fn malformed_lines_are_refused() {
        for line in [
            "m",
            "m ",
            "m v",
            "m v=",
            "m v=1,",
            "m v=1 x",
            "m v=1 2 3",
            ",a=b v=1",
            "m,a v=1",
            "m,a= v=1",
            "m,=b v=1",
            "m =1",
            "m v=\"a",
            "m v=1x",
            "m v=nan",
            "m v=inf",
            "m v=--1",
            "m v=+1i",
            "m v=-1u",
            "m v=1.5i",
            "m v=99999999999999999999i",
            "m v=tru",
            "m,a=b=c v=1",
            "m v=1 1.5",
            "m v=1\nm v",
        ] {
            assert!(find_first(cursor(line), &["[0].fields.v"]).is_err(), "{line}");
        }
        let found = find_first(cursor("m v=1e999,w=.5"), &["[0].fields.v", "[0].fields.w"]).unwrap();
        assert_eq!(found, [Found::Number(f64::INFINITY), Found::Number(0.5)]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = find_first(Cursor::new(&bytes, Precision::Nanoseconds), &["[0].fields.v", "*.tags.{t}", "[?tags.a=b].time"]);
        }

        #[test]
        fn any_line_like_text_is_read_or_refused(text in "[mav,= \\\\\"1itu.e\\n\\r#-]{0,40}") {
            let _ = find_first(cursor(&text), &["[0].fields.v", "*.tags.{t}", "[?tags.a=b].time"]);
        }

        #[test]
        fn floats_are_rounded_as_the_standard_library_rounds(value in "-?[0-9]{1,20}(\\.[0-9]{0,20})?([eE][+-]?[0-9]{1,2})?") {
            let line = format!("m v={value}");
            let expected: f64 = value.parse().unwrap();
            prop_assert_eq!(find_first(cursor(&line), &["[0].fields.v"]).unwrap(), [Found::Number(expected)]);
        }
    }
}
