//! From a payload to readings: the values at a handful of paths, taken out of JSON while it is scanned once. No tree is
//! built and nothing is allocated; the whole text is checked, so a payload that is not JSON is refused wherever the error is.

use crate::error::{CoreError, Result};
use crate::json::{number_length, unescape};
use crate::number;

/// Paths of one source (fields, time and device number): they are tracked in the bits of a `u64`.
pub const PATHS_MAX: usize = 64;
/// Nesting of a payload; bounds the recursion.
const DEPTH_MAX: usize = 64;
/// Steps of a path; deeper than the nesting allowed it could not match.
const STEPS_MAX: usize = 32;

/// One step into a payload.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Name(String),
    Index(usize),
}

/// Where in a payload a value stands: `a.b[0].c`; empty for the payload itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    steps: Vec<Step>,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// `BadPlan` for an empty name, an index that is none, or more than 32 steps.
    pub fn parse(text: &str) -> Result<Self> {
        let mut steps = Vec::new();
        if !text.is_empty() {
            for part in text.split('.') {
                let (name, indexes) = part.split_at(part.find('[').unwrap_or(part.len()));
                if !name.is_empty() {
                    steps.push(Step::Name(name.into()));
                } else if !steps.is_empty() || indexes.is_empty() {
                    return Err(CoreError::BadPlan);
                }
                let mut rest = indexes;
                while !rest.is_empty() {
                    let inner = rest.strip_prefix('[').ok_or(CoreError::BadPlan)?;
                    let (index, behind) = inner.split_once(']').ok_or(CoreError::BadPlan)?;
                    if index.is_empty() || index.len() > 9 || !index.bytes().all(|byte| byte.is_ascii_digit()) {
                        return Err(CoreError::BadPlan);
                    }
                    steps.push(Step::Index(index.parse().map_err(|_| CoreError::BadPlan)?));
                    rest = behind;
                }
            }
        }
        if steps.len() > STEPS_MAX {
            return Err(CoreError::BadPlan);
        }
        Ok(Self { steps })
    }

    /// True when it names the payload itself.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.steps.is_empty()
    }
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Found<'a> {
    /// Nothing.
    Absent,
    /// `null`, an object or an array: nothing to be read.
    Other,
    /// A number; infinite when it is too large for binary64.
    Number(f64),
    /// `true` or `false`.
    Bool(bool),
    /// The bytes between the quotes, escapes as they are.
    Text(&'a [u8]),
}

impl Found<'_> {
    /// The finite number it is or holds as text; `true` is 1 and `false` 0.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match *self {
            Self::Number(number) => number.is_finite().then_some(number),
            Self::Bool(bool) => Some(f64::from(u8::from(bool))),
            Self::Text(text) => number::whole(text),
            Self::Absent | Self::Other => None,
        }
    }
}

/// Reads `payload` as JSON and fills `found` with what stands at each of `paths`; a name that stands twice counts the
/// last time, as in JavaScript.
///
/// # Errors
/// `Truncated` or `Corrupt` when it is not JSON, `Limit` when it is nested deeper than 64.
pub fn scan<'a>(payload: &'a [u8], paths: &[Path], found: &mut [Found<'a>]) -> Result<()> {
    debug_assert!(paths.len() <= PATHS_MAX && paths.len() == found.len());
    found.fill(Found::Absent);
    let all = if paths.len() == PATHS_MAX {
        u64::MAX
    } else {
        (1 << paths.len()) - 1
    };
    let mut scanner = Scanner {
        bytes: payload,
        at: 0,
        paths,
        found,
    };
    scanner.space();
    scanner.value(0, all)?;
    scanner.space();
    if scanner.at == payload.len() {
        Ok(())
    } else {
        Err(CoreError::Corrupt)
    }
}

struct Scanner<'a, 'b> {
    bytes: &'a [u8],
    at: usize,
    paths: &'b [Path],
    found: &'b mut [Found<'a>],
}

impl<'a> Scanner<'a, '_> {
    fn peek(&self) -> Result<u8> {
        self.bytes.get(self.at).copied().ok_or(CoreError::Truncated)
    }

    fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<()> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(word) {
            self.at += word.len();
            Ok(())
        } else if word.starts_with(rest) {
            Err(CoreError::Truncated)
        } else {
            Err(CoreError::Corrupt)
        }
    }

    /// Scans one value. `active` are the paths whose first `depth` steps led here.
    fn value(&mut self, depth: usize, active: u64) -> Result<()> {
        if depth > DEPTH_MAX {
            return Err(CoreError::Limit);
        }
        let value = match self.peek()? {
            b'"' => Found::Text(self.string()?),
            b'{' => return self.object(depth, active),
            b'[' => return self.list(depth, active),
            b't' => self.word(b"true").map(|()| Found::Bool(true))?,
            b'f' => self.word(b"false").map(|()| Found::Bool(false))?,
            b'n' => self.word(b"null").map(|()| Found::Other)?,
            b'-' | b'0'..=b'9' => self.number(active != 0)?,
            _ => return Err(CoreError::Corrupt),
        };
        if active != 0 {
            self.capture(depth, active, value);
        }
        Ok(())
    }

    /// Notes `value` for the paths that end here; returns those that go on.
    fn capture(&mut self, depth: usize, active: u64, value: Found<'a>) -> u64 {
        let mut going = 0;
        for path in bits(active) {
            if self.paths[path].steps.len() == depth {
                self.found[path] = value;
            } else {
                going |= 1 << path;
            }
        }
        going
    }

    fn number(&mut self, wanted: bool) -> Result<Found<'a>> {
        let rest = &self.bytes[self.at..];
        let (value, length) = if wanted {
            number::read(rest).ok_or(CoreError::Corrupt)?
        } else {
            (0.0, number_length(rest).ok_or(CoreError::Corrupt)?)
        };
        self.at += length;
        Ok(Found::Number(value))
    }

    /// The bytes of a string, escapes checked but as they are.
    fn string(&mut self) -> Result<&'a [u8]> {
        self.at += 1;
        let from = self.at;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Ok(&self.bytes[from..self.at - 1]);
                }
                b'\\' => {
                    let (_, taken) = unescape(&self.bytes[self.at + 1..]).ok_or(CoreError::Corrupt)?;
                    self.at += 1 + taken;
                }
                0..0x20 => return Err(CoreError::Corrupt),
                _ => self.at += 1,
            }
        }
    }

    fn object(&mut self, depth: usize, active: u64) -> Result<()> {
        let going = self.capture(depth, active, Found::Other);
        self.at += 1;
        self.space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            if self.peek()? != b'"' {
                return Err(CoreError::Corrupt);
            }
            let name = self.string()?;
            let mut next = 0;
            for path in bits(going) {
                if matches!(&self.paths[path].steps[depth], Step::Name(wanted) if text_equals(name, wanted)) {
                    next |= 1 << path;
                }
            }
            self.space();
            if self.peek()? != b':' {
                return Err(CoreError::Corrupt);
            }
            self.at += 1;
            self.space();
            self.value(depth + 1, next)?;
            if !self.more(b'}')? {
                return Ok(());
            }
        }
    }

    fn list(&mut self, depth: usize, active: u64) -> Result<()> {
        let going = self.capture(depth, active, Found::Other);
        self.at += 1;
        self.space();
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(());
        }
        let mut index = 0;
        loop {
            let mut next = 0;
            for path in bits(going) {
                if self.paths[path].steps[depth] == Step::Index(index) {
                    next |= 1 << path;
                }
            }
            self.space();
            self.value(depth + 1, next)?;
            index += 1;
            if !self.more(b']')? {
                return Ok(());
            }
        }
    }

    /// True behind a comma, false behind `close`.
    fn more(&mut self, close: u8) -> Result<bool> {
        self.space();
        let byte = self.peek()?;
        self.at += 1;
        match byte {
            b',' => Ok(true),
            _ if byte == close => Ok(false),
            _ => Err(CoreError::Corrupt),
        }
    }
}

/// Positions of the bits that are set, from the lowest.
fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        (mask != 0).then(|| {
            let bit = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            bit
        })
    })
}

/// True when JSON text, escapes as they are, says `wanted`.
fn text_equals(raw: &[u8], wanted: &str) -> bool {
    if !raw.contains(&b'\\') {
        return raw == wanted.as_bytes();
    }
    let mut rest = wanted.as_bytes();
    let mut at = 0;
    while at < raw.len() {
        let mut buffer = [0; 4];
        let (piece, taken) = if raw[at] == b'\\' {
            let Some((character, taken)) = unescape(&raw[at + 1..]) else {
                return false;
            };
            (character.encode_utf8(&mut buffer).as_bytes(), taken + 1)
        } else {
            (&raw[at..=at], 1)
        };
        let Some(behind) = rest.strip_prefix(piece) else {
            return false;
        };
        rest = behind;
        at += taken;
    }
    rest.is_empty()
}

/// Appends what JSON text, escapes as they are, says.
///
/// # Errors
/// `Corrupt` when it is not UTF-8.
pub fn unescape_into(raw: &[u8], out: &mut String) -> Result<()> {
    let text = core::str::from_utf8(raw).map_err(|_| CoreError::Corrupt)?;
    let mut rest = text;
    while let Some(escape) = rest.find('\\') {
        out.push_str(&rest[..escape]);
        let (character, taken) = unescape(&rest.as_bytes()[escape + 1..]).ok_or(CoreError::Corrupt)?;
        out.push(character);
        rest = &rest[escape + 1 + taken..];
    }
    out.push_str(rest);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn find<'a>(payload: &'a str, paths: &[&str]) -> Result<Vec<Found<'a>>> {
        let paths: Vec<Path> = paths.iter().map(|path| Path::parse(path).unwrap()).collect();
        let mut found = vec![Found::Absent; paths.len()];
        scan(payload.as_bytes(), &paths, &mut found).map(|()| found)
    }

    #[test]
    fn values_are_found_at_their_paths() {
        let payload = r#" {"a":{"b":[1,{"c":-2.5e1}],"d":"x\"y"},"e":true,"f":null,"a2":9} "#;
        let found = find(payload, &["a.b[1].c", "a.d", "e", "f", "a.b[7]", "a.b", "zz"]).unwrap();
        assert_eq!(found[0], Found::Number(-25.0));
        assert_eq!(found[1], Found::Text(b"x\\\"y"));
        assert_eq!(found[2], Found::Bool(true));
        assert_eq!(found[3..], [Found::Other, Found::Absent, Found::Other, Found::Absent]);
    }

    #[test]
    fn the_payload_itself_may_be_the_value() {
        assert_eq!(find("21.5", &[""]), Ok(vec![Found::Number(21.5)]));
        assert_eq!(find(" true ", &[""]), Ok(vec![Found::Bool(true)]));
        assert_eq!(find("[1,[2,3]]", &["[1][0]"]), Ok(vec![Found::Number(2.0)]));
    }

    #[test]
    fn escaped_names_are_the_names_they_say() {
        assert_eq!(find(r#"{"\u0061\u00e9":1}"#, &["aé"]), Ok(vec![Found::Number(1.0)]));
        assert_eq!(find(r#"{"a\/b":1}"#, &["a/b"]), Ok(vec![Found::Number(1.0)]));
    }

    #[test]
    fn a_name_that_stands_twice_counts_the_last_time() {
        assert_eq!(find(r#"{"a":1,"a":2}"#, &["a"]), Ok(vec![Found::Number(2.0)]));
    }

    #[test]
    fn text_and_truth_can_be_numbers() {
        let found = find(r#"["21.5",false,"x",1e999,{}]"#, &["[0]", "[1]", "[2]", "[3]", "[4]"]).unwrap();
        let numbers: Vec<_> = found.iter().map(Found::number).collect();
        assert_eq!(numbers, [Some(21.5), Some(0.0), None, None, None]);
    }

    #[test]
    fn what_is_not_json_is_refused_wherever_the_error_is() {
        for (payload, error) in [
            ("", CoreError::Truncated),
            ("{\"a\":1", CoreError::Truncated),
            ("{\"a\":tru", CoreError::Truncated),
            ("{\"a\":1,}", CoreError::Corrupt),
            ("{\"a\":1} x", CoreError::Corrupt),
            ("{\"a\":01}", CoreError::Corrupt),
            ("{\"b\":[1,2,x],\"a\":1}", CoreError::Corrupt),
            ("{\"a\" 1}", CoreError::Corrupt),
            ("{a:1}", CoreError::Corrupt),
            ("\"\\q\"", CoreError::Corrupt),
            ("\"\n\"", CoreError::Corrupt),
        ] {
            assert_eq!(find(payload, &["a"]), Err(error), "{payload}");
        }
        assert_eq!(find(&"[".repeat(100), &["a"]), Err(CoreError::Limit));
    }

    #[test]
    fn malformed_paths_are_refused() {
        for path in [".", "a.", "a..b", "a[", "a[]", "a[x]", "a[1]b", "a.[1]", "[-1]"] {
            assert!(Path::parse(path).is_err(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_scanned_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let paths = [Path::parse("").unwrap(), Path::parse("a.b[0]").unwrap()];
            let _ = scan(&bytes, &paths, &mut [Found::Absent; 2]);
        }

        #[test]
        fn what_the_tree_parser_accepts_is_accepted(text in "[\\[\\]{}\",:0-2eE.+\\-tab\\\\ ]{0,24}") {
            let paths = [Path::parse("a").unwrap(), Path::parse("[0]").unwrap()];
            let scanned = scan(text.as_bytes(), &paths, &mut [Found::Absent; 2]);
            // The tree parser also refuses what only a plan may not have: names that stand twice, infinite numbers.
            if crate::json::parse(text.as_bytes()).is_ok() {
                prop_assert_eq!(scanned, Ok(()));
            }
        }
    }
}
