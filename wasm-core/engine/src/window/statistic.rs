//! The statistics of a window by name: `mean`, `p90`, `ewma_5m`. A parameter stands behind an underscore, a decimal point in
//! it is an underscore too, so that names have no dot in them.

use super::aggregate::Aggregate;
use super::parts::{HOUR_MS, LAG_MAX, LISTED_MAX, PartKind, PartState, STATES_MAX};

/// What is asked of a window's readings.
#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Count,
    Sum,
    Mean,
    Min,
    Max,
    Range,
    Variance,
    Std,
    Last,
    First,
    Delta,
    Rate,
    Skew,
    Kurtosis,
    Percentile(f64),
    Entropy,
    Distinct,
    Mode,
    Slope,
    Ewma,
    Integral,
    TimeMean,
    Duration,
    Changes,
    /// States back, 1 the latest.
    State(usize),
    Autocorrelation,
    Energy,
    Top(usize),
    States(usize),
}

/// A statistic and the part it is read from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistic {
    what: What,
    /// The part it needs, if it needs one.
    pub part: Option<PartKind>,
}

impl Statistic {
    /// The statistic of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let of = |what| Some(Self { what, part: None });
        let from = |part, what| Some(Self { what, part: Some(part) });
        let plain = match name {
            "count" => of(What::Count),
            "sum" => of(What::Sum),
            "mean" => of(What::Mean),
            "min" => of(What::Min),
            "max" => of(What::Max),
            "range" => of(What::Range),
            "variance" => of(What::Variance),
            "std" => of(What::Std),
            "last" => of(What::Last),
            "first" => from(PartKind::First, What::First),
            "delta" => from(PartKind::First, What::Delta),
            "rate" => from(PartKind::First, What::Rate),
            "skew" => from(PartKind::Shape, What::Skew),
            "kurtosis" => from(PartKind::Shape, What::Kurtosis),
            "median" => from(PartKind::Quantiles, What::Percentile(50.0)),
            "entropy" => from(PartKind::Quantiles, What::Entropy),
            "distinct" => from(PartKind::Distinct, What::Distinct),
            "mode" => from(PartKind::Top, What::Mode),
            "slope" => from(PartKind::Slope, What::Slope),
            "integral" => from(PartKind::Integral, What::Integral),
            "time_mean" => from(PartKind::Integral, What::TimeMean),
            "changes" => from(PartKind::Changes, What::Changes),
            _ => None,
        };
        if plain.is_some() {
            return plain;
        }
        if let Some(percent) = name.strip_prefix('p').filter(|rest| !rest.starts_with('_')) {
            let percent = decimal(percent).filter(|percent| (0.0..=100.0).contains(percent))?;
            return from(PartKind::Quantiles, What::Percentile(percent));
        }
        let (word, parameter) = name.split_once('_')?;
        match word {
            "ewma" => from(PartKind::Ewma(duration_ms(parameter)?), What::Ewma),
            "duration" => from(PartKind::Duration(decimal(parameter)?), What::Duration),
            "autocorrelation" => from(
                PartKind::Autocorrelation(whole(parameter, LAG_MAX)?),
                What::Autocorrelation,
            ),
            "energy" => {
                let (from_hz, to_hz) = parameter.split_once("_to_")?;
                let (from_hz, to_hz) = (decimal(from_hz)?, decimal(to_hz)?);
                let is_band = 0.0 <= from_hz && from_hz < to_hz;
                is_band.then_some(())?;
                from(PartKind::Energy(from_hz, to_hz), What::Energy)
            }
            "state" => from(PartKind::Changes, What::State(whole(parameter, STATES_MAX)?)),
            "states" => from(PartKind::Changes, What::States(whole(parameter, STATES_MAX)?)),
            "top" => from(PartKind::Top, What::Top(whole(parameter, LISTED_MAX)?)),
            _ => None,
        }
    }

    /// True when the answer is a list of pairs, not a number.
    #[must_use]
    pub fn is_list(&self) -> bool {
        matches!(self.what, What::Top(_) | What::States(_))
    }

    /// The number; NaN when it is not defined. `part` is the part it needs.
    #[must_use]
    pub fn value(&self, aggregate: &Aggregate, part: Option<&PartState>) -> f64 {
        match (self.what, part) {
            (What::Count, _) => number(aggregate.count),
            (What::Sum, _) => aggregate.sum(),
            (What::Mean, _) => aggregate.mean(),
            (What::Min, _) => aggregate.min,
            (What::Max, _) => aggregate.max,
            (What::Range, _) => aggregate.max - aggregate.min,
            (What::Variance, _) => aggregate.variance(),
            (What::Std, _) => aggregate.std(),
            (What::Last, _) => aggregate.last,
            (What::First, Some(PartState::First(first))) => first.value,
            (What::Delta, Some(PartState::First(first))) => aggregate.last - first.value,
            (What::Rate, Some(PartState::First(first))) => {
                (aggregate.last - first.value) / (aggregate.last_time - first.time_ms) * HOUR_MS
            }
            (What::Skew, Some(PartState::Shape(shape))) => shape.skew(),
            (What::Kurtosis, Some(PartState::Shape(shape))) => shape.kurtosis(),
            (What::Percentile(percent), Some(PartState::Quantiles(sketch))) => {
                let found = sketch.quantile(percent);
                let found = if found < aggregate.min { aggregate.min } else { found };
                if found > aggregate.max { aggregate.max } else { found }
            }
            (What::Entropy, Some(PartState::Quantiles(sketch))) => sketch.entropy(),
            (What::Distinct, Some(PartState::Distinct(distinct))) => distinct.estimate(),
            (What::Mode, Some(PartState::Top(top))) => top.ranked().first().map_or(f64::NAN, |&(value, _)| value),
            (What::Slope, Some(PartState::Slope(slope))) => slope.per_hour(),
            (What::Ewma, Some(PartState::Ewma(ewma))) => ewma.mean(),
            (What::Integral, Some(PartState::Integral(integral))) => integral.area(),
            (What::TimeMean, Some(PartState::Integral(integral))) => integral.mean(),
            (What::Duration, Some(PartState::Duration(duration))) => duration.ms(),
            (What::Changes, Some(PartState::Changes(changes))) => number(changes.count()),
            (What::State(back), Some(PartState::Changes(changes))) => {
                changes.latest().nth(back - 1).map_or(f64::NAN, |(value, _)| value)
            }
            (What::Autocorrelation, Some(PartState::Autocorrelation(part))) => part.correlation(),
            (What::Energy, Some(PartState::Energy(energy))) => energy.mean_square(),
            _ => f64::NAN,
        }
    }

    /// The list: readings with their counts, or states with the time of their first reading.
    #[must_use]
    pub fn list(&self, part: Option<&PartState>) -> Vec<(f64, f64)> {
        match (self.what, part) {
            (What::Top(listed), Some(PartState::Top(top))) => {
                let ranked = top.ranked().into_iter().take(listed);
                ranked.map(|(value, count)| (value, number(count))).collect()
            }
            (What::States(listed), Some(PartState::Changes(changes))) => changes.latest().take(listed).collect(),
            _ => Vec::new(),
        }
    }
}

fn number(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let number = count as f64;
    number
}

/// `12`, `-1`, `99_9`: at most 15 digits, so that nothing is rounded twice.
fn decimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_decimal = digits.len() <= 16
        && digits.split('_').count() <= 2
        && digits
            .split('_')
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    if is_decimal {
        text.replace('_', ".").parse().ok()
    } else {
        None
    }
}

/// A whole number from 1 to `max`.
fn whole(text: &str, max: usize) -> Option<usize> {
    text.parse()
        .ok()
        .filter(|number| (1..=max).contains(number) && !text.starts_with(['+', '0']))
}

/// `250ms`, `30s`, `5m`, `2h`, `1d`.
fn duration_ms(text: &str) -> Option<f64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1.0,
        "s" => 1000.0,
        "m" => 60_000.0,
        "h" => HOUR_MS,
        "d" => 24.0 * HOUR_MS,
        _ => return None,
    };
    whole(number, 1_000_000).map(|number| self::number(number as u64) * unit_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_with_their_parameters_and_others_are_none() {
        for name in [
            "count",
            "median",
            "p90",
            "p99_9",
            "p0",
            "p100",
            "ewma_5m",
            "ewma_250ms",
            "duration_1",
            "duration_-1_5",
            "autocorrelation_64",
            "energy_10_to_50",
            "energy_0_5_to_2",
            "state_1",
            "states_16",
            "top_3",
            "mode",
        ] {
            assert!(Statistic::named(name).is_some(), "{name}");
        }
        for name in [
            "",
            "p",
            "p101",
            "p-1",
            "p9_9_9",
            "p_5",
            "ewma",
            "ewma_5",
            "ewma_0s",
            "ewma_+5s",
            "duration_x",
            "duration_",
            "autocorrelation_0",
            "autocorrelation_65",
            "energy_5_to_5",
            "energy_-1_to_5",
            "state_17",
            "top_01",
            "means",
        ] {
            assert!(Statistic::named(name).is_none(), "{name}");
        }
    }
}
