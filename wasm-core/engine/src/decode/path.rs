//! Where in a payload values stand: the path language of FORMATS.md §3, one for every format.

use crate::error::{CoreError, Result};

/// Steps of a path; deeper than the nesting allowed it could not match.
const STEPS_MAX: usize = 32;
/// Characters of a capture's name.
const CAPTURE_MAX: usize = 32;

/// One step into a payload.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The member of this name.
    Name(String),
    /// The element at this place.
    Index(usize),
    /// Each member or element, one row for each: `*`, or `{name}`, which remembers the member's name or element's place.
    /// With a guard only where the condition holds.
    Each {
        /// Name of the capture.
        capture: Option<String>,
        /// What must hold.
        guard: Option<Condition>,
    },
    /// The member or element for which the condition holds; where several do, the last.
    Where(Condition),
}

/// `path=value` inside a member or element.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Names and places only.
    pub path: Path,
    /// What must stand there, as text.
    pub wanted: String,
}

/// Where in a payload a value stands: `a.b[0].c`; empty for the payload itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Path {
    /// From the outside in.
    pub steps: Vec<Step>,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// `BadPlan` for an empty name, a bracket or brace out of place, an index that is none, or more than 32 steps.
    pub fn parse(text: &str) -> Result<Self> {
        let mut steps = Vec::new();
        let mut rest = text;
        // At the start and behind a dot a name is due; at the start a bracket may stand instead.
        let mut name_due = true;
        while !rest.is_empty() || (name_due && !steps.is_empty()) {
            if let Some(inner) = rest.strip_prefix('[') {
                if name_due && !steps.is_empty() {
                    return Err(CoreError::BadPlan);
                }
                let (step, behind) = bracket(inner)?;
                steps.push(step);
                (rest, name_due) = (behind, false);
            } else if name_due {
                let (name, behind) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
                steps.push(named(name)?);
                (rest, name_due) = (behind, false);
            } else {
                rest = rest.strip_prefix('.').ok_or(CoreError::BadPlan)?;
                name_due = true;
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

    /// True when no step of it meets several things.
    #[must_use]
    pub fn is_single(&self) -> bool {
        !self.steps.iter().any(|step| matches!(step, Step::Each { .. }))
    }

    /// The path in each of a payload's records: a condition on the record itself, or any record.
    ///
    /// # Errors
    /// `BadPlan` when that makes it too long.
    pub fn in_records(mut self) -> Result<Self> {
        let guard = match self.steps.first() {
            Some(Step::Where(_)) => match self.steps.remove(0) {
                Step::Where(condition) => Some(condition),
                _ => None,
            },
            _ => None,
        };
        self.steps.insert(0, Step::Each { capture: None, guard });
        if self.steps.len() > STEPS_MAX {
            return Err(CoreError::BadPlan);
        }
        Ok(self)
    }
}

/// A step outside of brackets.
fn named(name: &str) -> Result<Step> {
    if let Some(step) = each(name)? {
        return Ok(step);
    }
    if name.is_empty() || name.contains([']', '{', '}']) {
        return Err(CoreError::BadPlan);
    }
    Ok(Step::Name(name.into()))
}

/// `*` or `{name}`.
fn each(text: &str) -> Result<Option<Step>> {
    let capture = match text.strip_prefix('{') {
        None if text == "*" => None,
        None => return Ok(None),
        Some(inner) => Some(inner.strip_suffix('}').ok_or(CoreError::BadPlan)?),
    };
    if capture.is_some_and(|name| !is_capture_name(name)) {
        return Err(CoreError::BadPlan);
    }
    Ok(Some(Step::Each {
        capture: capture.map(String::from),
        guard: None,
    }))
}

/// True for a letter followed by letters, digits and underscores, at most 32 in all.
#[must_use]
pub fn is_capture_name(name: &str) -> bool {
    name.len() <= CAPTURE_MAX
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The step that `inner` begins with, behind its opening bracket, and what comes behind it.
fn bracket(inner: &str) -> Result<(Step, &str)> {
    if let Some(quoted) = inner.strip_prefix('\'') {
        let (name, behind) = quoted.split_once("']").ok_or(CoreError::BadPlan)?;
        return Ok((Step::Name(name.into()), behind));
    }
    if let Some(condition) = inner.strip_prefix('?') {
        let (path, value) = condition.split_once('=').ok_or(CoreError::BadPlan)?;
        let path = Path::parse(path)?;
        let plain = |step: &Step| matches!(step, Step::Name(_) | Step::Index(_));
        if path.is_whole() || !path.steps.iter().all(plain) {
            return Err(CoreError::BadPlan);
        }
        let (wanted, behind) = match value.strip_prefix('\'') {
            Some(quoted) => quoted.split_once("']"),
            None => value.split_once(']'),
        }
        .ok_or(CoreError::BadPlan)?;
        let condition = Condition {
            path,
            wanted: wanted.into(),
        };
        return Ok((Step::Where(condition), behind));
    }
    let (text, behind) = inner.split_once(']').ok_or(CoreError::BadPlan)?;
    if let Some(step) = each(text)? {
        return Ok((step, behind));
    }
    if text.is_empty() || text.len() > 9 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(CoreError::BadPlan);
    }
    Ok((Step::Index(text.parse().map_err(|_| CoreError::BadPlan)?), behind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_step_is_read() {
        let path = Path::parse("a.*[0].{dev}[*]['x.y']['']").unwrap();
        let each = |capture: Option<&str>| Step::Each {
            capture: capture.map(String::from),
            guard: None,
        };
        let name = |name: &str| Step::Name(name.into());
        assert_eq!(
            path.steps,
            [
                name("a"),
                each(None),
                Step::Index(0),
                each(Some("dev")),
                each(None),
                name("x.y"),
                name("")
            ]
        );
        let path = Path::parse("[?n=voltage].v").unwrap();
        assert!(matches!(&path.steps[0], Step::Where(condition) if condition.wanted == "voltage"));
        let path = Path::parse("a[?m.n[1]='x]=y'].v").unwrap();
        assert!(matches!(&path.steps[1], Step::Where(condition) if condition.wanted == "x]=y"));
    }

    #[test]
    fn malformed_paths_are_refused() {
        for path in [
            ".",
            "a.",
            "a..b",
            "a[",
            "a[]",
            "a[x]",
            "a[1]b",
            "a.[1]",
            "[-1]",
            "a]",
            "{}",
            "{a",
            "a{b}",
            "{1}",
            "[{a]",
            "['a'",
            "['a]",
            "[?]",
            "[?a]",
            "[?=1]",
            "[?a=1",
            "[?*=1].v",
            "[?a[?b=1]=2]",
            "[?a='1]",
        ] {
            assert!(Path::parse(path).is_err(), "{path}");
        }
        assert!(Path::parse(&["a"; 33].join(".")).is_err());
        assert!(Path::parse(&["a"; 32].join(".")).is_ok());
    }

    proptest! {
        #[test]
        fn any_text_is_a_path_or_not(text in "[ab.\\[\\]{}?='*01]{0,20}") {
            let _ = Path::parse(&text);
        }
    }
}
