//! Fixed binary layouts: values at places that the plan describes. Nothing in the payload says what it is, so its length is
//! the only thing that can be checked.

use super::found::Found;
use super::rows::Child;
use super::walk;
use crate::error::{CoreError, Result};

/// How a value's bytes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An unsigned integer.
    Unsigned,
    /// An integer in two's complement.
    Signed,
    /// binary32 or binary64, by its size.
    Float,
}

/// One value of a layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// What paths call it.
    pub name: String,
    /// Bytes before it.
    pub at: usize,
    /// How its bytes are read.
    pub kind: Kind,
    /// How many there are: 1 to 8.
    pub bytes: usize,
    /// True when the most significant comes first.
    pub big: bool,
    /// The bits of it that count: the lowest, from 0, and how many; 0: all.
    pub bits: (u32, u32),
    /// What it is multiplied with.
    pub scale: f64,
    /// What is added afterwards.
    pub add: f64,
}

/// A payload of fixed places.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Bytes of a payload; 0: at least up to the end of the last value.
    pub length: usize,
    /// What stands in it.
    pub values: Vec<Value>,
}

impl Value {
    /// The first byte behind it.
    #[must_use]
    pub fn end(&self) -> usize {
        self.at + self.bytes
    }

    fn read<'a>(&self, payload: &[u8]) -> Result<Found<'a>> {
        let bytes = payload.get(self.at..self.end()).ok_or(CoreError::Truncated)?;
        let shift = |sum: u64, &byte: &u8| sum << 8 | u64::from(byte);
        let raw = if self.big {
            bytes.iter().fold(0, shift)
        } else {
            bytes.iter().rev().fold(0, shift)
        };
        let unused = 64 - 8 * u32::try_from(self.bytes).expect("at most 8");
        let found = match self.kind {
            Kind::Unsigned => {
                let (from, count) = self.bits;
                let mask = if count == 0 { u64::MAX } else { u64::MAX >> (64 - count) };
                Found::integer(false, raw >> from & mask)
            }
            Kind::Signed => {
                let value = (raw << unused).cast_signed() >> unused;
                Found::integer(value < 0, value.unsigned_abs())
            }
            Kind::Float if self.bytes == 4 => {
                Found::Number(f32::from_bits(u32::try_from(raw).expect("four bytes")).into())
            }
            Kind::Float => Found::Number(f64::from_bits(raw)),
        };
        Ok(self.scaled(found))
    }

    /// A scale such as 0.01 is meant as a decimal, and no binary number is: dividing by 100 rounds once, to what was meant.
    #[expect(clippy::float_cmp, reason = "only what is exact is left as it is")]
    fn scaled<'a>(&self, found: Found<'a>) -> Found<'a> {
        if self.scale == 1.0 && self.add == 0.0 {
            return found;
        }
        let value = match found {
            Found::Number(value) => value,
            other => other.number().unwrap_or(f64::NAN),
        };
        let inverse = libm::round(1.0 / self.scale);
        let value = if 1.0 / inverse == self.scale {
            value / inverse
        } else {
            value * self.scale
        };
        Found::Number(value + self.add)
    }
}

/// A place in a payload of fixed places.
#[derive(Clone)]
pub(super) struct Cursor<'a, 'l> {
    payload: &'a [u8],
    layout: &'l Layout,
    /// The value that is opened next; `None`: the payload itself.
    next: Option<usize>,
}

impl<'a, 'l> Cursor<'a, 'l> {
    pub fn new(payload: &'a [u8], layout: &'l Layout) -> Self {
        Self {
            payload,
            layout,
            next: None,
        }
    }
}

impl<'a> walk::Cursor<'a> for Cursor<'a, '_> {
    /// How many values are behind.
    type Frame = usize;

    fn open(&mut self, wanted: bool) -> Result<walk::Token<'a, usize>> {
        match self.next {
            None => {
                let end = self.layout.values.iter().map(Value::end).max().unwrap_or(0);
                let least = self.layout.length.max(end);
                if self.payload.len() < least {
                    Err(CoreError::Truncated)
                } else if self.layout.length > 0 && self.payload.len() > least {
                    Err(CoreError::Corrupt)
                } else {
                    Ok(walk::Token::Map(0))
                }
            }
            Some(value) if wanted => self.layout.values[value].read(self.payload).map(walk::Token::Scalar),
            Some(_) => Ok(walk::Token::Scalar(Found::Other)),
        }
    }

    fn member(&mut self, behind: &mut usize) -> Result<Option<Child<'a>>> {
        if *behind == self.layout.values.len() {
            return Ok(None);
        }
        self.next = Some(*behind);
        *behind += 1;
        Ok(Some(Child::Column(*behind - 1, None)))
    }

    fn element(&mut self, _: &mut usize) -> Result<bool> {
        Ok(false)
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::find_first;
    use super::*;
    use proptest::prelude::*;

    fn value(at: usize, kind: Kind, bytes: usize, big: bool) -> Value {
        Value {
            name: String::new(),
            at,
            kind,
            bytes,
            big,
            bits: (0, 0),
            scale: 1.0,
            add: 0.0,
        }
    }

    fn read(payload: &[u8], value: Value) -> Result<Found<'_>> {
        let layout = Layout {
            length: 0,
            values: vec![value],
        };
        find_first(Cursor::new(payload, &layout), &["[0]"]).map(|found| found[0])
    }

    #[test]
    fn values_of_every_kind_and_order_are_read() {
        let payload = [0x80, 0x01, 0xff, 0xfe, 0x42, 0x28, 0, 0];
        let number = |number| Ok(Found::Number(number));
        assert_eq!(read(&payload, value(0, Kind::Unsigned, 2, true)), number(32769.0));
        assert_eq!(read(&payload, value(0, Kind::Unsigned, 2, false)), number(384.0));
        assert_eq!(read(&payload, value(0, Kind::Signed, 2, true)), number(-32767.0));
        assert_eq!(read(&payload, value(2, Kind::Signed, 1, true)), number(-1.0));
        assert_eq!(read(&payload, value(1, Kind::Signed, 3, false)), number(-65791.0));
        assert_eq!(read(&payload, value(4, Kind::Float, 4, true)), number(42.0));
        let mut bits = value(0, Kind::Unsigned, 2, true);
        bits.bits = (14, 2);
        assert_eq!(read(&payload, bits), number(2.0));
        assert_eq!(
            read(&payload, value(7, Kind::Unsigned, 2, true)),
            Err(CoreError::Truncated)
        );
        assert!(matches!(read(&[0xff; 8], value(0, Kind::Float, 8, true)), Ok(Found::Number(nan)) if nan.is_nan()));
        assert_eq!(
            read(&[0xff; 8], value(0, Kind::Unsigned, 8, true)).unwrap(),
            Found::integer(false, u64::MAX)
        );
    }

    #[test]
    fn a_payload_of_another_length_is_refused() {
        let layout = Layout {
            length: 2,
            values: vec![value(0, Kind::Unsigned, 2, true)],
        };
        assert_eq!(
            find_first(Cursor::new(&[1], &layout), &["[0]"]),
            Err(CoreError::Truncated)
        );
        assert_eq!(
            find_first(Cursor::new(&[1, 2, 3], &layout), &["[0]"]),
            Err(CoreError::Corrupt)
        );
    }

    proptest! {
        #[test]
        fn a_decimal_scale_gives_the_decimal_that_was_meant(raw in any::<i16>(), digits in 0_u32..6) {
            let mut scaled = value(0, Kind::Signed, 2, true);
            scaled.scale = format!("1e-{digits}").parse().unwrap();
            let meant: f64 = format!("{raw}e-{digits}").parse().unwrap();
            let payload = raw.to_be_bytes();
            prop_assert_eq!(read(&payload, scaled), Ok(Found::Number(meant)));
        }
    }
}
