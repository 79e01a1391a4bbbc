//! The vector a task sees: named numbers of one key at one moment, in a fixed order. A name says all: `co2` (latest value),
//! `co2.lag2` (two predictions ago), `co2.delta` (latest minus the one before), `co2.rate` (the same per hour),
//! `room_5m.co2.mean` (the window closed last), `time.day_sin`. What is not known is NaN.

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
const TIMES: [&str; 4] = ["time.day_sin", "time.day_cos", "time.week_sin", "time.week_cos"];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Feature {
    /// Names nothing that can be known under this plan.
    Nothing,
    Last(u32),
    /// Position of the field in `lagged`, and predictions back.
    Lag(usize, usize),
    Delta(u32),
    Rate(u32),
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

    fn feature(&mut self, name: &str, plan: &Plan, fields: &mut Names) -> Feature {
        if let Some(time) = TIMES.iter().position(|time| *time == name) {
            return Feature::Time(time);
        }
        let mut field = |name: &str| fields.intern(name, plan.limits.fields).ok();
        // A field whose own name has dots in it comes before what the dots could mean.
        let known = plan.sources.iter().flat_map(|source| &source.fields);
        if known
            .filter_map(|field| field.name.constant())
            .any(|known| known == name)
            || !name.contains('.')
        {
            return field(name).map_or(Feature::Nothing, Feature::Last);
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
        let lag = what
            .strip_prefix("lag")
            .and_then(|lag| lag.parse().ok())
            .filter(|lag| (1..=LAG_MAX).contains(lag));
        let found = match (what, lag) {
            ("delta", _) => field(of).map(Feature::Delta),
            ("rate", _) => field(of).map(Feature::Rate),
            (_, Some(lag)) => field(of).map(|field| {
                let place = self.lagged.iter().position(|&other| other == field).unwrap_or_else(|| {
                    self.lagged.push(field);
                    self.lagged.len() - 1
                });
                self.depth = self.depth.max(lag);
                Feature::Lag(place, lag)
            }),
            _ => field(name).map(Feature::Last),
        };
        found.unwrap_or(Feature::Nothing)
    }

    /// Length of the past that `fill` reads and `remember` writes.
    #[must_use]
    pub fn past_length(&self) -> usize {
        self.lagged.len() * self.depth
    }

    /// Writes the vector of `key` at event time `time_ms` to `x`. `past` is what `remember` left.
    pub fn fill(&self, table: &Table, key: u32, time_ms: f64, past: &[f64], x: &mut Vec<f64>) {
        x.clear();
        let series = |field: u32| table.find(key, field).map(|series| &table.series[series as usize]);
        for feature in &self.features {
            let value = match *feature {
                Feature::Nothing => None,
                Feature::Last(field) => series(field).map(|series| series.last),
                Feature::Lag(place, lag) => past.get((lag - 1) * self.lagged.len() + place).copied(),
                Feature::Delta(field) => series(field).map(|series| series.last - series.previous),
                Feature::Rate(field) => series(field).and_then(|series| {
                    let passed_ms = series.last_ms - series.previous_ms;
                    let known = passed_ms > 0.0 && passed_ms.is_finite();
                    known.then(|| (series.last - series.previous) / (passed_ms / HOUR_MS))
                }),
                Feature::Window(window, field, statistic, place) => series(field).and_then(|series| {
                    let span = series.spans.iter().find(|span| span.window == window)?;
                    let closed = span.closed.as_ref()?;
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

/// Where in the day or the week (both UTC) `time_ms` stands, on a circle.
fn time_of(which: usize, time_ms: f64) -> f64 {
    let period_ms = if which < 2 { DAY_MS } else { WEEK_MS };
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
mod tests {
    use super::*;
    use crate::codec::Writer;
    use crate::output::Outputs;
    use crate::plan::tests::{FORECAST, building};

    fn table(plan: &Plan) -> (Table, u32) {
        let mut table = Table::default();
        let key = table.key("r1", plan).unwrap();
        let series = table.series(key, "co2", plan).unwrap();
        table.add(series, 0.0, 400.0, &plan.windows);
        table.add(series, 1_800_000.0, 410.0, &plan.windows);
        table.complete(key, 70_000.0, &plan.windows, &mut Outputs::new(&mut Writer::new()));
        (table, key)
    }

    #[test]
    fn every_kind_of_feature_has_its_value() {
        let plan = Plan::parse(building(FORECAST).as_bytes()).unwrap();
        let (mut table, key) = table(&plan);
        let names = [
            "co2",
            "co2.delta",
            "co2.rate",
            "co2.lag1",
            "co2.lag2",
            "m.co2.mean",
            "m.co2.count",
            "temp",
            "time.day_sin",
        ];
        let features = Features::resolve(names.map(String::from).to_vec(), &plan, &mut table.field_names);
        let (mut x, mut past) = (Vec::new(), Vec::new());
        features.remember(&table, key, &mut past);
        features.fill(&table, key, 21_600_000.0, &past, &mut x);
        assert_eq!(x[..4], [410.0, 10.0, 20.0, 410.0]);
        assert!(x[4].is_nan() && x[7].is_nan());
        assert_eq!(x[5..7], [400.0, 1.0]);
        assert!((x[8] - 1.0).abs() < 1e-15);
    }

    #[test]
    fn the_day_begins_at_midnight_also_before_1970() {
        assert_eq!(time_of(1, -DAY_MS), 1.0);
        assert!((time_of(0, -DAY_MS + 6.0 * HOUR_MS) - 1.0).abs() < 1e-12);
    }
}
