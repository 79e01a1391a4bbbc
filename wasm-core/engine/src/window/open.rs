//! Windows of which each reading is in one: tumbling windows, sessions and the global window. Those that are open lie in a
//! list by start.

use super::aggregate::{Aggregate, Firing};
use super::definition::{Shape, Window};
use super::{Frame, floor_to, update_closed};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

/// One that is open.
#[derive(Clone, Debug, PartialEq)]
struct Open {
    start: f64,
    aggregate: Aggregate,
}

/// A session that is out and was swallowed by another, or begins earlier now.
#[derive(Clone, Debug, PartialEq)]
struct Withdrawn {
    start: f64,
    end: f64,
    revision: u32,
}

/// The open windows of one series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opens {
    list: Vec<Open>,
}

/// The same for sessions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sessions {
    opens: Opens,
    withdrawn: Vec<Withdrawn>,
}

impl Open {
    fn end(&self, definition: &Window) -> f64 {
        match definition.shape {
            Shape::Tumbling { every_ms } => self.start + every_ms,
            Shape::Session { gap_ms } => self.aggregate.last_time + gap_ms,
            _ => self.aggregate.last_time,
        }
    }

    /// The key's time at which its result is due.
    fn on_time_ms(&self, definition: &Window) -> f64 {
        match definition.shape {
            Shape::Global => f64::INFINITY,
            _ => self.end(definition) + definition.lateness_ms,
        }
    }

    /// The key's time at which something is to be done.
    fn due_ms(&self, definition: &Window) -> f64 {
        let on_time_ms = self.on_time_ms(definition);
        if !definition.is_revised() {
            return on_time_ms;
        }
        let firing = self.aggregate.firing();
        if firing.now {
            f64::NEG_INFINITY
        } else if firing.on_time {
            on_time_ms + definition.allowed_ms
        } else if firing.early_ms < on_time_ms {
            firing.early_ms
        } else {
            on_time_ms
        }
    }

    /// Takes note of a new reading where that may cause a result.
    fn added(&mut self, definition: &Window, complete_ms: f64) -> f64 {
        if definition.is_revised() {
            let mut firing = self.aggregate.firing();
            if firing.early_ms == 0.0 {
                let from_ms = if self.start > complete_ms {
                    self.start
                } else {
                    complete_ms
                };
                firing.early_ms = early_ms(definition, from_ms);
            }
            let trigger = definition.trigger.as_ref().map_or(0, |trigger| trigger.count);
            firing.now |= firing.on_time || (trigger > 0 && self.aggregate.count - firing.count >= trigger);
            self.aggregate.set_firing(firing);
        }
        self.due_ms(definition)
    }

    fn frame<'a>(&self, definition: &Window, aggregate: &'a Aggregate, is_final: bool) -> Frame<'a> {
        let firing = aggregate.firing();
        Frame {
            start: self.start,
            end: self.end(definition),
            aggregate: Some(aggregate),
            revision: firing.results,
            is_final,
        }
    }
}

fn early_ms(definition: &Window, from_ms: f64) -> f64 {
    definition
        .trigger
        .as_ref()
        .map_or(f64::INFINITY, |trigger| trigger.next_ms(from_ms))
}

impl Opens {
    fn insert(&mut self, at: usize, open: Open) {
        // Most series have one window open: room for one, not for the four that a vector begins with.
        if self.list.len() == self.list.capacity() {
            self.list.reserve_exact(1 + self.list.len() / 2);
        }
        self.list.insert(at, open);
    }

    /// Adds a reading to the tumbling window that holds it, or to the global one; returns the key's time at which something
    /// is due.
    pub fn add(&mut self, definition: &Window, time: f64, value: f64, complete_ms: f64) -> f64 {
        let settled_ms = complete_ms - definition.hold_ms();
        let start = match definition.shape {
            Shape::Tumbling { every_ms } => floor_to(time, every_ms),
            _ => self.list.first().map_or(time, |open| open.start),
        };
        let at = match self.list.iter().rposition(|open| open.start <= start) {
            Some(at) if self.list[at].start == start => {
                self.list[at].aggregate.add(definition, time, value, settled_ms);
                at
            }
            at => {
                let at = at.map_or(0, |at| at + 1);
                let aggregate = Aggregate::of(definition, time, value, settled_ms);
                self.insert(at, Open { start, aggregate });
                at
            }
        };
        let open = &mut self.list[at];
        if definition.shape == Shape::Global && time < open.start {
            open.start = time;
        }
        open.added(definition, complete_ms)
    }

    /// Windows that are open.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// Makes a result due for all that are open.
    pub fn punctuate(&mut self) {
        for open in &mut self.list {
            let firing = open.aggregate.firing();
            open.aggregate.set_firing(Firing { now: true, ..firing });
        }
    }

    /// Puts out what is due, earliest first; returns the key's time at which the next is.
    pub fn close(
        &mut self,
        definition: &Window,
        complete_ms: f64,
        closed: &mut Option<Aggregate>,
        mut put_out: impl FnMut(&Frame),
    ) -> f64 {
        if definition.is_revised() {
            return self.close_revised(definition, complete_ms, closed, put_out);
        }
        while let Some(open) = self.list.first() {
            let due_ms = open.due_ms(definition);
            if due_ms > complete_ms {
                return due_ms;
            }
            let mut open = self.list.remove(0);
            open.aggregate.seal(definition);
            put_out(&open.frame(definition, &open.aggregate, true));
            *closed = Some(open.aggregate);
        }
        f64::INFINITY
    }

    fn close_revised(
        &mut self,
        definition: &Window,
        complete_ms: f64,
        closed: &mut Option<Aggregate>,
        mut put_out: impl FnMut(&Frame),
    ) -> f64 {
        let resets = definition.trigger.as_ref().is_some_and(|trigger| trigger.reset);
        let mut next_ms = f64::INFINITY;
        self.list.retain_mut(|open| {
            let due_ms = open.due_ms(definition);
            if due_ms > complete_ms {
                next_ms = if due_ms < next_ms { due_ms } else { next_ms };
                return true;
            }
            let on_time_ms = open.on_time_ms(definition);
            let on_time = on_time_ms <= complete_ms;
            let is_final = resets || (on_time && on_time_ms + definition.allowed_ms <= complete_ms);
            let mut firing = open.aggregate.firing();
            let is_new = firing.count != open.aggregate.count;
            if is_final || is_new || (on_time && !firing.on_time) {
                let mut sealed = open.aggregate.clone();
                sealed.seal(definition);
                put_out(&open.frame(definition, &sealed, is_final));
                if on_time || definition.shape == Shape::Global {
                    update_closed(closed, sealed);
                }
                firing.results = firing.results.saturating_add(1);
            }
            firing.count = open.aggregate.count;
            firing.on_time |= on_time;
            firing.now = false;
            firing.early_ms = early_ms(definition, complete_ms);
            open.aggregate.set_firing(firing);
            let due_ms = open.due_ms(definition);
            next_ms = if !is_final && due_ms < next_ms { due_ms } else { next_ms };
            !is_final
        });
        next_ms
    }

    /// Appends the state.
    pub fn save(&self, definition: &Window, writer: &mut Writer) {
        writer.u32(u32::try_from(self.list.len()).expect("bounded by OPEN_WINDOWS_MAX"));
        for open in &self.list {
            writer.f64(open.start);
            open.aggregate.save(definition, writer);
        }
    }

    /// Takes what `save` wrote; `aggregate` reads one aggregate.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(reader: &mut Reader, aggregate: impl Fn(&mut Reader) -> Result<Aggregate>) -> Result<Self> {
        let count = reader.count(8 + 64)?;
        let mut opens = Self::default();
        for _ in 0..count {
            let (start, aggregate) = (reader.f64()?, aggregate(reader)?);
            let follows = opens.list.last().is_none_or(|open| open.start < start);
            if !start.is_finite() || !follows {
                return Err(CoreError::Corrupt);
            }
            opens.insert(opens.list.len(), Open { start, aggregate });
        }
        Ok(opens)
    }
}

impl Sessions {
    /// True when `time` is in or beside a session that is open.
    pub fn holds(&self, gap_ms: f64, time: f64) -> bool {
        let (before, after) = self.neighbours(gap_ms, time);
        before.or(after).is_some()
    }

    /// The sessions that a reading at `time` belongs to: one that began before it, one that begins after it.
    fn neighbours(&self, gap_ms: f64, time: f64) -> (Option<usize>, Option<usize>) {
        let list = &self.opens.list;
        let behind = list.partition_point(|open| open.start <= time);
        let before = behind.checked_sub(1);
        (
            before.filter(|&at| time - list[at].aggregate.last_time < gap_ms),
            Some(behind).filter(|&at| at < list.len() && list[at].start - time < gap_ms),
        )
    }

    /// Adds a reading to its session, which may join two; returns the key's time at which something is due.
    pub fn add(&mut self, definition: &Window, gap_ms: f64, time: f64, value: f64, complete_ms: f64) -> f64 {
        let settled_ms = complete_ms - definition.hold_ms();
        let at = match self.neighbours(gap_ms, time) {
            (None, None) => {
                let at = self.opens.list.partition_point(|open| open.start <= time);
                let aggregate = Aggregate::of(definition, time, value, settled_ms);
                self.opens.insert(at, Open { start: time, aggregate });
                at
            }
            (Some(before), None) => {
                let open = &mut self.opens.list[before];
                open.aggregate.add(definition, time, value, settled_ms);
                before
            }
            (None, Some(after)) => {
                self.withdraw(definition, after);
                let open = &mut self.opens.list[after];
                open.start = time;
                open.aggregate.add(definition, time, value, settled_ms);
                after
            }
            (Some(before), Some(after)) => {
                self.withdraw(definition, after);
                let later = self.opens.list.remove(after);
                let open = &mut self.opens.list[before];
                open.aggregate.add(definition, time, value, settled_ms);
                open.aggregate.merge(definition, &later.aggregate);
                let (mut firing, other) = (open.aggregate.firing(), later.aggregate.firing());
                firing.on_time |= other.on_time;
                open.aggregate.set_firing(firing);
                before
            }
        };
        let open = &mut self.opens.list[at];
        if definition.is_revised() {
            // One that goes on is not done.
            let mut firing = open.aggregate.firing();
            firing.on_time &= open.on_time_ms(definition) <= complete_ms;
            open.aggregate.set_firing(firing);
        }
        let due_ms = self.opens.list[at].added(definition, complete_ms);
        if self.withdrawn.is_empty() {
            due_ms
        } else {
            f64::NEG_INFINITY
        }
    }

    /// Takes note that what was put out of a session holds no more.
    fn withdraw(&mut self, definition: &Window, at: usize) {
        let open = &mut self.opens.list[at];
        let end = open.end(definition);
        let firing = open.aggregate.firing();
        if firing.results > 0 {
            self.withdrawn.push(Withdrawn {
                start: open.start,
                end,
                revision: firing.results,
            });
            open.aggregate.set_firing(Firing { results: 0, ..firing });
        }
    }

    /// Sessions that are open.
    pub fn count(&self) -> usize {
        self.opens.count()
    }

    /// Makes a result due for all that are open.
    pub fn punctuate(&mut self) {
        self.opens.punctuate();
    }

    /// Puts out what is due, what is withdrawn first.
    pub fn close(
        &mut self,
        definition: &Window,
        complete_ms: f64,
        closed: &mut Option<Aggregate>,
        mut put_out: impl FnMut(&Frame),
    ) -> f64 {
        for Withdrawn { start, end, revision } in self.withdrawn.drain(..) {
            put_out(&Frame {
                start,
                end,
                aggregate: None,
                revision,
                is_final: true,
            });
        }
        self.opens.close(definition, complete_ms, closed, put_out)
    }

    /// Appends the state.
    pub fn save(&self, definition: &Window, writer: &mut Writer) {
        self.opens.save(definition, writer);
        writer.u32(u32::try_from(self.withdrawn.len()).expect("emptied with every message"));
        for withdrawn in &self.withdrawn {
            writer.f64(withdrawn.start);
            writer.f64(withdrawn.end);
            writer.u32(withdrawn.revision);
        }
    }

    /// Takes what `save` wrote.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(reader: &mut Reader, aggregate: impl Fn(&mut Reader) -> Result<Aggregate>) -> Result<Self> {
        let opens = Opens::load(reader, aggregate)?;
        let withdrawn = (0..reader.count(20)?).map(|_| {
            Ok(Withdrawn {
                start: reader.f64()?,
                end: reader.f64()?,
                revision: reader.u32()?,
            })
        });
        Ok(Self {
            withdrawn: withdrawn.collect::<Result<_>>()?,
            opens,
        })
    }
}
