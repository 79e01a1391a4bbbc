//! Little-endian writing and reading, field by field: checkpoints, outputs, statistics and releases all use it.
//! A reader never trusts a length: it asks for bytes and gets `Truncated` when they are not there.

use crate::error::{CoreError, Result};
use crate::parts::Progress;

const NAN_BITS: u64 = 0x7ff8_0000_0000_0000;
/// Highest count that a state may hold: the whole numbers that a report shows exactly.
const COUNTER_MAX: u64 = 1 << 53;

/// Appends fields to a growing buffer.
#[derive(Default)]
pub struct Writer {
    bytes: Vec<u8>,
    /// Set while a state is written in parts.
    pub(crate) parts: Option<Progress>,
}

macro_rules! write_number {
    ($($name:ident $type:ty),*) => {$(
        #[doc = concat!("Appends a little-endian `", stringify!($type), "`.")]
        pub fn $name(&mut self, value: $type) { self.bytes.extend_from_slice(&value.to_le_bytes()); }
    )*};
}

impl Writer {
    /// An empty writer.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            parts: None,
        }
    }

    write_number!(u8 u8, u16 u16, u32 u32, u64 u64, i64 i64);

    /// Appends a little-endian `f64`. Every NaN is written as the one with the bits `0x7ff8_0000_0000_0000`: sign and
    /// payload of a computed NaN are the processor's, and x86-64 and arm64 differ in them.
    pub fn f64(&mut self, value: f64) {
        let bits = if value.is_nan() { NAN_BITS } else { value.to_bits() };
        self.u64(bits);
    }

    /// Appends 0 or 1.
    pub fn bool(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    /// Appends bytes without a length.
    pub fn raw(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
    }

    /// Appends a `u32` length and the bytes.
    pub fn bytes(&mut self, value: &[u8]) {
        self.u32(u32::try_from(value.len()).expect("no field is longer than 4 GiB in a 4 GiB address space"));
        self.raw(value);
    }

    /// Appends text as `bytes` of UTF-8.
    pub fn str(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// Appends a `u32` count and the numbers.
    pub fn f64s(&mut self, values: &[f64]) {
        self.u32(u32::try_from(values.len()).expect("no field is longer than 4 GiB in a 4 GiB address space"));
        for &value in values {
            self.f64(value);
        }
    }

    /// Writes `value` over the four bytes at `at`, which must have been written before.
    pub fn patch_u32(&mut self, at: usize, value: u32) {
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True when nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Forgets what was written and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Forgets what was written from `length` on.
    pub fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    /// What was written.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// What was written, as an owned buffer.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }
}

/// Takes fields from a byte slice in the order they were written.
pub struct Reader<'a> {
    bytes: &'a [u8],
}

macro_rules! read_number {
    ($($name:ident $type:ty),*) => {$(
        #[doc = concat!("Takes a little-endian `", stringify!($type), "`.")]
        ///
        /// # Errors
        /// `Truncated` when the bytes end first.
        pub fn $name(&mut self) -> Result<$type> {
            let raw = self.raw(size_of::<$type>())?;
            Ok(<$type>::from_le_bytes(raw.try_into().expect("raw returned the length asked for")))
        }
    )*};
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    read_number!(u8 u8, u16 u16, u32 u32, u64 u64, i64 i64, f64 f64);

    /// Takes a 0 or 1.
    ///
    /// # Errors
    /// `Truncated`, or `Corrupt` for any other byte.
    pub fn bool(&mut self) -> Result<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(CoreError::Corrupt),
        }
    }

    /// Takes `count` bytes as they are.
    ///
    /// # Errors
    /// `Truncated` when fewer are left.
    pub fn raw(&mut self, count: usize) -> Result<&'a [u8]> {
        if count > self.bytes.len() {
            return Err(CoreError::Truncated);
        }
        let (taken, rest) = self.bytes.split_at(count);
        self.bytes = rest;
        Ok(taken)
    }

    /// Takes a `u64` that has counted something, so that counting on from it cannot overflow.
    ///
    /// # Errors
    /// `Truncated`, or `Corrupt` for more than 2^53: nobody has lived to count so far.
    pub fn counter(&mut self) -> Result<u64> {
        let count = self.u64()?;
        if count <= COUNTER_MAX {
            Ok(count)
        } else {
            Err(CoreError::Corrupt)
        }
    }

    /// Takes a `u32` length and that many bytes.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let count = self.u32()? as usize;
        self.raw(count)
    }

    /// Takes text written by `Writer::str`.
    ///
    /// # Errors
    /// `Truncated`, or `Corrupt` when it is not UTF-8.
    pub fn str(&mut self) -> Result<&'a str> {
        core::str::from_utf8(self.bytes()?).map_err(|_| CoreError::Corrupt)
    }

    /// Takes numbers written by `Writer::f64s`.
    ///
    /// # Errors
    /// `Truncated`; the count is checked against the bytes left before anything is allocated.
    pub fn f64s(&mut self) -> Result<Vec<f64>> {
        let count = self.count(8)?;
        (0..count).map(|_| self.f64()).collect()
    }

    /// Takes a `u32` count of items that each need at least `item_bytes_min` bytes, so that a hostile count cannot
    /// make the caller allocate more than the input is long.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn count(&mut self, item_bytes_min: usize) -> Result<usize> {
        let count = self.u32()? as usize;
        if count.saturating_mul(item_bytes_min) > self.bytes.len() {
            return Err(CoreError::Truncated);
        }
        Ok(count)
    }

    /// Takes a magic and a `u16` format version, from 1 to `version_max`.
    ///
    /// # Errors
    /// `Truncated`; `Foreign` for another magic; `TooNew` for a higher version; `Corrupt` for version 0.
    pub fn magic(&mut self, magic: &[u8; 4], version_max: u16) -> Result<u16> {
        if self.raw(4)? != magic {
            return Err(CoreError::Foreign);
        }
        match self.u16()? {
            0 => Err(CoreError::Corrupt),
            version if version > version_max => Err(CoreError::TooNew),
            version => Ok(version),
        }
    }

    /// Bytes not taken yet.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// `Corrupt` when bytes are left over.
    pub fn finish(self) -> Result<()> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(CoreError::Corrupt)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_counting_on_from_would_overflow_is_refused() {
        for (count, read) in [(0, Ok(0)), (1 << 53, Ok(1 << 53)), (u64::MAX, Err(CoreError::Corrupt))] {
            let mut writer = Writer::new();
            writer.u64(count);
            assert_eq!(Reader::new(writer.as_slice()).counter(), read);
        }
    }

    #[test]
    fn every_nan_is_written_with_the_same_bits() {
        for bits in [NAN_BITS, 0xfff8_0000_0000_0000, 0x7ff0_0000_0000_0001, u64::MAX] {
            let mut writer = Writer::new();
            writer.f64(f64::from_bits(bits));
            assert_eq!(writer.as_slice(), NAN_BITS.to_le_bytes());
        }
    }
}
