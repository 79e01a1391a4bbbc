//! One series: its latest two values by event time, and its windows.

use crate::window::Span;

/// One quantity of one key.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The key.
    pub key: u32,
    /// The field.
    pub field: u32,
    /// Latest value by event time; NaN before the first.
    pub last: f64,
    /// Its event time; -infinity when it is not known.
    pub last_ms: f64,
    /// The value before the latest by event time; NaN when there is none.
    pub previous: f64,
    /// Its event time.
    pub previous_ms: f64,
    /// The windows that cover it, in the order of the plan.
    pub spans: Vec<Span>,
}

impl Series {
    /// The value at an event time and its own time, as far as the latest two readings tell.
    #[must_use]
    pub fn as_of(&self, time_ms: f64) -> Option<(f64, f64)> {
        let (value, at_ms) = if self.last_ms <= time_ms {
            (self.last, self.last_ms)
        } else {
            (self.previous, self.previous_ms)
        };
        (at_ms <= time_ms && !value.is_nan()).then_some((value, at_ms))
    }

    /// False for a series of which nothing but late readings came.
    #[must_use]
    pub fn has_value(&self) -> bool {
        !self.last.is_nan()
    }

    /// Sets a value that came at an event time.
    pub(super) fn set(&mut self, time: f64, value: f64) {
        // Of equal times the one that came last counts.
        if time >= self.last_ms {
            (self.previous, self.previous_ms) = (self.last, self.last_ms);
            (self.last, self.last_ms) = (value, time);
        } else if time >= self.previous_ms {
            (self.previous, self.previous_ms) = (value, time);
        }
    }

    /// Sets a value that the broker had kept: the latest only if none is known, or an older one by the device's own time.
    pub fn set_retained(&mut self, own_time_ms: Option<f64>, value: f64) {
        if self.last.is_nan() || own_time_ms.is_some_and(|time| time > self.last_ms) {
            self.last = value;
            self.last_ms = own_time_ms.unwrap_or(f64::NEG_INFINITY);
        }
    }
}
