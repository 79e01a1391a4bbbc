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

    /// Takes what a core with this version of the state wrote (up to version 3 tumbling windows alone).
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(window: usize, definition: &Window, version: u16, reader: &mut Reader) -> Result<Self> {
        let aggregate =
            |reader: &mut Reader| Aggregate::load(definition, version, reader).map(|(aggregate, _)| aggregate);
        let state = match definition.shape {
            Shape::Tumbling { .. } | Shape::Global => State::Opens(Opens::load(reader, aggregate)?),
            Shape::Session { .. } => State::Sessions(Box::new(Sessions::load(reader, aggregate)?)),
            Shape::Sliding { .. } | Shape::Count { .. } => {
                State::Sliding(Box::new(Sliding::load(definition, version, reader)?))
            }
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
mod tests;
