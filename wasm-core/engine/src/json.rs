//! JSON as a tree, for plans, and JSON text, for reports. Plans are small and trusted little; messages never come through
//! here (`decode.rs` reads those without a tree). RFC 8259, strict, with a bounded depth and length.

use crate::error::{CoreError, Result};

/// Nesting of a plan: five levels are used; the rest is room for later versions. Bounds the recursion of `parse`.
const DEPTH_MAX: usize = 32;
/// Bytes of a plan: some ten thousand tasks; beyond that it is a mistake or an attack.
const PLAN_BYTES_MAX: usize = 4 << 20;

/// One JSON value. Objects keep their members in the order of the text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Any number, rounded to the nearest binary64.
    Number(f64),
    /// Text, unescaped.
    Text(String),
    /// An array.
    List(Vec<Value>),
    /// An object.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// The member `name` of an object; `None` when it is absent or this is no object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text, if this is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value, if this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, if this is a number.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The items, if this is an array.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// True for `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

/// Reads one JSON value and nothing behind it.
///
/// # Errors
/// `BadPlan` for anything RFC 8259 does not allow, a member named twice, nesting deeper than 32 or more than 4 MiB.
pub fn parse(bytes: &[u8]) -> Result<Value> {
    if bytes.len() > PLAN_BYTES_MAX {
        return Err(CoreError::BadPlan);
    }
    let text = core::str::from_utf8(bytes).map_err(|_| CoreError::BadPlan)?;
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    parser.space();
    if parser.at == text.len() {
        Ok(value)
    } else {
        Err(CoreError::BadPlan)
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(CoreError::BadPlan)
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(CoreError::BadPlan)
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        if depth > DEPTH_MAX {
            return Err(CoreError::BadPlan);
        }
        self.space();
        match self.peek() {
            Some(b'n') => self.word("null", Value::Null),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'"') => Ok(Value::Text(self.string()?)),
            Some(b'[') => self.list(depth),
            Some(b'{') => self.object(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(CoreError::BadPlan),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::List(items));
                }
                _ => return Err(CoreError::BadPlan),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value> {
        self.at += 1;
        let mut members: Vec<(String, Value)> = Vec::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(members));
        }
        loop {
            self.space();
            let key = self.string()?;
            if members.iter().any(|(other, _)| *other == key) {
                return Err(CoreError::BadPlan);
            }
            self.space();
            self.expect(b':')?;
            members.push((key, self.value(depth + 1)?));
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Object(members));
                }
                _ => return Err(CoreError::BadPlan),
            }
        }
    }

    fn string(&mut self) -> Result<String> {
        self.expect(b'"')?;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest
                .bytes()
                .take_while(|&byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
                .count();
            out.push_str(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    let (character, taken) = unescape(&self.text.as_bytes()[self.at..]).ok_or(CoreError::BadPlan)?;
                    out.push(character);
                    self.at += taken;
                }
                _ => return Err(CoreError::BadPlan),
            }
        }
    }

    fn number(&mut self) -> Result<Value> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = number_length(rest).ok_or(CoreError::BadPlan)?;
        let text = &self.text[self.at..self.at + length];
        self.at += length;
        let number: f64 = text.parse().map_err(|_| CoreError::BadPlan)?;
        if number.is_finite() {
            Ok(Value::Number(number))
        } else {
            Err(CoreError::BadPlan)
        }
    }
}

/// The character of the escape whose bytes behind the backslash `bytes` begins with, and how many of them it took. A
/// surrogate without its partner is refused.
#[must_use]
pub fn unescape(bytes: &[u8]) -> Option<(char, usize)> {
    let simple = match bytes.first()? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let high = hex4(bytes.get(1..5)?)?;
            if !(0xd800..0xdc00).contains(&high) {
                return Some((char::from_u32(high)?, 5));
            }
            if bytes.get(5..7)? != b"\\u" {
                return None;
            }
            let low = hex4(bytes.get(7..11)?)?;
            if !(0xdc00..0xe000).contains(&low) {
                return None;
            }
            return Some((char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))?, 11));
        }
        _ => return None,
    };
    Some((simple, 1))
}

fn hex4(bytes: &[u8]) -> Option<u32> {
    bytes
        .iter()
        .try_fold(0, |sum, &byte| Some(sum * 16 + char::from(byte).to_digit(16)?))
}

/// Bytes of the JSON number that `bytes` begins with; `None` when it begins with none.
#[must_use]
pub fn number_length(bytes: &[u8]) -> Option<usize> {
    let text = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let mut rest = behind_digits(text)?;
    if text[0] == b'0' && text.len() - rest.len() > 1 {
        return None;
    }
    if let Some((b'.', fraction)) = rest.split_first() {
        rest = behind_digits(fraction)?;
    }
    if let Some((b'e' | b'E', exponent)) = rest.split_first() {
        let unsigned = match exponent.split_first() {
            Some((b'+' | b'-', unsigned)) => unsigned,
            _ => exponent,
        };
        rest = behind_digits(unsigned)?;
    }
    Some(bytes.len() - rest.len())
}

/// What stands behind at least one digit.
fn behind_digits(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes;
    while let Some((b'0'..=b'9', behind)) = rest.split_first() {
        rest = behind;
    }
    (rest.len() < bytes.len()).then_some(rest)
}

/// A value as canonical text: no white space, members as they came.
#[must_use]
pub fn text(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value);
    out
}

fn write(out: &mut String, value: &Value) {
    let separated = |out: &mut String, index: usize| {
        if index > 0 {
            out.push(',');
        }
    };
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => write_f64(out, *number),
        Value::Text(text) => write_str(out, text),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separated(out, index);
                write(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                separated(out, index);
                write_str(out, name);
                out.push(':');
                write(out, member);
            }
            out.push('}');
        }
    }
}

/// Appends `text` as a JSON string, as short as RFC 8259 allows, so that equal text gives equal bytes.
pub fn write_str(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if control < ' ' => {
                let code = control as usize;
                out.push_str("\\u00");
                out.push(char::from(b"0123456789abcdef"[code >> 4]));
                out.push(char::from(b"0123456789abcdef"[code & 15]));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Appends the shortest decimal text that reads back as `number`; `null` when it is not finite.
pub fn write_f64(out: &mut String, number: f64) {
    use core::fmt::Write;
    let size = number.abs();
    let written = if !number.is_finite() {
        out.push_str("null");
        Ok(())
    } else if number == 0.0 || (1e-6..1e21).contains(&size) {
        write!(out, "{number}")
    } else {
        write!(out, "{number:e}")
    };
    written.expect("writing to a String does not fail");
}

/// Appends an integer.
pub fn write_u64(out: &mut String, number: u64) {
    use core::fmt::Write;
    write!(out, "{number}").expect("writing to a String does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_of_every_kind_are_read_in_order() {
        let value = parse(br#" {"a":[1,-2.5e3,true,null],"b":{"c":"\u00e9\ud83d\ude00\n"}} "#).unwrap();
        assert_eq!(value.get("a").unwrap().as_list().unwrap()[1].as_f64(), Some(-2500.0));
        assert_eq!(value.get("b").unwrap().get("c").unwrap().as_str(), Some("é😀\n"));
        assert!(value.get("a").unwrap().as_list().unwrap()[3].is_null());
    }

    #[test]
    fn what_the_standard_forbids_is_refused() {
        for text in [
            "",
            "{",
            "[1,]",
            "01",
            "1.",
            ".5",
            "1e",
            "+1",
            "\"\u{1}\"",
            "\"\\x\"",
            "\"\\ud800\"",
            "nul",
            "1 2",
            "{\"a\":1,\"a\":2}",
            "{a:1}",
            "1e999",
            "-",
        ] {
            assert_eq!(parse(text.as_bytes()), Err(CoreError::BadPlan), "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
        assert!(parse(("[".repeat(30) + &"]".repeat(30)).as_bytes()).is_ok());
    }

    #[test]
    fn numbers_are_written_so_that_they_read_back() {
        let mut out = String::new();
        for number in [
            0.0,
            1.0,
            -1.5,
            0.1,
            1e300,
            5e-324,
            123_456_789.125,
            f64::NAN,
            f64::INFINITY,
        ] {
            write_f64(&mut out, number);
            out.push(' ');
        }
        assert_eq!(out, "0 1 -1.5 0.1 1e300 5e-324 123456789.125 null null ");
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn json_like_text_is_parsed_or_refused_without_panic(text in "[\\[\\]{}\",:0-9eE.+\\-tfnul\\\\ ]{0,60}") {
            let _ = parse(text.as_bytes());
        }

        #[test]
        fn text_reads_back_as_it_was_written(text in "\\PC{0,20}[\\x00-\\x1f]{0,3}") {
            let mut out = String::new();
            write_str(&mut out, &text);
            prop_assert_eq!(parse(out.as_bytes()).unwrap(), Value::Text(text));
        }

        #[test]
        fn any_finite_number_reads_back_as_it_was_written(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            let mut out = String::new();
            write_f64(&mut out, number);
            prop_assert_eq!(parse(out.as_bytes()).unwrap().as_f64().unwrap().to_bits(), bits);
        }
    }
}
