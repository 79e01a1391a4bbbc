//! What stands at a place of a payload, the same for every format: the few kinds of values that can become a reading, a
//! time, a counter, a name or a class.

use super::text::Text;
use crate::error::{CoreError, Result};
use crate::{json, number};

/// Largest magnitude of a reading: beyond it squares and sums of a window are not finite, and nothing measures it.
const VALUE_MAX: f64 = 1e100;
/// Integers from here on may not be binary64 numbers.
pub const WHOLE_FROM: u64 = 1 << 53;

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Found<'a> {
    /// Nothing.
    Absent,
    /// `null`, an object or an array: nothing to be read.
    Other,
    /// A number; not finite when the payload says so, or when it is too large for binary64.
    Number(f64),
    /// An integer of at least 2^53, kept exactly, since it may be a name.
    Whole {
        /// True below zero.
        negative: bool,
        /// Its magnitude.
        size: u64,
    },
    /// `true` or `false`.
    Bool(bool),
    /// Text.
    Text(Text<'a>),
    /// Two pieces of text that are one.
    Joined(Text<'a>, Text<'a>),
    /// Text that an earlier message announced, by its index in what was announced (Sparkplug).
    Announced(u32),
    /// A time in epoch milliseconds, where the format itself says that it is one.
    Time(f64),
}

/// A number that a reading can have.
///
/// # Errors
/// `BadNumbers` for one that is not finite or larger than anything measures.
pub(super) fn measured(value: f64) -> Result<f64> {
    if value.abs() <= VALUE_MAX {
        Ok(value)
    } else {
        Err(CoreError::BadNumbers)
    }
}

impl Found<'_> {
    /// An integer.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "below 2^53: exact")]
    pub fn integer(negative: bool, size: u64) -> Self {
        if size >= WHOLE_FROM {
            Self::Whole { negative, size }
        } else if negative {
            Self::Number(-(size as f64))
        } else {
            Self::Number(size as f64)
        }
    }

    /// The number it is or holds as text, rounded to the nearest binary64; `true` is 1 and `false` 0. Text that says no
    /// finite number is none; a number that is not finite is handed on.
    fn value(&self) -> Option<f64> {
        match *self {
            Self::Number(number) | Self::Time(number) => Some(number),
            #[expect(clippy::cast_precision_loss, reason = "rounds to the nearest")]
            Self::Whole { negative, size } => Some(if negative { -(size as f64) } else { size as f64 }),
            Self::Bool(bool) => Some(f64::from(u8::from(bool))),
            Self::Text(text) => number::whole(text.as_plain()?),
            Self::Absent | Self::Other | Self::Joined(..) | Self::Announced(_) => None,
        }
    }

    /// The finite number it is or holds as text.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        self.value().filter(|number| number.is_finite())
    }

    /// The reading it gives, if any.
    ///
    /// # Errors
    /// `BadNumbers` for a number that is not finite or larger than anything measures.
    pub fn reading(&self) -> Result<Option<f64>> {
        self.value().map(measured).transpose()
    }

    /// Appends it as a name: text as it is, a number as its shortest text. False when it is neither.
    ///
    /// # Errors
    /// `Corrupt` for text that is not UTF-8.
    pub fn append_name(&self, out: &mut String) -> Result<bool> {
        match *self {
            Self::Number(number) | Self::Time(number) if number.is_finite() => json::write_f64(out, number),
            Self::Whole { negative, size } => {
                out.push_str(if negative { "-" } else { "" });
                json::write_u64(out, size);
            }
            Self::Bool(bool) => out.push_str(if bool { "true" } else { "false" }),
            Self::Text(text) => text.append(out)?,
            Self::Joined(first, second) => {
                first.append(out)?;
                second.append(out)?;
            }
            Self::Number(_) | Self::Time(_) | Self::Absent | Self::Other | Self::Announced(_) => return Ok(false),
        }
        Ok(true)
    }

    /// True for text of any kind.
    #[must_use]
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Joined(..) | Self::Announced(_))
    }

    /// True when it is the text, number or truth value that `wanted` says.
    #[must_use]
    pub fn says(&self, wanted: &str) -> bool {
        match *self {
            Self::Text(text) => text.equals(wanted),
            Self::Number(number) => number::whole(wanted.as_bytes()) == Some(number),
            Self::Bool(bool) => wanted == if bool { "true" } else { "false" },
            Self::Joined(first, second) if let (Some(first), Some(second)) = (first.as_plain(), second.as_plain()) => {
                wanted.as_bytes().strip_prefix(first) == Some(second)
            }
            Self::Whole { .. } | Self::Joined(..) | Self::Time(_) => {
                let mut text = String::new();
                self.append_name(&mut text) == Ok(true) && text == wanted
            }
            Self::Absent | Self::Other | Self::Announced(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_beyond_what_is_measured_are_refused_and_text_is_not_a_number() {
        assert_eq!(Found::Number(21.5).reading(), Ok(Some(21.5)));
        assert_eq!(Found::Text(Text::plain(b"21.5")).reading(), Ok(Some(21.5)));
        for number in [f64::NAN, f64::INFINITY, -f64::INFINITY, 1e101] {
            assert_eq!(Found::Number(number).reading(), Err(CoreError::BadNumbers));
        }
        for found in [Found::Text(Text::plain(b"nan")), Found::Absent, Found::Other] {
            assert_eq!(found.reading(), Ok(None));
        }
    }

    #[test]
    fn large_integers_are_exact_names_and_rounded_numbers() {
        let found = Found::integer(true, u64::MAX);
        assert_eq!(found.number(), Some(-18_446_744_073_709_551_616.0));
        let mut name = String::new();
        assert_eq!(found.append_name(&mut name), Ok(true));
        assert_eq!(name, "-18446744073709551615");
        assert!(found.says(&name) && !found.says("1"));
    }
}
