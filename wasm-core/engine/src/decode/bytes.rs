//! Bytes of a binary payload, read from front to back in network order.

use super::found::Found;
use super::rows::Child;
use super::text::Text;
use crate::error::{CoreError, Result};

/// What has not been read yet.
#[derive(Clone)]
pub(super) struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many there are.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: u64) -> Result<&'a [u8]> {
        let count = usize::try_from(count).map_err(|_| CoreError::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CoreError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub fn peek(&self) -> Result<u8> {
        self.rest.first().copied().ok_or(CoreError::Truncated)
    }

    pub fn u8(&mut self) -> Result<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// Text whose length stands in the lowest bits of its first byte, above which are those of `kind`; `None`, and nothing is
    /// taken, when there is none of at most `longest` bytes.
    pub fn short_text(&mut self, kind: u8, longest: u8) -> Option<Text<'a>> {
        let (first, rest) = self.rest.split_first()?;
        let length = first.checked_sub(kind).filter(|length| *length <= longest)?;
        let (text, rest) = rest.split_at_checked(length.into())?;
        self.rest = rest;
        Some(Text::plain(text))
    }

    /// An unsigned integer of at most 8 bytes.
    pub fn unsigned(&mut self, bytes: u64) -> Result<u64> {
        Ok(match *self.take(bytes)? {
            [a] => a.into(),
            [a, b] => u16::from_be_bytes([a, b]).into(),
            [a, b, c, d] => u32::from_be_bytes([a, b, c, d]).into(),
            [a, b, c, d, e, f, g, h] => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            ref other => other.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)),
        })
    }

    pub fn f32(&mut self) -> Result<f64> {
        let bits = u32::try_from(self.unsigned(4)?).expect("four bytes");
        Ok(f64::from(f32::from_bits(bits)))
    }

    pub fn f64(&mut self) -> Result<f64> {
        self.unsigned(8).map(f64::from_bits)
    }

    /// Nothing may be left.
    pub fn finish(&self) -> Result<()> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(CoreError::Corrupt)
        }
    }
}

/// What a member is called whose name is `found`.
pub(super) fn child<'a>(found: &Found<'a>) -> Child<'a> {
    match *found {
        Found::Text(text) => Child::Name(text),
        Found::Whole { negative, size } => Child::Whole { negative, size },
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "below 2^53 and whole: exact"
        )]
        Found::Number(number) if number.trunc() == number => Child::Whole {
            negative: number < 0.0,
            size: number.abs() as u64,
        },
        _ => Child::Other,
    }
}
