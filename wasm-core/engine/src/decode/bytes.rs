//! Bytes of a binary payload, read from front to back in network order.

use super::found::Found;
use super::rows::Child;
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

    /// An unsigned integer of at most 8 bytes.
    pub fn unsigned(&mut self, bytes: u64) -> Result<u64> {
        let taken = self.take(bytes)?;
        Ok(taken.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
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
pub(super) fn child(found: Found) -> Child {
    match found {
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
