//! Windows of one series, or of one group of series: readings go in, results come out. A window takes a reading as long as
//! the time of its key lies before the window's end plus its lateness, and plus what it allows for corrections; its result
//! is put out at the end plus lateness, and again for every correction. What each kind of window means, beside other
//! systems, is in WINDOWS.md.

mod aggregate;
mod definition;
mod open;
mod parts;
mod sliding;
mod statistic;

pub use aggregate::Aggregate;
pub use definition::{Over, Shape, Trigger, Window};
pub use statistic::Statistic;

use crate::codec::{Reader, Writer};
use crate::error::Result;
use open::{Opens, Sessions};
use sliding::Sliding;

/// A result as it is put out.
pub struct Frame<'a> {
    /// Where the window begins.
    pub start: f64,
    /// Where it ends; of count and global windows the times of the first and last reading.
    pub end: f64,
    /// Its readings; `None`: an earlier result for this start holds no more.
    pub aggregate: Option<&'a Aggregate>,
    /// How many results for this start came before.
    pub revision: u32,
    /// True when no other will follow.
    pub is_final: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    /// Tumbling and global.
    Opens(Opens),
    Sessions(Box<Sessions>),
    Sliding(Box<Sliding>),
    /// The windows are those of a group, with this number.
    Member(u32),
}

/// One window's state for one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Index of the window in the plan.
    pub window: usize,
    state: State,
    /// The latest result that was due: of the windows that are out the one with the latest readings.
    pub closed: Option<Aggregate>,
}

impl Span {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(window: usize, definition: &Window) -> Self {
        let state = match definition.shape {
            Shape::Tumbling { .. } | Shape::Global => State::Opens(Opens::default()),
            Shape::Session { .. } => State::Sessions(Box::default()),
            Shape::Sliding { .. } | Shape::Count { .. } => State::Sliding(Box::new(Sliding::new(definition.shape))),
        };
        Self {
            window,
            state,
            closed: None,
        }
    }

    /// One of which a group keeps the windows.
    #[must_use]
    pub fn of_group(window: usize, group: u32) -> Self {
        Self {
            window,
            state: State::Member(group),
            closed: None,
        }
    }

    /// The group that keeps the windows; `None`: they are here.
    #[must_use]
    pub fn group(&self) -> Option<u32> {
        match self.state {
            State::Member(group) => Some(group),
            _ => None,
        }
    }

    /// Windows that are open, or slices.
    #[must_use]
    pub fn open(&self) -> usize {
        match &self.state {
            State::Opens(opens) => opens.count(),
            State::Sessions(sessions) => sessions.count(),
            State::Sliding(sliding) => sliding.count(),
            State::Member(_) => 0,
        }
    }

    /// True when a window that holds `time` may still change, for a key complete up to `complete_ms`.
    #[must_use]
    pub fn accepts(&self, definition: &Window, time: f64, complete_ms: f64) -> bool {
        let hold_ms = definition.hold_ms();
        if definition.is_ordered() && time < complete_ms - hold_ms {
            return false;
        }
        match (&self.state, definition.shape) {
            (_, Shape::Tumbling { every_ms }) => floor_to(time, every_ms) + every_ms + hold_ms > complete_ms,
            (State::Sessions(sessions), Shape::Session { gap_ms }) => {
                time + gap_ms + hold_ms > complete_ms || sessions.holds(gap_ms, time)
            }
            _ => Sliding::accepts(definition, time, complete_ms),
        }
    }

    /// Adds a reading that is accepted; returns the key's time at which a result is due: minus infinity for at once.
    pub fn add(&mut self, definition: &Window, time: f64, value: f64, complete_ms: f64) -> f64 {
        match (&mut self.state, definition.shape) {
            (State::Opens(opens), _) => opens.add(definition, time, value, complete_ms),
            (State::Sessions(sessions), Shape::Session { gap_ms }) => {
                sessions.add(definition, gap_ms, time, value, complete_ms)
            }
            (State::Sessions(_), _) => unreachable!("made for this definition"),
            (State::Sliding(sliding), _) => sliding.add(definition, time, value, complete_ms),
            (State::Member(_), _) => unreachable!("the group is asked"),
        }
    }

    /// Makes a result due for what is open: a punctuation came. True when there is something to put out.
    pub fn punctuate(&mut self) {
        match &mut self.state {
            State::Opens(opens) => opens.punctuate(),
            State::Sessions(sessions) => sessions.punctuate(),
            State::Sliding(_) | State::Member(_) => {}
        }
    }

    /// Puts out what a key complete up to `complete_ms` has done with, earliest first. Returns the key's time at which the
    /// next result is due; infinite when nothing is open.
    pub fn close(&mut self, definition: &Window, complete_ms: f64, put_out: impl FnMut(&Frame)) -> f64 {
        match &mut self.state {
            State::Opens(opens) => opens.close(definition, complete_ms, &mut self.closed, put_out),
            State::Sessions(sessions) => sessions.close(definition, complete_ms, &mut self.closed, put_out),
            State::Sliding(sliding) => sliding.close(definition, complete_ms, &mut self.closed, put_out),
            State::Member(_) => f64::INFINITY,
        }
    }

    /// Appends the state.
    pub fn save(&self, definition: &Window, writer: &mut Writer) {
        match &self.state {
            State::Opens(opens) => opens.save(definition, writer),
            State::Sessions(sessions) => sessions.save(definition, writer),
            State::Sliding(sliding) => sliding.save(definition, writer),
            State::Member(_) => return,
        }
        writer.bool(self.closed.is_some());
        if let Some(closed) = &self.closed {
            closed.save(definition, writer);
        }
    }

    /// Takes what `save` wrote; `is_v3` when a core wrote it whose states had version 3 or less (tumbling windows alone).
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(window: usize, definition: &Window, is_v3: bool, reader: &mut Reader) -> Result<Self> {
        let aggregate = |reader: &mut Reader| {
            if is_v3 {
                Aggregate::load_v3(definition, reader)
            } else {
                Aggregate::load(definition, reader)
            }
        };
        let state = match definition.shape {
            Shape::Tumbling { .. } | Shape::Global => State::Opens(Opens::load(reader, aggregate)?),
            Shape::Session { .. } => State::Sessions(Box::new(Sessions::load(definition, reader)?)),
            Shape::Sliding { .. } | Shape::Count { .. } => State::Sliding(Box::new(Sliding::load(definition, reader)?)),
        };
        let closed = if reader.bool()? { Some(aggregate(reader)?) } else { None };
        Ok(Self { window, state, closed })
    }
}

/// The last multiple of `step` that is not after `time`.
fn floor_to(time: f64, step: f64) -> f64 {
    let floor = (time / step).floor() * step;
    // The quotient of a time just below a multiple may round up to it.
    if floor > time { floor - step } else { floor }
}

/// Keeps the result with the latest readings.
fn update_closed(closed: &mut Option<Aggregate>, aggregate: Aggregate) {
    if closed
        .as_ref()
        .is_none_or(|closed| closed.last_time <= aggregate.last_time)
    {
        *closed = Some(aggregate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    /// A window from its JSON, with name, fields and statistics filled in.
    fn window(rest: &str) -> Window {
        let lateness = if rest.contains("step") { 0 } else { 5000 };
        let text = format!(r#"{{"name":"m","of":[],"stats":["mean"],"lateness_ms":{lateness},{rest}}}"#);
        Window::parse(&json::parse(text.as_bytes()).unwrap()).unwrap()
    }

    fn minute() -> Window {
        window(r#""every_ms":60000"#)
    }

    /// What a span puts out for readings in the order of arrival, the time of the key being the latest of them; at the end
    /// all is closed. `(start, end, count, revision, final)`.
    fn results(definition: &Window, readings: &[(f64, f64)]) -> Vec<(f64, f64, u64, u32, bool)> {
        let mut span = Span::new(0, definition);
        let mut complete_ms = f64::NEG_INFINITY;
        let mut results = Vec::new();
        let mut put_out = |frame: &Frame| {
            let count = frame.aggregate.map_or(0, |aggregate| aggregate.count);
            results.push((frame.start, frame.end, count, frame.revision, frame.is_final));
        };
        for &(time, value) in readings {
            complete_ms = if time > complete_ms { time } else { complete_ms };
            span.close(definition, complete_ms, &mut put_out);
            if span.accepts(definition, time, complete_ms) {
                let due_ms = span.add(definition, time, value, complete_ms);
                if due_ms <= complete_ms {
                    span.close(definition, complete_ms, &mut put_out);
                }
            }
        }
        span.close(definition, 1e15, &mut put_out);
        results
    }

    #[test]
    fn a_window_takes_readings_until_its_end_plus_lateness_and_is_put_out_once() {
        let definition = minute();
        let mut span = Span::new(0, &definition);
        span.add(&definition, 1000.0, 2.0, 1000.0);
        span.add(&definition, 61_000.0, 9.0, 61_000.0);
        assert!(span.accepts(&definition, 59_999.0, 64_999.0));
        span.add(&definition, 500.0, 4.0, 64_999.0);
        assert!(!span.accepts(&definition, 59_999.0, 65_000.0));
        let mut put_out = Vec::new();
        let next = span.close(&definition, 65_000.0, |frame| {
            put_out.push((frame.start, frame.aggregate.unwrap().clone()))
        });
        assert_eq!(next, 125_000.0);
        assert_eq!(put_out.len(), 1);
        let (start, window) = &put_out[0];
        assert_eq!(
            (*start, window.count, window.sum(), window.mean(), window.std()),
            (0.0, 2, 6.0, 3.0, 1.0)
        );
        assert_eq!((window.min, window.max, window.last), (2.0, 4.0, 2.0));
        assert_eq!(span.close(&definition, 1e9, |_| ()), f64::INFINITY);
        assert_eq!(span.closed.as_ref().unwrap().last, 9.0);
    }

    #[test]
    fn windows_that_open_out_of_order_close_in_order() {
        let definition = minute();
        let mut span = Span::new(0, &definition);
        for time in [130_000.0, 10_000.0, 70_000.0, -10.0] {
            span.add(&definition, time, time, time);
        }
        let mut starts = Vec::new();
        span.close(&definition, f64::MAX, |frame| starts.push(frame.start));
        assert_eq!(starts, [-60_000.0, 0.0, 60_000.0, 120_000.0]);
    }

    #[test]
    fn a_time_just_below_a_boundary_is_in_the_window_before_it() {
        let every_ms = 0.1 + 1.0;
        for step in 1..1000 {
            let boundary = f64::from(step) * every_ms;
            let below = f64::from_bits(boundary.to_bits() - 1);
            assert!(floor_to(below, every_ms) <= below);
        }
    }

    #[test]
    fn a_late_reading_corrects_a_result_that_is_out_until_the_time_allowed_is_over() {
        let definition = window(r#""every_ms":60000,"allowed_lateness_ms":60000"#);
        let readings = [
            (1e3, 1.0),
            (65e3, 1.0),
            (2e3, 1.0),
            (3e3, 1.0),
            (126e3, 1.0),
            (4e3, 1.0),
        ];
        assert_eq!(
            results(&definition, &readings),
            [
                (0.0, 60e3, 1, 0, false),
                (0.0, 60e3, 2, 1, false),
                (0.0, 60e3, 3, 2, false),
                (0.0, 60e3, 3, 3, true),
                (60e3, 120e3, 1, 0, false),
                (60e3, 120e3, 1, 1, true),
                (120e3, 180e3, 1, 0, true),
            ]
        );
    }

    #[test]
    fn sliding_windows_overlap_and_are_put_out_as_long_as_there_are_readings() {
        let definition = window(r#""size_ms":60000,"every_ms":25000"#);
        assert_eq!(
            results(&definition, &[(1e3, 1.0), (26e3, 1.0), (59e3, 1.0), (200e3, 1.0)]),
            [
                (-50e3, 10e3, 1, 0, true),
                (-25e3, 35e3, 2, 0, true),
                (0.0, 60e3, 3, 0, true),
                (25e3, 85e3, 2, 0, true),
                (50e3, 110e3, 1, 0, true),
                (150e3, 210e3, 1, 0, true),
                (175e3, 235e3, 1, 0, true),
                (200e3, 260e3, 1, 0, true),
            ]
        );
    }

    #[test]
    fn a_session_ends_with_its_gap_and_a_late_reading_joins_two_and_withdraws_one() {
        let definition = window(r#""gap_ms":10000,"allowed_lateness_ms":60000"#);
        assert_eq!(
            results(
                &definition,
                &[(1e3, 1.0), (20e3, 1.0), (40e3, 1.0), (12e3, 1.0), (10.5e3, 1.0)]
            ),
            [
                (1e3, 11e3, 1, 0, false),
                (20e3, 30e3, 1, 0, false),
                (20e3, 30e3, 0, 1, true),
                (12e3, 30e3, 2, 0, false),
                (12e3, 30e3, 0, 1, true),
                (1e3, 30e3, 4, 1, false),
                (1e3, 30e3, 4, 2, true),
                (40e3, 50e3, 1, 0, true),
            ]
        );
    }

    #[test]
    fn count_windows_are_put_out_when_they_are_full() {
        let readings: Vec<(f64, f64)> = (0..8).map(|n| (f64::from(n) * 10.0, 1.0)).collect();
        assert_eq!(
            results(&window(r#""count":3,"step":3"#), &readings),
            [(0.0, 20.0, 3, 0, true), (30.0, 50.0, 3, 0, true)]
        );
        let ends: Vec<f64> = results(&window(r#""count":4,"step":2"#), &readings)
            .iter()
            .map(|result| result.1)
            .collect();
        assert_eq!(ends, [30.0, 50.0, 70.0]);
    }

    /// Ten thousand keys with ten windows have a hundred thousand of each.
    #[test]
    fn the_plain_case_stays_small() {
        assert!(size_of::<Aggregate>() <= 72, "{}", size_of::<Aggregate>());
        assert!(size_of::<Span>() <= 112, "{}", size_of::<Span>());
    }

    #[test]
    fn a_span_is_loaded_as_it_was_saved() {
        for rest in [
            r#""every_ms":60000"#,
            r#""size_ms":60000,"every_ms":7000"#,
            r#""size_ms":60000,"every_ms":7000,"allowed_lateness_ms":9000"#,
            r#""gap_ms":9000,"allowed_lateness_ms":9000,"trigger":{"count":2,"every_ms":1000,"field":null,"reset":false}"#,
            r#""trigger":{"count":0,"every_ms":1000,"field":"x","value":1,"reset":true}"#,
        ] {
            let definition = window(rest);
            let mut span = Span::new(3, &definition);
            for step in 0..100_u32 {
                let time = f64::from(step * 7919 % 60_000 + step * 1000);
                if span.accepts(&definition, time, time) {
                    span.add(&definition, time, time, time);
                }
                span.close(&definition, time, |_| ());
                let mut writer = Writer::new();
                span.save(&definition, &mut writer);
                let mut reader = Reader::new(writer.as_slice());
                assert_eq!(
                    Span::load(3, &definition, false, &mut reader),
                    Ok(span.clone()),
                    "{rest}"
                );
                assert_eq!(reader.remaining(), 0);
            }
        }
    }
}
