//! A field's contract: what words mean, in which unit numbers come, and what the sensor can have measured: a range, a greatest
//! rate of change, a longest time without any. The tests are the gross range, rate of change and flat line tests of QARTOD
//! (IOOS Manual for Real-Time Quality Control of In-situ Temperature and Salinity Data, tests 4, 7 and 8).

use super::found::{Found, measured};
use crate::error::{CoreError, Result};
use crate::json::Value;
use crate::plan::{count, duration, list, number, optional_list, string};

/// Words of one field.
const WORDS_MAX: usize = 256;

/// The contract of a field.
#[derive(Clone, Debug, PartialEq)]
pub struct Sense {
    /// What words, truth values or numbers mean; these meanings are taken as they are.
    words: Vec<(String, f64)>,
    /// `[before, times, by, after]`: a number becomes ((number + before) × times) ÷ by + after, four roundings at most, and none where
    /// units differ by a factor that is no decimal. `None` leaves it as it is, without a division for nothing.
    linear: Option<[f64; 4]>,
    /// The least and the largest that is measured, after all that.
    range: Option<(f64, f64)>,
    /// The greatest change, and the milliseconds that it takes.
    rate_max: Option<(f64, f64)>,
    /// How long a reading may stay the same.
    stuck_after: Option<StuckAfter>,
    /// What is done about a reading that breaks the contract.
    pub on_violation: OnViolation,
}

/// How long a reading may stay the same.
#[derive(Clone, Copy, Debug, PartialEq)]
enum StuckAfter {
    /// Event time.
    Ms(f64),
    /// Readings that equal the first.
    Readings(u64),
}

/// What is done about a reading that breaks its contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnViolation {
    /// Nobody said: its message is quarantined, but a word that is none is no reading.
    Unsaid,
    /// Its message is quarantined.
    Quarantine,
    /// It passes, and the field `NAME_quality` beside it says what is wrong.
    Flag,
    /// It is left out.
    Drop,
}

/// How a reading broke its contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Below or above what the sensor measures.
    Range,
    /// A greater change than it can have been.
    Rate,
    /// No change for too long.
    Stuck,
    /// A word that the contract does not know.
    Word,
}

impl Violation {
    /// Every one, in the order of their quality.
    pub const ALL: [Self; 4] = [Self::Range, Self::Rate, Self::Stuck, Self::Word];

    /// Its word in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::Rate => "rate",
            Self::Stuck => "stuck",
            Self::Word => "word",
        }
    }

    /// The value of the quality field; 0 is good.
    #[must_use]
    pub fn quality(self) -> f64 {
        f64::from(self as u8) + 1.0
    }

    /// Why a message is quarantined for it.
    #[must_use]
    pub fn error(self) -> CoreError {
        match self {
            Self::Range => CoreError::OutOfRange,
            Self::Rate => CoreError::TooFast,
            Self::Stuck => CoreError::Stuck,
            Self::Word => CoreError::UnknownWord,
        }
    }
}

/// The newest reading of a series, and since when it has been the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Newest {
    /// Its value.
    pub value: f64,
    /// Its event time; -infinity before the first.
    pub at_ms: f64,
    /// Event time of the first reading with this value.
    pub since_ms: f64,
    /// Readings with this value after that one.
    pub unchanged: u64,
}

impl Sense {
    /// Reads a field's `sense` of a plan; `None` without.
    ///
    /// # Errors
    /// `BadPlan`.
    pub fn parse(field: &Value) -> Result<Option<Self>> {
        let Some(value) = field.get("sense") else {
            return Ok(None);
        };
        let words = list(value, "words", WORDS_MAX)?.iter();
        let words = words.map(|word| Ok((string(word, "is")?, number(word, "means")?)));
        let linear = list(value, "linear", 4)?;
        let linear = match linear {
            [] => None,
            [Value::Number(a), Value::Number(b), Value::Number(c), Value::Number(d)] if *b != 0.0 && *c != 0.0 => {
                Some([*a, *b, *c, *d])
            }
            _ => return Err(CoreError::BadPlan),
        };
        let range = match list(value, "range", 2)? {
            [] => None,
            [Value::Number(least), Value::Number(most)] if least <= most => Some((*least, *most)),
            _ => return Err(CoreError::BadPlan),
        };
        Ok(Some(Self {
            words: words.collect::<Result<_>>()?,
            linear,
            range,
            rate_max: match optional_list(value, "rate_max", 2)? {
                [] => None,
                [Value::Number(change), Value::Number(ms)] if *change >= 0.0 && *ms > 0.0 => Some((*change, *ms)),
                _ => return Err(CoreError::BadPlan),
            },
            stuck_after: match (value.get("stuck_ms"), value.get("stuck_readings")) {
                (None, None) => None,
                (Some(_), None) => Some(StuckAfter::Ms(duration(value, "stuck_ms")?)),
                (None, Some(_)) => Some(StuckAfter::Readings(count(value, "stuck_readings", 1 << 30)? as u64)),
                (Some(_), Some(_)) => return Err(CoreError::BadPlan),
            },
            on_violation: match value.get("on_violation").map(Value::as_str) {
                None => OnViolation::Unsaid,
                Some(Some("quarantine")) => OnViolation::Quarantine,
                Some(Some("flag")) => OnViolation::Flag,
                Some(Some("drop")) => OnViolation::Drop,
                Some(_) => return Err(CoreError::BadPlan),
            },
        }))
    }

    /// True when readings are judged by the one before.
    #[must_use]
    pub fn compares(&self) -> bool {
        self.rate_max.is_some() || self.stuck_after.is_some()
    }

    /// What is wrong about a reading that is newer than the newest so far, and what is the newest then.
    #[must_use]
    pub fn compare(&self, newest: &Newest, at_ms: f64, value: f64) -> (Option<Violation>, Newest) {
        let changed = Newest {
            value,
            at_ms,
            since_ms: at_ms,
            unchanged: 0,
        };
        if newest.at_ms == f64::NEG_INFINITY {
            return (None, changed);
        }
        #[expect(clippy::float_cmp, reason = "a reading that has not changed is the same number")]
        if newest.value != value {
            // As products, so that a rate of 1 a minute is just that.
            let too_fast =
                |(change, ms): (f64, f64)| (value - newest.value).abs() * ms > change * (at_ms - newest.at_ms);
            return (self.rate_max.is_some_and(too_fast).then_some(Violation::Rate), changed);
        }
        let same = Newest {
            at_ms,
            unchanged: newest.unchanged.saturating_add(1),
            ..*newest
        };
        let stuck = match self.stuck_after {
            None => false,
            Some(StuckAfter::Ms(ms)) => at_ms - same.since_ms >= ms,
            Some(StuckAfter::Readings(readings)) => same.unchanged >= readings,
        };
        (stuck.then_some(Violation::Stuck), same)
    }

    /// The reading that `found` gives, if any, and how it breaks the contract as far as it can be seen from it alone.
    ///
    /// # Errors
    /// `BadNumbers` for a reading that nothing measures.
    pub fn reading(&self, found: &Found) -> Result<(Option<f64>, Option<Violation>)> {
        let word = self.words.iter().find(|(word, _)| found.says(word));
        let value = match word {
            Some((_, means)) => *means,
            None => match found.reading()? {
                Some(number) => match self.linear {
                    Some([before, times, by, after]) => ((number + before) * times) / by + after,
                    None => number,
                },
                None => {
                    let strange = !self.words.is_empty() && found.is_text();
                    return Ok((None, strange.then_some(Violation::Word)));
                }
            },
        };
        let outside = self.range.is_some_and(|(least, most)| !(least..=most).contains(&value));
        Ok((Some(measured(value)?), outside.then_some(Violation::Range)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::Text;
    use super::*;
    use crate::json;

    fn sense(text: &str) -> Result<Option<Sense>> {
        Sense::parse(&json::parse(format!("{{\"sense\":{text}}}").as_bytes()).unwrap())
    }

    #[test]
    fn words_and_numbers_become_readings_within_their_range() {
        let sense = sense(
            r#"{"words":[{"is":"ON","means":1},{"is":"-127","means":0}],"linear":[-32,5,9,0],"range":[-40,100]}"#,
        );
        let sense = sense.unwrap().unwrap();
        let text = |text: &'static str| Found::Text(Text::plain(text.as_bytes()));
        assert_eq!(sense.reading(&Found::Number(212.0)), Ok((Some(100.0), None)));
        assert_eq!(sense.reading(&text("32")), Ok((Some(0.0), None)));
        assert_eq!(sense.reading(&text("ON")), Ok((Some(1.0), None)));
        assert_eq!(sense.reading(&Found::Number(-127.0)), Ok((Some(0.0), None)));
        assert_eq!(sense.reading(&text("off")), Ok((None, Some(Violation::Word))));
        assert_eq!(sense.reading(&Found::Absent), Ok((None, None)));
        let (hot, violation) = sense.reading(&Found::Number(300.0)).unwrap();
        assert!(hot.unwrap() > 100.0 && violation == Some(Violation::Range));
        assert_eq!(sense.reading(&Found::Number(f64::NAN)), Err(CoreError::BadNumbers));
    }

    /// The violations of readings given as (seconds, value).
    fn compared(contract: &str, readings: &[(f64, f64)]) -> Vec<Option<Violation>> {
        let contract = format!("{{\"words\":[],\"linear\":[],\"range\":[],{contract}}}");
        let sense = sense(&contract).unwrap().unwrap();
        let mut newest = Newest {
            value: 0.0,
            at_ms: f64::NEG_INFINITY,
            since_ms: 0.0,
            unchanged: 0,
        };
        let judge = |&(at, value): &(f64, f64)| {
            let violation;
            (violation, newest) = sense.compare(&newest, at * 1000.0, value);
            violation
        };
        readings.iter().map(judge).collect()
    }

    #[test]
    fn a_change_is_too_fast_when_it_takes_less_time_than_the_rate_allows() {
        let rate = Some(Violation::Rate);
        let readings = [(0.0, 20.0), (60.0, 21.0), (120.0, 22.1), (240.0, 20.1), (241.0, 20.1)];
        assert_eq!(
            compared(r#""rate_max":[1,60000]"#, &readings),
            [None, None, rate, None, None]
        );
    }

    #[test]
    fn readings_that_stay_the_same_are_stuck_after_a_time_or_a_number_of_them() {
        let stuck = Some(Violation::Stuck);
        let readings = [(0.0, 5.0), (1.0, 5.0), (2.0, 5.0), (3.0, 5.5), (4.0, 5.5), (5.0, 5.5)];
        let expected = [None, None, stuck, None, None, stuck];
        assert_eq!(compared(r#""stuck_ms":2000"#, &readings), expected);
        assert_eq!(compared(r#""stuck_readings":2"#, &readings), expected);
    }

    #[test]
    fn malformed_contracts_are_refused() {
        for text in [
            "{}",
            r#"{"words":[],"linear":[0,0,1,0],"range":[]}"#,
            r#"{"words":[],"linear":[1],"range":[]}"#,
            r#"{"words":[],"linear":[],"range":[2,1]}"#,
            r#"{"words":["a"],"linear":[],"range":[]}"#,
            r#"{"words":[],"linear":[],"range":[],"rate_max":[1]}"#,
            r#"{"words":[],"linear":[],"range":[],"rate_max":[1,0]}"#,
            r#"{"words":[],"linear":[],"range":[],"stuck_ms":1,"stuck_readings":1}"#,
            r#"{"words":[],"linear":[],"range":[],"stuck_readings":0}"#,
            r#"{"words":[],"linear":[],"range":[],"on_violation":"ignore"}"#,
        ] {
            assert!(sense(text).is_err(), "{text}");
        }
        assert_eq!(Sense::parse(&json::parse(b"{}").unwrap()), Ok(None));
    }
}
