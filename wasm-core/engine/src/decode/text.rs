//! Text inside a payload, left where it stands: its bytes and the kind of escapes that may be in them. What it says is
//! worked out only where it is compared or becomes a name, so that nothing is copied for text that nobody asked for.

use crate::error::{CoreError, Result};
use crate::json::unescape;

/// How characters that cannot stand for themselves are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escapes {
    /// Every byte stands for itself.
    None,
    /// RFC 8259 §7.
    Json,
    /// A quote is written twice (RFC 4180 §2.7).
    Csv,
    /// Line protocol, outside of strings: `\,`, `\=` and `\ `; any other backslash stands for itself.
    LineName,
    /// Line protocol, in strings: `\"` and `\\`; any other backslash stands for itself.
    LineString,
}

/// A piece of text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Text<'a> {
    bytes: &'a [u8],
    escapes: Escapes,
}

impl<'a> Text<'a> {
    /// Text whose bytes stand for themselves.
    #[must_use]
    pub const fn plain(bytes: &'a [u8]) -> Self {
        Self::escaped(bytes, Escapes::None)
    }

    /// Text whose escapes have been checked.
    #[must_use]
    pub const fn escaped(bytes: &'a [u8], escapes: Escapes) -> Self {
        Self { bytes, escapes }
    }

    /// The bytes, when they stand for themselves.
    #[must_use]
    pub fn as_plain(&self) -> Option<&'a [u8]> {
        (self.escapes == Escapes::None).then_some(self.bytes)
    }

    /// Its bytes, and how characters are written in them.
    #[must_use]
    pub fn parts(&self) -> (&'a [u8], Escapes) {
        (self.bytes, self.escapes)
    }

    /// True when its last byte, which is no escape's, is `last`.
    #[must_use]
    pub fn ends_with(&self, last: u8) -> bool {
        self.bytes.last() == Some(&last)
    }

    /// True when it says `wanted`.
    #[must_use]
    pub fn equals(&self, wanted: &str) -> bool {
        if self.escapes == Escapes::None {
            return self.bytes == wanted.as_bytes();
        }
        let mut rest = wanted.as_bytes();
        let same = self.pieces(|piece| match rest.strip_prefix(piece) {
            Some(behind) => {
                rest = behind;
                Ok(())
            }
            None => Err(CoreError::Foreign),
        });
        same.is_ok() && rest.is_empty()
    }

    /// Appends what it says.
    ///
    /// # Errors
    /// `Corrupt` when it is not UTF-8.
    pub fn append(&self, out: &mut String) -> Result<()> {
        self.pieces(|piece| {
            out.push_str(core::str::from_utf8(piece).map_err(|_| CoreError::Corrupt)?);
            Ok(())
        })
    }

    /// Hands on what it says, piece by piece. Pieces end at ASCII bytes only, so that they are UTF-8 if the whole is.
    fn pieces(&self, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let introducer = match self.escapes {
            Escapes::None => return each(self.bytes),
            Escapes::Csv => b'"',
            Escapes::Json | Escapes::LineName | Escapes::LineString => b'\\',
        };
        let mut rest = self.bytes;
        while !rest.is_empty() {
            let plain = rest.iter().position(|&byte| byte == introducer).unwrap_or(rest.len());
            if plain > 0 {
                each(&rest[..plain])?;
                rest = &rest[plain..];
                continue;
            }
            let mut buffer = [0; 4];
            let (character, taken) = self.escape(&rest[1..])?;
            each(character.encode_utf8(&mut buffer).as_bytes())?;
            rest = &rest[1 + taken..];
        }
        Ok(())
    }

    /// The character of the escape that `bytes` stands behind, and how many of them it takes.
    fn escape(&self, bytes: &[u8]) -> Result<(char, usize)> {
        let itself = match (self.escapes, bytes.first()) {
            (Escapes::Json, _) => return unescape(bytes).ok_or(CoreError::Corrupt),
            (Escapes::Csv, _) => return Ok(('"', bytes.len().min(1))),
            (Escapes::LineName, Some(b',' | b'=' | b' ')) | (Escapes::LineString, Some(b'"' | b'\\')) => bytes[0],
            _ => return Ok(('\\', 0)),
        };
        Ok((char::from(itself), 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_say_what_their_format_says() {
        for (bytes, escapes, says) in [
            ("a\\u00e9\\/\\n", Escapes::Json, "aé/\n"),
            ("a\"\"b\"\"", Escapes::Csv, "a\"b\""),
            ("a\\,b\\ c\\=d\\e\\\\", Escapes::LineName, "a,b c=d\\e\\\\"),
            ("a\\\"b\\\\c\\,", Escapes::LineString, "a\"b\\c\\,"),
            ("a\\b\"", Escapes::None, "a\\b\""),
        ] {
            let text = Text::escaped(bytes.as_bytes(), escapes);
            let mut out = String::new();
            text.append(&mut out).unwrap();
            assert_eq!(out, says);
            assert!(text.equals(says), "{bytes}");
            assert!(
                !text.equals("other") && !text.equals(&says[..says.len() - 1]) && !text.equals(&format!("{says}x"))
            );
        }
    }

    #[test]
    fn what_is_not_utf8_becomes_no_name() {
        let mut out = String::new();
        assert_eq!(Text::plain(b"a\xff").append(&mut out), Err(CoreError::Corrupt));
    }
}
