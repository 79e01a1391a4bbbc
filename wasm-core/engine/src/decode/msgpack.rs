//! MessagePack (msgpack.org, specification of 2017). Everything is read but maps whose keys are arrays or maps, which are
//! refused as foreign. The timestamp extension is a time; other extensions and bytes are no values.

use super::bytes::{Bytes, child};
use super::found::Found;
use super::rows::Child;
use super::shape::Resume;
use super::text::Text;
use super::walk;
use crate::error::{CoreError, Result};

/// Type of the timestamp extension: −1.
const TIMESTAMP: u8 = 0xff;
const NANOSECONDS: u64 = 1_000_000_000;

/// A place in MessagePack.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    bytes: Bytes<'a>,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: Bytes::new(bytes),
        }
    }

    fn text(&mut self, length: u64) -> Result<Found<'a>> {
        self.bytes.take(length).map(|bytes| Found::Text(Text::plain(bytes)))
    }

    fn signed(&mut self, bytes: u64) -> Result<Found<'a>> {
        let shift = 64 - 8 * bytes;
        let value = (self.bytes.unsigned(bytes)? << shift).cast_signed() >> shift;
        Ok(Found::integer(value < 0, value.unsigned_abs()))
    }

    fn extension(&mut self, length: u64) -> Result<Found<'a>> {
        let kind = self.bytes.u8()?;
        let mut data = Bytes::new(self.bytes.take(length)?);
        if kind != TIMESTAMP {
            return Ok(Found::Other);
        }
        let (seconds, nanoseconds) = match length {
            4 => (data.unsigned(4)?.cast_signed(), 0),
            8 => {
                let both = data.unsigned(8)?;
                ((both & ((1 << 34) - 1)).cast_signed(), both >> 34)
            }
            12 => {
                let nanoseconds = data.unsigned(4)?;
                (data.unsigned(8)?.cast_signed(), nanoseconds)
            }
            _ => return Err(CoreError::Corrupt),
        };
        if nanoseconds >= NANOSECONDS {
            return Err(CoreError::Corrupt);
        }
        #[expect(clippy::cast_precision_loss, reason = "a time that is not exact is far out of range")]
        Ok(Found::Time(seconds as f64 * 1000.0 + nanoseconds as f64 / 1e6))
    }
}

impl<'a> walk::Cursor<'a> for Cursor<'a> {
    /// How many items are left.
    type Frame = u64;

    fn open(&mut self, _: bool, found: &mut Found<'a>) -> Result<walk::Token<u64>> {
        let first = self.bytes.u8()?;
        // The types with a length in 1, 2 or 4 bytes follow each other.
        let sized = |this: &mut Self, from: u8| this.bytes.unsigned(1 << (first - from));
        *found = match first {
            0x00..=0x7f => Found::integer(false, first.into()),
            0x80..=0x8f => return Ok(walk::Token::Map((first & 0x0f).into())),
            0x90..=0x9f => return Ok(walk::Token::List((first & 0x0f).into())),
            0xa0..=0xbf => self.text((first & 0x1f).into())?,
            0xc0 => Found::Other,
            0xc1 => return Err(CoreError::Corrupt),
            0xc2 | 0xc3 => Found::Bool(first == 0xc3),
            0xc4..=0xc6 => {
                let length = sized(self, 0xc4)?;
                self.bytes.take(length).map(|_| Found::Other)?
            }
            0xc7..=0xc9 => {
                let length = sized(self, 0xc7)?;
                self.extension(length)?
            }
            0xca => Found::Number(self.bytes.f32()?),
            0xcb => Found::Number(self.bytes.f64()?),
            0xcc..=0xcf => Found::integer(false, sized(self, 0xcc)?),
            0xd0..=0xd3 => self.signed(1 << (first - 0xd0))?,
            0xd4..=0xd8 => self.extension(1 << (first - 0xd4))?,
            0xd9..=0xdb => {
                let length = sized(self, 0xd9)?;
                self.text(length)?
            }
            0xdc | 0xdd => return Ok(walk::Token::List(sized(self, 0xdb)?)),
            0xde | 0xdf => return Ok(walk::Token::Map(sized(self, 0xdd)?)),
            0xe0..=0xff => Found::integer(true, first.cast_signed().unsigned_abs().into()),
        };
        Ok(walk::Token::Scalar)
    }

    fn pass(&mut self, levels: usize) -> Result<()> {
        // What most values are: numbers, short text, truth and nothing.
        let first = self.bytes.peek()?;
        let behind = match first {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => 0,
            0xa0..=0xbf => u64::from(first & 0x1f),
            0xca => 4,
            0xcb => 8,
            0xcc..=0xcf => 1 << (first - 0xcc),
            0xd0..=0xd3 => 1 << (first - 0xd0),
            _ => return walk::pass(self, levels),
        };
        self.bytes.take(1 + behind).map(|_| ())
    }

    fn member(&mut self, left: &mut u64) -> Result<Option<Child<'a>>> {
        if !self.element(left)? {
            return Ok(None);
        }
        if let Some(name) = self.bytes.short_text(0xa0, 31) {
            return Ok(Some(Child::Name(name)));
        }
        let mut name = Found::Other;
        match self.open(true, &mut name)? {
            walk::Token::Scalar => Ok(Some(child(&name))),
            walk::Token::Map(_) | walk::Token::List(_) => Err(CoreError::Foreign),
        }
    }

    fn element(&mut self, left: &mut u64) -> Result<bool> {
        let more = *left > 0;
        *left -= u64::from(more);
        Ok(more)
    }

    fn finish(&mut self) -> Result<()> {
        self.bytes.finish()
    }
}

impl<'a> Resume<'a> for Cursor<'a> {
    fn left(&self) -> usize {
        self.bytes.left()
    }

    fn state(&self) -> u8 {
        0
    }

    fn resume(&mut self, rest: &'a [u8], _: u8) {
        *self = Self::new(rest);
    }
}
