//! What a window is, read from the plan (FORMATS.md §3): its shape, what it covers, what it keeps and when it is put out.

use super::aggregate::Aggregate;
use super::parts::{PartKind, PartState};
use super::statistic::Statistic;
use crate::error::{CoreError, Result};
use crate::json::Value;
use crate::plan::{duration, index, number, string, strings};
use crate::route::Pattern;

/// Windows of one series that may be open at once, as the time they stay open over their length.
pub const OPEN_WINDOWS_MAX: f64 = 1024.0;
/// Steps of a sliding window: what it keeps for each series grows with them.
const STEPS_MAX: f64 = 4096.0;
/// Readings of a count window.
const COUNT_MAX: usize = 1 << 30;
/// Statistics of one window.
const STATISTICS_MAX: usize = 64;

/// How readings are put into windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// Back to back, each `every_ms` long.
    Tumbling {
        /// Length.
        every_ms: f64,
    },
    /// Each `size_ms` long, one begins every `every_ms`.
    Sliding {
        /// Length.
        size_ms: f64,
        /// Distance of their beginnings.
        every_ms: f64,
    },
    /// Readings that are less than `gap_ms` apart.
    Session {
        /// The silence that ends it.
        gap_ms: f64,
    },
    /// `size` readings in the order they came, one begins every `every` readings.
    Count {
        /// Readings.
        size: f64,
        /// Distance of their beginnings.
        every: f64,
    },
    /// All readings; put out by its trigger alone.
    Global,
}

/// What puts an open window out before its end; for global windows the only thing that does.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    /// After so many new readings; 0: never.
    pub count: u64,
    /// When the time of the key passes a multiple of it; 0: never.
    pub every_ms: f64,
    /// When a reading of this field of the same key has this value.
    pub punctuation: Option<(String, f64)>,
    /// Begin anew after each result (global).
    pub reset: bool,
}

/// A window over event time.
#[derive(Clone, Debug)]
pub struct Window {
    /// Its name.
    pub name: String,
    /// How readings are put into windows.
    pub shape: Shape,
    /// The fields it covers; empty: all.
    pub of: Vec<String>,
    /// How long after its end its result waits for late readings.
    pub lateness_ms: f64,
    /// How much longer late readings still correct a result that is out.
    pub allowed_ms: f64,
    /// Which keys share windows; `None`: each has its own.
    pub over: Option<Over>,
    /// Results before the end.
    pub trigger: Option<Trigger>,
    /// What a result says, in its order.
    pub statistics: Vec<Statistic>,
    /// What is kept beyond the moments: what the statistics and the features of tasks need.
    pub parts: Vec<PartKind>,
    ordered: bool,
}

/// Windows are the same when they keep the same; what of it they put out is no state.
impl PartialEq for Window {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.shape == other.shape
            && self.of == other.of
            && self.lateness_ms == other.lateness_ms
            && self.allowed_ms == other.allowed_ms
            && self.over == other.over
            && self.trigger == other.trigger
            && self.parts == other.parts
    }
}

/// Which keys share windows: a pattern over keys. What its captures hold is the group's name.
#[derive(Clone, Debug, PartialEq)]
pub struct Over(Pattern);

impl Over {
    /// The group of a key: its captures with a slash between them, `*` without captures; `None` when it is in none.
    #[must_use]
    pub fn group(&self, key: &str) -> Option<String> {
        let captured = self.0.matches(key)?;
        Some(if captured.is_empty() {
            "*".into()
        } else {
            captured.join("/")
        })
    }
}

impl Window {
    /// Reads a window of the plan.
    ///
    /// # Errors
    /// `BadPlan`.
    pub fn parse(value: &Value) -> Result<Self> {
        let names = strings(value, "stats", STATISTICS_MAX)?;
        let statistics = names
            .iter()
            .map(|name| Statistic::named(name).ok_or(CoreError::BadPlan));
        let trigger = value.get("trigger").map(Trigger::parse).transpose()?;
        let mut window = Self {
            name: string(value, "name")?,
            shape: Shape::parse(value)?,
            of: strings(value, "of", 4096)?,
            lateness_ms: duration(value, "lateness_ms")?,
            allowed_ms: match value.get("allowed_lateness_ms") {
                Some(_) => duration(value, "allowed_lateness_ms")?,
                None => 0.0,
            },
            over: match value.get("over") {
                Some(_) => Some(Over(Pattern::parse(&string(value, "over")?)?)),
                None => None,
            },
            trigger,
            statistics: statistics.collect::<Result<_>>()?,
            parts: Vec::new(),
            ordered: false,
        };
        let needed: Vec<PartKind> = window.statistics.iter().filter_map(|asked| asked.part).collect();
        needed.into_iter().for_each(|part| window.keep(part));
        if window.is_possible() {
            Ok(window)
        } else {
            Err(CoreError::BadPlan)
        }
    }

    fn is_possible(&self) -> bool {
        let stays_ms = self.lateness_ms + self.allowed_ms;
        let by_time = stays_ms == 0.0;
        match self.shape {
            Shape::Tumbling { every_ms: ms } | Shape::Session { gap_ms: ms } => {
                ms >= 1.0 && stays_ms <= ms * OPEN_WINDOWS_MAX && self.trigger.as_ref().is_none_or(|t| !t.reset)
            }
            Shape::Sliding { size_ms, every_ms } => {
                every_ms >= 1.0
                    && size_ms >= every_ms
                    && size_ms <= every_ms * STEPS_MAX
                    && stays_ms <= every_ms * OPEN_WINDOWS_MAX
                    && self.trigger.is_none()
            }
            Shape::Count { size, every } => {
                by_time && every <= size && size <= every * STEPS_MAX && self.trigger.is_none()
            }
            Shape::Global => self.allowed_ms == 0.0 && self.trigger.is_some(),
        }
    }

    /// Refuses a window of which too many would be open at once under sources that wait up to `wait_ms` themselves.
    ///
    /// # Errors
    /// `BadPlan`.
    pub fn check_open(&self, wait_ms: f64) -> Result<()> {
        let every_ms = match self.shape {
            Shape::Tumbling { every_ms } | Shape::Sliding { every_ms, .. } => every_ms,
            Shape::Session { gap_ms } => gap_ms,
            Shape::Count { .. } | Shape::Global => return Ok(()),
        };
        if self.hold_ms() + wait_ms <= every_ms * OPEN_WINDOWS_MAX {
            Ok(())
        } else {
            Err(CoreError::BadPlan)
        }
    }

    /// Makes it keep a part.
    fn keep(&mut self, part: PartKind) {
        if !self.parts.contains(&part) {
            if part == PartKind::First && matches!(self.shape, Shape::Count { .. } | Shape::Global) {
                self.parts.insert(0, part); // where it stood when they always kept it
            } else {
                self.parts.push(part);
            }
            self.ordered |= part.is_ordered() && !matches!(self.shape, Shape::Count { .. });
        }
    }

    /// Makes it keep what the features of tasks ask of it, named `<window>.<field>.<statistic>`.
    pub fn keep_for_features<'a>(&mut self, features: impl Iterator<Item = &'a String>) {
        for feature in features {
            let rest = feature
                .strip_prefix(self.name.as_str())
                .and_then(|rest| rest.strip_prefix('.'));
            let Some((field, name)) = rest.and_then(|rest| rest.rsplit_once('.')) else {
                continue;
            };
            if let Some(part) = Statistic::named(name).and_then(|statistic| statistic.part)
                && self.covers(field)
            {
                self.keep(part);
            }
        }
    }

    /// True when it aggregates `field`.
    #[must_use]
    pub fn covers(&self, field: &str) -> bool {
        self.of.is_empty() || self.of.iter().any(|name| name == field)
    }

    /// True when aggregates keep more than the moments.
    #[must_use]
    pub fn has_extra(&self) -> bool {
        !self.parts.is_empty() || self.is_revised()
    }

    /// True when one window may have several results.
    #[must_use]
    pub fn is_revised(&self) -> bool {
        self.allowed_ms > 0.0 || self.trigger.is_some()
    }

    /// True when a part wants readings in the order of event time.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        self.ordered
    }

    /// How long behind the time of its key a reading may still change something.
    #[must_use]
    pub fn hold_ms(&self) -> f64 {
        self.lateness_ms + self.allowed_ms
    }

    /// What a statistic says of an aggregate; NaN when it is not kept.
    #[must_use]
    pub fn value(&self, statistic: &Statistic, aggregate: &Aggregate) -> f64 {
        statistic.value(aggregate, self.part_of(statistic, aggregate))
    }

    /// What a list says of an aggregate.
    #[must_use]
    pub fn list(&self, statistic: &Statistic, aggregate: &Aggregate) -> Vec<(f64, f64)> {
        statistic.list(self.part_of(statistic, aggregate))
    }

    /// Where aggregates keep the part that a statistic is read from.
    #[must_use]
    pub fn place(&self, statistic: &Statistic) -> Option<usize> {
        let part = statistic.part?;
        self.parts.iter().position(|&kept| kept == part)
    }

    fn part_of<'a>(&self, statistic: &Statistic, aggregate: &'a Aggregate) -> Option<&'a PartState> {
        aggregate.part(self.place(statistic)?)
    }

    /// True when a core whose states had version 13 or less kept the first reading in the aggregates of this window, asked for
    /// or not, and this one does not.
    pub(super) fn led_by_first(&self, version: u16) -> bool {
        version <= 13
            && matches!(self.shape, Shape::Count { .. } | Shape::Global)
            && !self.parts.contains(&PartKind::First)
    }
}

impl Shape {
    fn parse(value: &Value) -> Result<Self> {
        let has = |name| value.get(name).is_some();
        if has("size_ms") {
            Ok(Self::Sliding {
                size_ms: duration(value, "size_ms")?,
                every_ms: duration(value, "every_ms")?,
            })
        } else if has("gap_ms") {
            Ok(Self::Session {
                gap_ms: duration(value, "gap_ms")?,
            })
        } else if has("count") {
            let at_least_one = |name| {
                let count = index(value, name, COUNT_MAX)?;
                if count > 0 {
                    number(value, name)
                } else {
                    Err(CoreError::BadPlan)
                }
            };
            Ok(Self::Count {
                size: at_least_one("count")?,
                every: at_least_one("step")?,
            })
        } else if has("every_ms") {
            Ok(Self::Tumbling {
                every_ms: duration(value, "every_ms")?,
            })
        } else {
            Ok(Self::Global)
        }
    }
}

impl Trigger {
    fn parse(value: &Value) -> Result<Self> {
        let field = value.get("field").filter(|field| !field.is_null());
        let trigger = Self {
            count: index(value, "count", COUNT_MAX)? as u64,
            every_ms: duration(value, "every_ms")?,
            punctuation: match field {
                Some(_) => Some((string(value, "field")?, number(value, "value")?)),
                None => None,
            },
            reset: value.get("reset").and_then(Value::as_bool).ok_or(CoreError::BadPlan)?,
        };
        let fires = trigger.count > 0 || trigger.every_ms >= 1.0 || trigger.punctuation.is_some();
        let whole = trigger.every_ms == 0.0 || trigger.every_ms >= 1.0;
        if fires && whole {
            Ok(trigger)
        } else {
            Err(CoreError::BadPlan)
        }
    }

    /// The first multiple of its interval after `time_ms`; infinite without one.
    #[must_use]
    pub fn next_ms(&self, time_ms: f64) -> f64 {
        if self.every_ms > 0.0 {
            ((time_ms / self.every_ms).floor() + 1.0) * self.every_ms
        } else {
            f64::INFINITY
        }
    }
}
