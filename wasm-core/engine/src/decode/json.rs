//! JSON (RFC 8259), read where it stands. The whole text is checked, except that it is UTF-8 where nobody asks.

use super::found::{Found, WHOLE_FROM};
use super::rows::Child;
use super::scan::plain;
use super::shape::Resume;
use super::text::{Escapes, Text};
use super::walk;
use crate::error::{CoreError, Result};
use crate::json::{number_length, unescape};
use crate::number;

/// A place in JSON text.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn peek(&self) -> Result<u8> {
        self.bytes.get(self.at).copied().ok_or(CoreError::Truncated)
    }

    fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<()> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(word) {
            self.at += word.len();
            Ok(())
        } else if word.starts_with(rest) {
            Err(CoreError::Truncated)
        } else {
            Err(CoreError::Corrupt)
        }
    }

    /// A number of which nothing is wanted.
    fn pass_number(&mut self) -> Result<()> {
        self.at += number_length(&self.bytes[self.at..]).ok_or(CoreError::Corrupt)?;
        Ok(())
    }

    fn number(&mut self, found: &mut Found<'a>) -> Result<()> {
        let rest = &self.bytes[self.at..];
        let (value, length) = number::read(rest).ok_or(CoreError::Corrupt)?;
        self.at += length;
        *found = Found::Number(value);
        #[expect(clippy::cast_precision_loss, reason = "2^53 is exact")]
        if value.abs() >= WHOLE_FROM as f64
            && let Some(exact) = whole(&rest[..length])
        {
            *found = exact;
        }
        Ok(())
    }

    /// A scalar that begins with `first`.
    fn begins(&mut self, first: u8, found: &mut Found<'a>) -> Result<()> {
        match first {
            b'"' => *found = Found::Text(self.string()?),
            b't' => {
                self.word(b"true")?;
                *found = Found::Bool(true);
            }
            b'f' => {
                self.word(b"false")?;
                *found = Found::Bool(false);
            }
            b'n' => {
                self.word(b"null")?;
                *found = Found::Other;
            }
            b'-' | b'0'..=b'9' => self.number(found)?,
            _ => return Err(CoreError::Corrupt),
        }
        Ok(())
    }

    /// A string, its escapes checked.
    fn string(&mut self) -> Result<Text<'a>> {
        self.at += 1;
        let from = self.at;
        let mut escapes = Escapes::None;
        loop {
            self.at += plain(&self.bytes[self.at..]).ok_or(CoreError::Truncated)?;
            match self.bytes[self.at] {
                b'"' => {
                    self.at += 1;
                    return Ok(Text::escaped(&self.bytes[from..self.at - 1], escapes));
                }
                b'\\' => {
                    escapes = Escapes::Json;
                    let (_, taken) = unescape(&self.bytes[self.at + 1..]).ok_or(CoreError::Corrupt)?;
                    self.at += 1 + taken;
                }
                _ => return Err(CoreError::Corrupt),
            }
        }
    }

    /// A member's name and its colon.
    fn name(&mut self) -> Result<Text<'a>> {
        if self.peek()? != b'"' {
            return Err(CoreError::Corrupt);
        }
        let name = self.string()?;
        self.space();
        if self.peek()? != b':' {
            return Err(CoreError::Corrupt);
        }
        self.at += 1;
        Ok(name)
    }

    /// A scalar of which nothing is wanted.
    fn pass_scalar(&mut self, first: u8) -> Result<()> {
        match first {
            b'"' => self.string().map(|_| ()),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            b'-' | b'0'..=b'9' => self.pass_number(),
            _ => Err(CoreError::Corrupt),
        }
    }

    /// Goes to what follows in a map or list; false behind `close`.
    fn more(&mut self, first: &mut bool, close: u8) -> Result<bool> {
        self.space();
        let byte = self.peek()?;
        if byte == close {
            self.at += 1;
            return Ok(false);
        }
        if !core::mem::take(first) {
            if byte != b',' {
                return Err(CoreError::Corrupt);
            }
            self.at += 1;
            self.space();
        }
        Ok(true)
    }
}

impl<'a> walk::Cursor<'a> for Cursor<'a> {
    /// True before the first.
    type Frame = bool;

    fn open(&mut self, wanted: bool, found: &mut Found<'a>) -> Result<walk::Token<bool>> {
        self.space();
        match self.peek()? {
            b'{' => {
                self.at += 1;
                return Ok(walk::Token::Map(true));
            }
            b'[' => {
                self.at += 1;
                return Ok(walk::Token::List(true));
            }
            first if wanted => self.begins(first, found)?,
            first => self.pass_scalar(first)?,
        }
        Ok(walk::Token::Scalar)
    }

    fn member(&mut self, first: &mut bool) -> Result<Option<Child<'a>>> {
        if !self.more(first, b'}')? {
            return Ok(None);
        }
        self.name().map(|name| Some(Child::Name(name)))
    }

    fn element(&mut self, first: &mut bool) -> Result<bool> {
        self.more(first, b']')
    }

    /// Without a frame for each map and list: which of them are maps is a bit each.
    fn pass(&mut self, levels: usize) -> Result<()> {
        let (mut depth, mut maps) = (0, 0_u64);
        loop {
            self.space();
            let first = self.peek()?;
            if matches!(first, b'{' | b'[') {
                self.at += 1;
                self.space();
                // What closes stands two places behind what opens.
                if self.peek()? == first + 2 {
                    self.at += 1;
                } else if depth == levels {
                    return Err(CoreError::Limit);
                } else {
                    depth += 1;
                    maps = maps << 1 | u64::from(first == b'{');
                    if first == b'{' {
                        self.name()?;
                    }
                    continue;
                }
            } else {
                self.pass_scalar(first)?;
            }
            loop {
                if depth == 0 {
                    return Ok(());
                }
                self.space();
                let in_map = maps & 1 == 1;
                match self.peek()? {
                    b',' => {
                        self.at += 1;
                        if in_map {
                            self.space();
                            self.name()?;
                        }
                        break;
                    }
                    close if close == if in_map { b'}' } else { b']' } => {
                        self.at += 1;
                        maps >>= 1;
                        depth -= 1;
                    }
                    _ => return Err(CoreError::Corrupt),
                }
            }
        }
    }

    fn finish(&mut self) -> Result<()> {
        self.space();
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(CoreError::Corrupt)
        }
    }
}

impl<'a> Resume<'a> for Cursor<'a> {
    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn state(&self) -> u8 {
        0
    }

    fn resume(&mut self, rest: &'a [u8], _: u8) {
        *self = Self::new(rest);
    }

    /// Numbers without a detour: they are what mostly differs.
    fn scalar(&mut self, rest: &'a [u8], _: u8, wanted: bool, found: &mut Found<'a>) -> Option<usize> {
        *self = Self::new(rest);
        match (*rest.first()?, wanted) {
            (b'-' | b'0'..=b'9', false) => return number_length(rest),
            (b'-' | b'0'..=b'9', true) => self.number(found).ok()?,
            _ if matches!(walk::Cursor::open(self, wanted, found), Ok(walk::Token::Scalar)) => {}
            _ => return None,
        }
        Some(self.at)
    }
}

/// The integer that a number's text is, if it is one and fits.
fn whole<'a>(text: &[u8]) -> Option<Found<'a>> {
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let size = core::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Found::integer(negative, size))
}

#[cfg(test)]
mod tests;
