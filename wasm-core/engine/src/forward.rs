//! Which readings go on as they are: filtered, thinned out, or by exception (only when they have moved), so that a site
//! sends what matters and not all that was measured. What was sent last is state, so that a crash repeats nothing that
//! it would not have sent.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::expression::Expression;

/// One rule of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The fields it forwards; empty: all.
    pub of: Vec<String>,
    /// Only readings for which this is true, over the key's fields and `value`.
    pub condition: Option<Expression>,
    /// Least event time between two of a series; 0: none.
    pub every_ms: f64,
    /// Only values that differ by more than this from the one sent last; 0: any.
    pub deadband: f64,
    /// The deadband is a share of the value sent last.
    pub is_relative: bool,
    /// Sent within the deadband too when the one sent last is as old as this; 0: never.
    pub at_least_ms: f64,
    /// One of so many.
    pub one_in: u64,
}

/// What a rule sent last of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sent {
    value: f64,
    at_ms: f64,
    /// Readings passed over since, for `one_in`.
    passed: u64,
}

const NOTHING: Sent = Sent {
    value: f64::NAN,
    at_ms: f64::NEG_INFINITY,
    passed: 0,
};

/// What one rule has sent, by series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sending {
    sent: Vec<Sent>,
}

impl Sending {
    /// True when the reading is to be sent; it then counts as sent.
    pub fn offer(&mut self, rule: &Rule, series: u32, at_ms: f64, value: f64) -> bool {
        let index = series as usize;
        if self.sent.len() <= index {
            self.sent.resize(index + 1, NOTHING);
        }
        let sent = &mut self.sent[index];
        let is_first = sent.value.is_nan();
        // A reading from before the one sent last says nothing new of the present.
        if !is_first && (at_ms < sent.at_ms || at_ms < sent.at_ms + rule.every_ms) {
            return false;
        }
        let width = if rule.is_relative {
            rule.deadband * sent.value.abs()
        } else {
            rule.deadband
        };
        let moved = rule.deadband == 0.0 || (value - sent.value).abs() > width;
        let overdue = rule.at_least_ms > 0.0 && at_ms - sent.at_ms >= rule.at_least_ms;
        if !is_first && !moved && !overdue {
            return false;
        }
        if !is_first && !overdue && sent.passed + 1 < rule.one_in {
            sent.passed += 1;
            return false;
        }
        *sent = Sent {
            value,
            at_ms,
            passed: 0,
        };
        true
    }

    /// Appends the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.u32(u32::try_from(self.sent.len()).expect("indexes are u32"));
        for sent in &self.sent {
            writer.f64(sent.value);
            writer.f64(sent.at_ms);
            writer.u64(sent.passed);
        }
    }

    /// Takes what `save` wrote beside so many series.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(series: usize, reader: &mut Reader) -> Result<Self> {
        let count = reader.count(24)?;
        let sent: Vec<Sent> = (0..count)
            .map(|_| {
                Ok(Sent {
                    value: reader.f64()?,
                    at_ms: reader.f64()?,
                    passed: reader.counter()?,
                })
            })
            .collect::<Result<_>>()?;
        if count > series || sent.iter().any(|sent| sent.at_ms.is_nan()) {
            return Err(CoreError::Corrupt);
        }
        Ok(Self { sent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Rule = Rule {
        of: vec![],
        condition: None,
        every_ms: 0.0,
        deadband: 0.0,
        is_relative: false,
        at_least_ms: 0.0,
        one_in: 1,
    };

    /// The times in seconds at which values, one a second, are sent.
    fn sent(rule: &Rule, values: &[f64]) -> Vec<usize> {
        let mut sending = Sending::default();
        (0..values.len())
            .filter(|&at| sending.offer(rule, 2, at as f64 * 1000.0, values[at]))
            .collect()
    }

    #[test]
    fn a_rule_without_conditions_sends_all() {
        assert_eq!(sent(&ALL, &[1.0, 1.0, 1.0]), [0, 1, 2]);
    }

    #[test]
    fn by_exception_a_value_is_sent_when_it_has_moved_or_was_not_sent_for_long() {
        let rule = Rule { deadband: 0.5, ..ALL };
        assert_eq!(sent(&rule, &[1.0, 1.5, 1.4, 1.6, 1.2, 1.0, 1.0]), [0, 3, 5]);
        let rule = Rule {
            at_least_ms: 3000.0,
            ..rule
        };
        assert_eq!(sent(&rule, &[1.0; 8]), [0, 3, 6]);
        let rule = Rule {
            deadband: 0.1,
            is_relative: true,
            ..ALL
        };
        assert_eq!(sent(&rule, &[100.0, 109.0, 111.0, 101.0, 99.0]), [0, 2, 4]);
    }

    #[test]
    fn sampled_down_one_is_sent_per_interval_or_of_so_many() {
        assert_eq!(
            sent(
                &Rule {
                    every_ms: 2500.0,
                    ..ALL
                },
                &[0.0; 7]
            ),
            [0, 3, 6]
        );
        assert_eq!(sent(&Rule { one_in: 3, ..ALL }, &[0.0; 7]), [0, 3, 6]);
    }

    #[test]
    fn a_reading_from_before_is_not_sent_and_the_state_goes_on_where_it_was() {
        let rule = Rule { deadband: 0.5, ..ALL };
        let mut sending = Sending::default();
        assert!(sending.offer(&rule, 0, 5000.0, 1.0));
        assert!(!sending.offer(&rule, 0, 4000.0, 9.0));
        let mut writer = Writer::new();
        sending.save(&mut writer);
        let mut loaded = Sending::load(1, &mut Reader::new(writer.as_slice())).unwrap();
        assert_eq!(loaded, sending);
        assert!(!loaded.offer(&rule, 0, 6000.0, 1.2));
        assert_eq!(
            Sending::load(0, &mut Reader::new(writer.as_slice())),
            Err(CoreError::Corrupt)
        );
    }
}
