//! From a topic to a source: topic filters whose levels may be captures, templates that turn captures into keys and field
//! names, and a memory of the topics seen, so that a topic is matched once and not per message.

use crate::decode::Format;
use crate::error::{CoreError, Result};
use crate::names::{FixedMap, NONE};
use crate::plan::Plan;
use crate::sparkplug::About;

/// Levels of a topic filter: MQTT sets no bound; nobody needs more.
const LEVELS_MAX: usize = 64;
/// Topics remembered. The memory is no state: when it is full it is emptied, and topics are matched anew.
const TOPICS_MAX: usize = 65_536;

/// One level of a filter.
#[derive(Clone, Debug, PartialEq)]
enum Level {
    Text(String),
    /// `+`
    Any,
    /// `{name}`: like `+`, and remembers what stood there.
    Capture(String),
    /// `#`: this level and all below it, or nothing.
    Rest,
    /// `{name#}`: one level or more, to the end; remembers them with the slashes between them.
    CaptureRest(String),
}

/// An MQTT topic filter (OASIS 3.1.1 §4.7) in which `{name}` captures one level and `{name#}`, at the end, all that are left.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    levels: Vec<Level>,
}

impl Pattern {
    /// Reads a filter.
    ///
    /// # Errors
    /// `BadPlan` for an empty filter, a wildcard or brace that shares its level, `#` before the end, a capture named twice.
    pub fn parse(text: &str) -> Result<Self> {
        let mut levels: Vec<Level> = Vec::new();
        if text.is_empty() {
            return Err(CoreError::BadPlan);
        }
        for part in text.split('/') {
            if levels.len() >= LEVELS_MAX || matches!(levels.last(), Some(Level::Rest | Level::CaptureRest(_))) {
                return Err(CoreError::BadPlan);
            }
            levels.push(match part {
                "+" => Level::Any,
                "#" => Level::Rest,
                _ => match part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                    Some(name) => match name.strip_suffix('#') {
                        Some(name) if is_capture(name) => Level::CaptureRest(name.into()),
                        None if is_capture(name) => Level::Capture(name.into()),
                        _ => return Err(CoreError::BadPlan),
                    },
                    None if !part.contains(['+', '#', '{', '}', '\0']) => Level::Text(part.into()),
                    _ => return Err(CoreError::BadPlan),
                },
            });
        }
        let pattern = Self { levels };
        let captures: Vec<&str> = pattern.captures().collect();
        if (1..captures.len()).any(|at| captures[..at].contains(&captures[at])) {
            return Err(CoreError::BadPlan);
        }
        Ok(pattern)
    }

    /// Names of the captures, from left to right.
    fn captures(&self) -> impl Iterator<Item = &str> {
        self.levels.iter().filter_map(|level| match level {
            Level::Capture(name) | Level::CaptureRest(name) => Some(name.as_str()),
            Level::Text(_) | Level::Any | Level::Rest => None,
        })
    }

    /// What the captures hold for `topic`, from left to right; `None` when it does not match.
    #[must_use]
    pub fn matches<'a>(&self, topic: &'a str) -> Option<Vec<&'a str>> {
        if topic.starts_with('$') && !matches!(self.levels[0], Level::Text(_)) {
            return None;
        }
        let mut captured = Vec::new();
        // What has not been matched; `None` behind the last level.
        let mut rest = Some(topic);
        for level in &self.levels {
            if *level == Level::Rest {
                return Some(captured);
            }
            let left = rest?;
            if let Level::CaptureRest(_) = level {
                captured.push(left);
                return Some(captured);
            }
            let (part, behind) = match left.split_once('/') {
                Some((part, behind)) => (part, Some(behind)),
                None => (left, None),
            };
            match level {
                Level::Text(text) if text != part => return None,
                Level::Capture(_) => captured.push(part),
                _ => {}
            }
            rest = behind;
        }
        rest.is_none().then_some(captured)
    }
}

fn is_capture(name: &str) -> bool {
    !name.is_empty() && !name.contains(['{', '}', '#'])
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Text(String),
    /// Position among the captures of the topic.
    Topic(usize),
    /// Position among the captures of the payload.
    Payload(usize),
}

/// The captures that a template may use.
pub struct Names<'a> {
    topic: Vec<&'a str>,
    payload: Vec<&'a str>,
}

/// Text in which `{name}` stands for a capture of the topic or the payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
}

impl Template {
    /// The names of all captures.
    ///
    /// # Errors
    /// `BadPlan` when topic and payload capture the same name.
    pub fn names<'a>(topic: &'a Pattern, payload: impl Iterator<Item = &'a str>) -> Result<Names<'a>> {
        let names = Names {
            topic: topic.captures().collect(),
            payload: payload.collect(),
        };
        if names.payload.iter().any(|name| names.topic.contains(name)) {
            return Err(CoreError::BadPlan);
        }
        Ok(names)
    }

    /// Reads a template.
    ///
    /// # Errors
    /// `BadPlan` for an unknown capture or a brace without its partner.
    pub fn parse(text: &str, names: &Names) -> Result<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            if open > 0 {
                parts.push(Part::Text(rest[..open].into()));
            }
            let inner = rest[open..].strip_prefix('{').ok_or(CoreError::BadPlan)?;
            let close = inner.find('}').ok_or(CoreError::BadPlan)?;
            let place = |names: &[&str]| names.iter().position(|name| *name == &inner[..close]);
            let topic = place(&names.topic).map(Part::Topic);
            let part = topic.or_else(|| place(&names.payload).map(Part::Payload));
            parts.push(part.ok_or(CoreError::BadPlan)?);
            rest = &inner[close + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.into()));
        }
        Ok(Self { parts })
    }

    /// Positions of the payload's captures that it uses.
    pub fn payload_captures(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().filter_map(|part| match part {
            Part::Payload(place) => Some(*place),
            Part::Text(_) | Part::Topic(_) => None,
        })
    }

    /// Appends the text for these captures of the topic; `payload` appends a capture of the payload and says whether it is
    /// there. False when one is not.
    ///
    /// # Errors
    /// Those of `payload`.
    pub fn append(
        &self,
        topic: &[String],
        mut payload: impl FnMut(usize, &mut String) -> Result<bool>,
        out: &mut String,
    ) -> Result<bool> {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Topic(place) => out.push_str(&topic[*place]),
                Part::Payload(place) => {
                    if !payload(*place, out)? {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// The text for these captures of the topic, when it needs no other.
    #[must_use]
    pub fn fill(&self, topic: &[String]) -> Option<String> {
        let mut text = String::new();
        let filled = self.append(topic, |_, _| Ok(false), &mut text);
        (filled == Ok(true)).then_some(text)
    }

    /// The text, when it has no captures.
    #[must_use]
    pub fn constant(&self) -> Option<String> {
        let captures = self.parts.iter().any(|part| !matches!(part, Part::Text(_)));
        if captures { None } else { self.fill(&[]) }
    }
}

/// Where messages of one topic go.
pub struct Route {
    /// Every source whose filter matches, in the order of the plan; the first whose door fits takes the message.
    pub sources: Vec<SourceRoute>,
    /// Every task whose label topic matches.
    pub labels: Vec<LabelRoute>,
}

/// A topic as one source sees it.
pub struct SourceRoute {
    /// Index of the source in the plan.
    pub source: usize,
    /// The door it listens at; `None`: all.
    pub door: Option<u16>,
    /// What the topic's captures hold.
    pub captured: Vec<String>,
    /// The key's name; `None` when each payload says it.
    pub key_name: Option<String>,
    /// The names of its fields, then those of their qualities; `None` for one that each payload says.
    pub field_names: Vec<Option<String>>,
    /// Index of the key that does not depend on the payload, once a message was used.
    pub key: u32,
    /// Index of the series of each field that does not depend on the payload, once it had a reading.
    pub series: Vec<u32>,
    /// Index of the device's number stream, once it was needed.
    pub stream: u32,
    /// The same of what is remembered of its contents.
    pub contents: u32,
    /// Index of the shape that its payloads had last.
    pub shape: u8,
    /// Whom it is about, where the payloads are Sparkplug's.
    pub about: Option<Result<About>>,
    /// The series of the readings whose names the payload said, in the order of the message before: a guess at the next.
    pub guesses: Vec<u32>,
}

/// A topic as one task sees it that takes labels from it.
pub struct LabelRoute {
    /// Index of the task in the plan.
    pub task: usize,
    /// The key's name.
    pub key_name: String,
    /// Index of the key, once it is known.
    pub key: u32,
    /// Index of the labeller's number stream, once it was needed.
    pub stream: u32,
}

/// The topics seen lately and their routes.
#[derive(Default)]
pub struct Router {
    index: FixedMap<Box<str>, u32>,
    routes: Vec<Route>,
}

impl Router {
    /// The route of `topic`.
    pub fn route(&mut self, topic: &str, plan: &Plan) -> &mut Route {
        let found = self.index.get(topic).copied();
        let index = found.unwrap_or_else(|| {
            if self.routes.len() >= TOPICS_MAX {
                self.forget();
            }
            let index = u32::try_from(self.routes.len()).expect("fewer than TOPICS_MAX");
            self.routes.push(Route::new(topic, plan));
            self.index.insert(topic.into(), index);
            index
        });
        &mut self.routes[index as usize]
    }

    /// Forgets every topic: for a new plan.
    pub fn forget(&mut self) {
        self.index.clear();
        self.routes.clear();
    }
}

impl Route {
    fn new(topic: &str, plan: &Plan) -> Self {
        let sources = plan.sources.iter().enumerate().filter_map(|(source, definition)| {
            let captured: Vec<String> = (definition.topic.matches(topic)?.into_iter())
                .map(String::from)
                .collect();
            if definition.except.iter().any(|pattern| pattern.matches(topic).is_some()) {
                return None;
            }
            Some(SourceRoute {
                source,
                door: definition.door,
                key_name: definition.key.fill(&captured),
                field_names: definition
                    .fields
                    .iter()
                    .map(|field| field.name.fill(&captured))
                    .chain(definition.fields.iter().map(|field| field.quality_name(&captured)))
                    .collect(),
                captured,
                key: NONE,
                series: vec![NONE; 2 * definition.fields.len()],
                stream: NONE,
                contents: NONE,
                shape: 0,
                about: matches!(definition.format, Format::Sparkplug).then(|| About::of(topic)),
                guesses: Vec::new(),
            })
        });
        let labels = plan.tasks.iter().enumerate().filter_map(|(task, definition)| {
            let label = definition.label.as_ref()?;
            let captured: Vec<String> = label.topic.matches(topic)?.into_iter().map(String::from).collect();
            Some(LabelRoute {
                task,
                key_name: label.key.fill(&captured)?,
                key: NONE,
                stream: NONE,
            })
        });
        Self {
            sources: sources.collect(),
            labels: labels.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captures(pattern: &str, topic: &str) -> Option<Vec<String>> {
        let captured = Pattern::parse(pattern).unwrap().matches(topic)?;
        Some(captured.into_iter().map(String::from).collect())
    }

    #[test]
    fn filters_match_as_the_standard_says() {
        for (pattern, topic, matches) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/", false),
            ("a/+", "a/b", true),
            ("a/+", "a", false),
            ("a/+", "a/", true),
            ("+/+", "/finance", true),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("#", "a/b", true),
            ("#", "$SYS/x", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("a/{x#}", "a", false),
            ("a/{x#}", "a/b/c", true),
            ("{x#}", "$SYS/x", false),
        ] {
            assert_eq!(captures(pattern, topic).is_some(), matches, "{pattern} {topic}");
        }
    }

    #[test]
    fn a_rest_that_is_captured_keeps_its_slashes() {
        assert_eq!(captures("z/{a}/{b#}", "z/1/2/3//").unwrap(), ["1", "2/3//"]);
        assert_eq!(captures("z/{a}/{b#}", "z/1/").unwrap(), ["1", ""]);
    }

    #[test]
    fn captures_fill_templates() {
        let pattern = Pattern::parse("building/{room}/+/{sensor}").unwrap();
        let captured = captures("building/{room}/+/{sensor}", "building/7a/x/co2").unwrap();
        let names = Template::names(&pattern, ["dev"].into_iter()).unwrap();
        let parse = |text: &str| Template::parse(text, &names).unwrap();
        assert_eq!(parse("r-{room}.{sensor}!").fill(&captured).unwrap(), "r-7a.co2!");
        assert_eq!(parse("all").constant().as_deref(), Some("all"));
        assert_eq!(parse("{room}").constant(), None);
        let with_payload = parse("{room}/{dev}");
        assert_eq!(with_payload.fill(&captured), None);
        let mut text = String::new();
        let payload = |place: usize, out: &mut String| {
            out.push_str(&place.to_string());
            Ok(true)
        };
        assert_eq!(with_payload.append(&captured, payload, &mut text), Ok(true));
        assert_eq!(text, "7a/0");
        assert!(Template::names(&pattern, ["room"].into_iter()).is_err());
    }

    #[test]
    fn malformed_filters_and_templates_are_refused() {
        for text in [
            "", "a/#/b", "a+", "a/{x}y", "{x}/{x}", "{}", "{x", "{#}", "{x#}/b", "{x##}", "{x#}/{x}",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
        let pattern = Pattern::parse("{x}").unwrap();
        let names = Template::names(&pattern, [].into_iter()).unwrap();
        for text in ["{y}", "{x", "x}", "{"] {
            assert!(Template::parse(text, &names).is_err(), "{text}");
        }
    }
}
