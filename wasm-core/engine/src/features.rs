//! The vector a task sees: named numbers of one key at one moment, in a fixed order. A name says all: `co2` (latest value),
//! `co2.lag2` (two predictions ago), `co2.diff2` (latest minus that), `co2.delta` (latest minus the one before), `co2.rate`
//! (the same per hour), `co2.age` (seconds since the latest), `co2.missing` (1 without a value), `co2.neighbours` (mean of
//! the other keys of its source), `co2@outdoor` (that of another key), `room_5m.co2.mean` (the window closed last),
//! `lookup.rooms.area` (a table of the plan), `time.day_sin`. What is not known is NaN.
//!
//! Point in time: a value counts as of the event time of the message that asks, so a reading from later is not seen even
//! if it came before.

mod automatic;

use crate::names::{NONE, Names};
use crate::plan::{Plan, TaskPlan};
use crate::series::Table;
use crate::window::Statistic;
pub use automatic::Gathering;

/// Predictions a lag may look back; bounds what is kept per key.
const LAG_MAX: usize = 16;
const HOUR_MS: f64 = 3_600_000.0;
const DAY_MS: f64 = 24.0 * HOUR_MS;
const WEEK_MS: f64 = 7.0 * DAY_MS;
const YEAR_MS: f64 = 365.2425 * DAY_MS;
/// The automatic set has the first four.
const TIMES: [&str; 9] = [
    "time.day_sin",
    "time.day_cos",
    "time.week_sin",
    "time.week_cos",
    "time.year_sin",
    "time.year_cos",
    "time.hour",
    "time.weekday",
    "time.weekend",
];
/// Neighbours whose latest reading is older than this say nothing of now.
const NEIGHBOUR_AGE_MS_MAX: f64 = 3.0 * HOUR_MS;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Feature {
    /// Names nothing that can be known under this plan.
    Nothing,
    Last(u32),
    /// Position of the field in `lagged`, and predictions back.
    Lag(usize, usize),
    /// The latest value minus a lag.
    Diff(u32, usize, usize),
    Delta(u32),
    Rate(u32),
    Age(u32),
    Missing(u32),
    Neighbours(u32),
    /// Field, and position of the other key's name in `others`.
    At(u32, usize),
    /// Table of the plan, and its column.
    Lookup(usize, usize),
    /// Window, field, statistic and the place of the part it is read from.
    Window(usize, u32, Statistic, Option<usize>),
    /// Position in `TIMES`.
    Time(usize),
}

/// The features of one task.
#[derive(Debug, PartialEq)]
pub struct Features {
    names: Vec<String>,
    features: Vec<Feature>,
    /// Fields of which values at past predictions are needed.
    lagged: Vec<u32>,
    /// How many past predictions.
    depth: usize,
    /// Names of other keys.
    others: Vec<String>,
}

impl Features {
    /// The features that `names` name. Fields that are not known yet are made known, within the plan's limit.
    #[must_use]
    pub fn resolve(names: Vec<String>, plan: &Plan, fields: &mut Names) -> Self {
        let mut features = Self {
            names: Vec::new(),
            features: Vec::new(),
            lagged: Vec::new(),
            depth: 0,
            others: Vec::new(),
        };
        for name in &names {
            let feature = features.feature(name, plan, fields);
            features.features.push(feature);
        }
        features.names = names;
        features
    }

    /// Names, in the order of the vector.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The text of all that the names refer to under a plan (windows, lookups, derived fields), for the schema; empty when
    /// the names say all.
    #[must_use]
    pub fn definitions(names: &[String], plan: &Plan) -> String {
        let is_meant = |definition: &str| {
            names.iter().any(|name| {
                let rest = name.strip_prefix(definition);
                rest.is_some_and(|rest| definition.ends_with('.') || rest.is_empty() || rest.starts_with(['.', '@']))
                    || name
                        .split_once('.')
                        .and_then(|(_, rest)| rest.rsplit_once('.'))
                        .is_some_and(|(of, _)| of == definition)
            })
        };
        let texts = plan.definitions.iter().filter(|(name, _)| is_meant(name));
        texts.map(|(_, text)| format!("{text}\n")).collect()
    }

    fn feature(&mut self, name: &str, plan: &Plan, fields: &mut Names) -> Feature {
        if let Some(time) = TIMES.iter().position(|time| *time == name) {
            return Feature::Time(time);
        }
        let mut field = |name: &str| fields.intern(name, plan.limits.fields).ok();
        // A field whose own name has dots in it comes before what the dots could mean.
        let written = plan.sources.iter().flat_map(|source| &source.fields);
        let derived = plan.sources.iter().flat_map(|source| &source.derived);
        if written
            .filter_map(|field| field.name.constant())
            .any(|known| known == name)
            || derived.map(|derived| &derived.name).any(|known| known == name)
            || !name.contains(['.', '@'])
        {
            return field(name).map_or(Feature::Nothing, Feature::Last);
        }
        if let Some((of, key)) = name.split_once('@') {
            self.others.push(key.into());
            return field(of).map_or(Feature::Nothing, |field| Feature::At(field, self.others.len() - 1));
        }
        if let Some((table, column)) = name.strip_prefix("lookup.").and_then(|rest| rest.split_once('.')) {
            let found = plan
                .lookups
                .iter()
                .position(|lookup| lookup.name == table)
                .and_then(|at| {
                    let column = plan.lookups[at].columns.iter().position(|name| name == column)?;
                    Some(Feature::Lookup(at, column))
                });
            return found.unwrap_or(Feature::Nothing);
        }
        for (window, definition) in plan.windows.iter().enumerate() {
            let rest = name
                .strip_prefix(definition.name.as_str())
                .and_then(|rest| rest.strip_prefix('.'));
            if let Some((of, stat)) = rest.and_then(|rest| rest.rsplit_once('.'))
                && let Some(statistic) = Statistic::named(stat).filter(|statistic| !statistic.is_list())
                && definition.covers(of)
            {
                let place = definition.place(&statistic);
                let of_window = |field| Feature::Window(window, field, statistic, place);
                return field(of).map_or(Feature::Nothing, of_window);
            }
        }
        let (of, what) = name.rsplit_once('.').expect("names without a dot were handled above");
        let number = |prefix: &str| -> Option<usize> {
            let number = what.strip_prefix(prefix)?.parse().ok()?;
            (1..=LAG_MAX).contains(&number).then_some(number)
        };
        let found = match (what, number("lag"), number("diff")) {
            ("delta", ..) => field(of).map(Feature::Delta),
            ("rate", ..) => field(of).map(Feature::Rate),
            ("age", ..) => field(of).map(Feature::Age),
            ("missing", ..) => field(of).map(Feature::Missing),
            ("neighbours", ..) => field(of).map(Feature::Neighbours),
            (_, Some(lag), _) => field(of).map(|field| Feature::Lag(self.place(field, lag), lag)),
            (_, _, Some(lag)) => field(of).map(|field| Feature::Diff(field, self.place(field, lag), lag)),
            _ => field(name).map(Feature::Last),
        };
        found.unwrap_or(Feature::Nothing)
    }

    /// Position of a field among those of which so many past values are needed.
    fn place(&mut self, field: u32, lag: usize) -> usize {
        self.depth = self.depth.max(lag);
        self.lagged.iter().position(|&other| other == field).unwrap_or_else(|| {
            self.lagged.push(field);
            self.lagged.len() - 1
        })
    }

    /// Length of the past that `fill` reads and `remember` writes.
    #[must_use]
    pub fn past_length(&self) -> usize {
        self.lagged.len() * self.depth
    }

    /// Writes the vector of `key` at event time `time_ms` to `x`. `past` is what `remember` left, `plan` the one that the
    /// names were resolved for.
    pub fn fill(&self, plan: &Plan, table: &Table, key: u32, time_ms: f64, past: &[f64], x: &mut Vec<f64>) {
        x.clear();
        let series = |field: u32| table.find(key, field).map(|series| &table.series[series as usize]);
        let past = |place: usize, lag: usize| past.get((lag - 1) * self.lagged.len() + place).copied();
        let value_of = |key: u32, field: u32| {
            let series = &table.series[table.find(key, field)? as usize];
            Some(series.as_of(time_ms)?.0)
        };
        for feature in &self.features {
            let value = match *feature {
                Feature::Nothing => None,
                Feature::Last(field) => value_of(key, field),
                Feature::Lag(place, lag) => past(place, lag),
                Feature::Diff(field, place, lag) => {
                    past(place, lag).and_then(|then| Some(value_of(key, field)? - then))
                }
                Feature::Delta(field) => series(field)
                    .filter(|series| series.last_ms <= time_ms)
                    .map(|series| series.last - series.previous),
                Feature::Rate(field) => series(field).and_then(|series| {
                    let passed_ms = series.last_ms - series.previous_ms;
                    let known = passed_ms > 0.0 && passed_ms.is_finite() && series.last_ms <= time_ms;
                    known.then(|| (series.last - series.previous) / (passed_ms / HOUR_MS))
                }),
                Feature::Age(field) => series(field)
                    .and_then(|series| series.as_of(time_ms))
                    .map(|(_, at_ms)| (time_ms - at_ms) / 1000.0)
                    .filter(|age| age.is_finite()),
                Feature::Missing(field) => Some(f64::from(u8::from(value_of(key, field).is_none()))),
                Feature::Neighbours(field) => neighbours(table, key, field, time_ms),
                Feature::At(field, other) => {
                    let other = table.key_names.find(&self.others[other]);
                    other.and_then(|other| value_of(other, field))
                }
                Feature::Lookup(lookup, column) => plan.lookups[lookup].value(table.key_names.name(key), column),
                Feature::Window(window, field, statistic, place) => series(field).and_then(|series| {
                    let closed = table.closed(series, window)?;
                    Some(statistic.value(closed, place.and_then(|place| closed.part(place))))
                }),
                Feature::Time(time) => Some(time_of(time, time_ms)),
            };
            x.push(value.unwrap_or(f64::NAN));
        }
    }

    /// Moves the values of this prediction to the front of `past`, which is laid out by prediction, the latest first.
    pub fn remember(&self, table: &Table, key: u32, past: &mut Vec<f64>) {
        if self.depth == 0 {
            return;
        }
        past.resize(self.past_length(), f64::NAN);
        past.rotate_right(self.lagged.len());
        for (place, &field) in self.lagged.iter().enumerate() {
            past[place] = table
                .find(key, field)
                .map_or(f64::NAN, |series| table.series[series as usize].last);
        }
    }
}

/// Mean of a field over the other keys of the key's source, as of a time.
fn neighbours(table: &Table, key: u32, field: u32, time_ms: f64) -> Option<f64> {
    let source = table.keys[key as usize].source;
    let (mut sum, mut count) = (0.0, 0.0);
    for &index in table.of_field(field) {
        let series = &table.series[index as usize];
        let Some((value, at_ms)) = series.as_of(time_ms) else {
            continue;
        };
        if series.key != key
            && table.keys[series.key as usize].source == source
            && time_ms - at_ms <= NEIGHBOUR_AGE_MS_MAX
        {
            sum += value;
            count += 1.0;
        }
    }
    (count > 0.0).then(|| sum / count)
}

/// Where in the day, the week or the year (all UTC) `time_ms` stands: on a circle, or as a number. Weekdays count from
/// Monday, 0.
fn time_of(which: usize, time_ms: f64) -> f64 {
    let days = (time_ms / DAY_MS).floor();
    // 1970-01-01 was a Thursday.
    let weekday = (days + 3.0) - ((days + 3.0) / 7.0).floor() * 7.0;
    let period_ms = match which {
        0 | 1 => DAY_MS,
        2 | 3 => WEEK_MS,
        4 | 5 => YEAR_MS,
        6 => return (time_ms - days * DAY_MS) / HOUR_MS,
        7 => return weekday,
        _ => return f64::from(u8::from(weekday >= 5.0)),
    };
    let turns = time_ms / period_ms;
    let angle = (turns - turns.floor()) * core::f64::consts::TAU;
    if which.is_multiple_of(2) {
        libm::sin(angle)
    } else {
        libm::cos(angle)
    }
}

/// The field index of a task's target; `NONE` when it has none or there is no room for another field.
#[must_use]
pub fn target_field(task: &TaskPlan, plan: &Plan, fields: &mut Names) -> u32 {
    let target = task.target.as_deref();
    target
        .and_then(|target| fields.intern(target, plan.limits.fields).ok())
        .unwrap_or(NONE)
}

#[cfg(test)]
mod tests;
