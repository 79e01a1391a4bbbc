//! What a field's contract makes of what stands at its path: words become numbers, numbers another unit, and a number that the sensor
//! cannot have measured is refused.

use super::found::Found;
use crate::error::{CoreError, Result};
use crate::json::Value;
use crate::plan::{list, number, string};

/// Words of one field.
const WORDS_MAX: usize = 256;

/// The contract of a field.
#[derive(Clone, Debug, PartialEq)]
pub struct Sense {
    /// What words, truth values or numbers mean; these meanings are taken as they are.
    words: Vec<(String, f64)>,
    /// A number becomes ((number + before) × times) ÷ by + after: four roundings at most, and none where units differ by a factor
    /// that is no decimal.
    before: f64,
    times: f64,
    by: f64,
    after: f64,
    /// The least and the largest that is measured, after all that.
    range: Option<(f64, f64)>,
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
        let [before, times, by, after] = match linear {
            [] => [0.0, 1.0, 1.0, 0.0],
            [Value::Number(a), Value::Number(b), Value::Number(c), Value::Number(d)] if *b != 0.0 && *c != 0.0 => {
                [*a, *b, *c, *d]
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
            before,
            times,
            by,
            after,
            range,
        }))
    }

    /// The reading that `found` gives, if any.
    ///
    /// # Errors
    /// `OutOfRange` for one that the sensor cannot have measured, `BadNumbers` for one that nothing measures.
    pub fn reading(&self, found: &Found) -> Result<Option<f64>> {
        let word = self.words.iter().find(|(word, _)| found.says(word));
        let value = match word {
            Some((_, means)) => *means,
            None => match found.reading()? {
                Some(number) => ((number + self.before) * self.times) / self.by + self.after,
                None => return Ok(None),
            },
        };
        match self.range {
            Some((least, most)) if !(least..=most).contains(&value) => Err(CoreError::OutOfRange),
            _ => Found::Number(value).reading(),
        }
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
        assert_eq!(sense.reading(&Found::Number(212.0)), Ok(Some(100.0)));
        assert_eq!(sense.reading(&text("32")), Ok(Some(0.0)));
        assert_eq!(sense.reading(&text("ON")), Ok(Some(1.0)));
        assert_eq!(sense.reading(&Found::Number(-127.0)), Ok(Some(0.0)));
        assert_eq!(sense.reading(&text("off")), Ok(None));
        assert_eq!(sense.reading(&Found::Absent), Ok(None));
        assert_eq!(sense.reading(&Found::Number(300.0)), Err(CoreError::OutOfRange));
        assert_eq!(sense.reading(&Found::Number(f64::NAN)), Err(CoreError::BadNumbers));
    }

    #[test]
    fn malformed_contracts_are_refused() {
        for text in [
            "{}",
            r#"{"words":[],"linear":[0,0,1,0],"range":[]}"#,
            r#"{"words":[],"linear":[1],"range":[]}"#,
            r#"{"words":[],"linear":[],"range":[2,1]}"#,
            r#"{"words":["a"],"linear":[],"range":[]}"#,
        ] {
            assert!(sense(text).is_err(), "{text}");
        }
        assert_eq!(Sense::parse(&json::parse(b"{}").unwrap()), Ok(None));
    }
}
