//! CBOR (RFC 8949). Everything well-formed is read but maps whose keys are arrays or maps, which are refused as foreign. Text
//! in several pieces is no value. Tags that say how to make a number are followed (bignums, decimal fractions, bigfloats); others are
//! passed over, so that a tagged time is the number or text that it is.

use core::fmt::Write;

use super::bytes::{Bytes, child};
use super::found::Found;
use super::rows::Child;
use super::shape::Resume;
use super::text::Text;
use super::walk;
use crate::error::{CoreError, Result};

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
/// The additional information of an item of indefinite length, and of the break that ends it.
const INDEFINITE: u8 = 31;
const BREAK: u8 = 0xff;
const TAG_BIGNUM: u64 = 2;
const TAG_NEGATIVE_BIGNUM: u64 = 3;
const TAG_DECIMAL_FRACTION: u64 = 4;
const TAG_BIGFLOAT: u64 = 5;

/// A place in CBOR.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    bytes: Bytes<'a>,
}

/// How many items are left; `None`: up to a break.
pub(super) type Frame = Option<u64>;

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: Bytes::new(bytes),
        }
    }

    /// Major type, additional information and argument; `None` for an indefinite length.
    fn head(&mut self) -> Result<(u8, u8, Option<u64>)> {
        let first = self.bytes.u8()?;
        let (major, info) = (first >> 5, first & 31);
        let argument = match info {
            0..=23 => Some(u64::from(info)),
            24..=27 => Some(self.bytes.unsigned(1 << (info - 24))?),
            INDEFINITE => None,
            _ => return Err(CoreError::Corrupt),
        };
        Ok((major, info, argument))
    }

    /// Text or bytes of indefinite length: pieces of the same kind up to a break. Two or more are not one place.
    fn pieces(&mut self, major: u8) -> Result<Option<&'a [u8]>> {
        let (mut pieces, mut last) = (0, &[][..]);
        while self.bytes.peek()? != BREAK {
            let (kind, _, length) = self.head()?;
            let length = length.filter(|_| kind == major).ok_or(CoreError::Corrupt)?;
            last = self.bytes.take(length)?;
            pieces += 1;
        }
        self.bytes.u8()?;
        Ok((pieces < 2).then_some(last))
    }

    /// The number that a tag makes of what follows; `None` when it makes none of it.
    fn tagged(&mut self, tag: u64) -> Result<Option<Found<'a>>> {
        match tag {
            TAG_BIGNUM | TAG_NEGATIVE_BIGNUM => match self.head()? {
                (BYTES, _, Some(length)) => Ok(Some(bignum(tag, self.bytes.take(length)?))),
                _ => Ok(None),
            },
            TAG_DECIMAL_FRACTION | TAG_BIGFLOAT => {
                let (ARRAY, _, Some(2)) = self.head()? else {
                    return Ok(None);
                };
                let mut parts = [(false, 0); 2];
                for part in &mut parts {
                    *part = match self.head()? {
                        (UNSIGNED, _, Some(size)) => (false, size.into()),
                        (NEGATIVE, _, Some(size)) => (true, u128::from(size) + 1),
                        _ => return Ok(None),
                    };
                }
                let made = if tag == TAG_BIGFLOAT { binary } else { decimal };
                Ok(Some(Found::Number(made(parts[1], parts[0]))))
            }
            _ => Ok(None),
        }
    }
}

impl<'a> walk::Cursor<'a> for Cursor<'a> {
    type Frame = Frame;

    fn open(&mut self, _: bool, found: &mut Found<'a>) -> Result<walk::Token<Frame>> {
        let (major, info, argument) = loop {
            let head = self.head()?;
            let (TAG, _, Some(tag)) = head else { break head };
            let mut ahead = self.clone();
            if let Some(number) = ahead.tagged(tag)? {
                *self = ahead;
                *found = number;
                return Ok(walk::Token::Scalar);
            }
        };
        *found = match (major, argument) {
            (UNSIGNED, Some(size)) => Found::integer(false, size),
            (NEGATIVE, Some(u64::MAX)) => Found::Number(-18_446_744_073_709_551_616.0),
            (NEGATIVE, Some(size)) => Found::integer(true, size + 1),
            (BYTES, Some(length)) => self.bytes.take(length).map(|_| Found::Other)?,
            (BYTES, None) => self.pieces(BYTES).map(|_| Found::Other)?,
            (TEXT, Some(length)) => Found::Text(Text::plain(self.bytes.take(length)?)),
            (TEXT, None) => match self.pieces(TEXT)? {
                Some(text) => Found::Text(Text::plain(text)),
                None => Found::Other,
            },
            (ARRAY, length) => return Ok(walk::Token::List(length)),
            (MAP, length) => return Ok(walk::Token::Map(length)),
            (UNSIGNED | NEGATIVE | TAG, _) | (_, None) => return Err(CoreError::Corrupt),
            (_, Some(argument)) => simple(info, argument)?,
        };
        Ok(walk::Token::Scalar)
    }

    fn pass(&mut self, levels: usize) -> Result<()> {
        // What most values are: numbers, short text, truth and nothing.
        let first = self.bytes.peek()?;
        let info = first & 31;
        let behind = match (first >> 5, info) {
            (UNSIGNED | NEGATIVE, 0..=23) | (7, 20..=23) => 0,
            (UNSIGNED | NEGATIVE, 24..=27) | (7, 25..=27) => 1 << (info - 24),
            (BYTES | TEXT, 0..=23) => u64::from(info),
            _ => return walk::pass(self, levels),
        };
        self.bytes.take(1 + behind).map(|_| ())
    }

    fn member(&mut self, left: &mut Frame) -> Result<Option<Child<'a>>> {
        if !self.element(left)? {
            return Ok(None);
        }
        if let Some(name) = self.bytes.short_text(TEXT << 5, 23) {
            return Ok(Some(Child::Name(name)));
        }
        let mut name = Found::Other;
        match self.open(true, &mut name)? {
            walk::Token::Scalar => Ok(Some(child(&name))),
            walk::Token::Map(_) | walk::Token::List(_) => Err(CoreError::Foreign),
        }
    }

    fn element(&mut self, left: &mut Frame) -> Result<bool> {
        match left {
            Some(0) => Ok(false),
            Some(left) => {
                *left -= 1;
                Ok(true)
            }
            None if self.bytes.peek()? == BREAK => self.bytes.u8().map(|_| false),
            None => Ok(true),
        }
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

/// A value of major type 7: truth, nothing, or a float.
fn simple<'a>(info: u8, argument: u64) -> Result<Found<'a>> {
    Ok(match info {
        20 => Found::Bool(false),
        21 => Found::Bool(true),
        24 if argument < 32 => return Err(CoreError::Corrupt),
        25 => Found::Number(half(u16::try_from(argument).expect("two bytes"))),
        26 => Found::Number(f32::from_bits(u32::try_from(argument).expect("four bytes")).into()),
        27 => Found::Number(f64::from_bits(argument)),
        _ => Found::Other,
    })
}

/// binary16, exactly.
fn half(bits: u16) -> f64 {
    let fraction = f64::from(bits & 0x3ff);
    let size = match (bits >> 10) & 31 {
        0 => fraction / f64::from(1 << 24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1024.0 + fraction) * f64::from(1 << exponent) / f64::from(1 << 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

/// An integer of any length, rounded to the nearest; one of more than 16 bytes is more than anything measures.
fn bignum<'a>(tag: u64, bytes: &[u8]) -> Found<'a> {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    let bytes = &bytes[zeros..];
    let negative = tag == TAG_NEGATIVE_BIGNUM;
    let size = bytes.iter().fold(0_u128, |sum, &byte| sum << 8 | u128::from(byte));
    let Some(size) = size.checked_add(u128::from(negative)).filter(|_| bytes.len() <= 16) else {
        return Found::Number(if negative { -f64::INFINITY } else { f64::INFINITY });
    };
    if let Ok(size) = u64::try_from(size) {
        return Found::integer(negative, size);
    }
    #[expect(clippy::cast_precision_loss, reason = "rounds to the nearest")]
    Found::Number(if negative { -(size as f64) } else { size as f64 })
}

/// Sign and size of a mantissa and of an exponent of ten, as the nearest binary64.
fn decimal(mantissa: (bool, u128), exponent: (bool, u128)) -> f64 {
    let sign = |negative: bool| if negative { "-" } else { "" };
    let mut text = Digits::default();
    let written = write!(
        text,
        "{}{}e{}{}",
        sign(mantissa.0),
        mantissa.1,
        sign(exponent.0),
        exponent.1.min(99_999)
    );
    written.expect("two integers of 64 bits fit");
    let text = core::str::from_utf8(&text.bytes[..text.length]).expect("digits");
    text.parse().expect("a number")
}

/// Sign and size of a mantissa and of an exponent of two, as the nearest binary64; near the smallest of them, where nothing
/// measures, rounded once more.
fn binary(mantissa: (bool, u128), exponent: (bool, u128)) -> f64 {
    let power = i32::try_from(exponent.1.min(99_999)).expect("five digits");
    #[expect(clippy::cast_precision_loss, reason = "rounds to the nearest")]
    let size = libm::scalbn(mantissa.1 as f64, if exponent.0 { -power } else { power });
    if mantissa.0 { -size } else { size }
}

/// Room for the text of two integers.
#[derive(Default)]
struct Digits {
    bytes: [u8; 32],
    length: usize,
}

impl Write for Digits {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let end = self.length + text.len();
        let place = self.bytes.get_mut(self.length..end).ok_or(core::fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
