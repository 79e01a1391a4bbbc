//! Fixed binary layouts: values at places that the plan describes. Nothing in the payload says what it is, so its length is
//! the only thing that can be checked.

use super::found::Found;
use super::rows::Decoded;
use super::selection::{Move, Selection};
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

/// What a value is multiplied with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// 1.
    None,
    /// A number.
    Times(f64),
    /// One over a whole number.
    Over(f64),
}

impl Scale {
    /// A scale such as 0.01 is meant as a decimal, and no binary number is: dividing by 100 rounds once, to what was meant.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "only what is exact is taken for it")]
    pub fn of(scale: f64) -> Self {
        let inverse = libm::round(1.0 / scale);
        if scale == 1.0 {
            Self::None
        } else if 1.0 / inverse == scale {
            Self::Over(inverse)
        } else {
            Self::Times(scale)
        }
    }
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
    pub scale: Scale,
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
    /// The first byte behind all values.
    pub end: usize,
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

    fn scaled<'a>(&self, found: Found<'a>) -> Found<'a> {
        if self.scale == Scale::None && self.add == 0.0 {
            return found;
        }
        let value = match found {
            Found::Number(value) => value,
            other => other.number().unwrap_or(f64::NAN),
        };
        let value = match self.scale {
            Scale::None => value,
            Scale::Times(scale) => value * scale,
            Scale::Over(inverse) => value / inverse,
        };
        Found::Number(value + self.add)
    }
}

impl Layout {
    /// Reads the values that `selection` names by their place.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt` for a payload of another length.
    pub(super) fn read(&self, payload: &[u8], selection: &Selection, decoded: &mut Decoded) -> Result<()> {
        let least = self.length.max(self.end);
        if payload.len() < least {
            return Err(CoreError::Truncated);
        }
        if self.length > 0 && payload.len() > least {
            return Err(CoreError::Corrupt);
        }
        decoded.rows.begin(selection);
        for (path, route) in selection.routes.iter().enumerate() {
            if let [Move::Index(place)] = route.moves[..]
                && let Some(value) = self.values.get(place)
            {
                decoded.rows.set(selection, path, &value.read(payload)?);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::path::Path;
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
            scale: Scale::None,
            add: 0.0,
        }
    }

    fn first(payload: &[u8], layout: &Layout) -> Result<Found<'static>> {
        let selection = Selection::new(&[Path::parse("[0]").unwrap()]).unwrap();
        let mut decoded = Decoded::default();
        layout.read(payload, &selection, &mut decoded)?;
        Ok(decoded.whole(&selection, 0))
    }

    fn read(payload: &[u8], value: Value) -> Result<Found<'static>> {
        let (length, end) = (0, value.end());
        let values = vec![value];
        first(payload, &Layout { length, values, end })
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
            end: 2,
        };
        assert_eq!(first(&[1], &layout), Err(CoreError::Truncated));
        assert_eq!(first(&[1, 2, 3], &layout), Err(CoreError::Corrupt));
    }

    proptest! {
        #[test]
        fn a_decimal_scale_gives_the_decimal_that_was_meant(raw in any::<i16>(), digits in 0_u32..6) {
            let mut scaled = value(0, Kind::Signed, 2, true);
            scaled.scale = Scale::of(format!("1e-{digits}").parse().unwrap());
            let meant: f64 = format!("{raw}e-{digits}").parse().unwrap();
            let payload = raw.to_be_bytes();
            prop_assert_eq!(read(&payload, scaled), Ok(Found::Number(meant)));
        }
    }
}
