//! Windows that overlap: sliding windows over time, and over a count of readings. A reading is added once, to a slice that no
//! window cuts (J. Li et al., "No Pane, No Gain", 2005; S. Krishnamurthy et al., "On-the-fly sharing for streamed
//! aggregation", 2006: slices end where a window begins or ends). A window is the merge of its slices; nothing is ever taken
//! out of an aggregate: two stacks of partial merges make that O(1) merges a window, amortised (K. Tangwongsan, M. Hirzel,
//! S. Schneider, "Low-Latency Sliding-Window Aggregation in Worst-Case Constant Time", 2017, section 2). A reading that comes
//! out of order into a slice that was merged already undoes the stack it lies in: the next window merges those slices anew.

mod front;
mod saved;

use std::collections::VecDeque;

use super::aggregate::Aggregate;
use super::definition::{Shape, Window};
use super::{Frame, floor_to, update_closed};
use front::Front;

/// Readings that lie next to each other.
#[derive(Clone, Debug, PartialEq)]
struct Piece {
    aggregate: Aggregate,
    /// Event time of the earliest of them in count windows, which begin there; 0 in others.
    first_ms: f64,
}

impl Piece {
    fn merge(&mut self, definition: &Window, later: &Self) {
        self.aggregate.merge(definition, &later.aggregate);
        if later.first_ms < self.first_ms {
            self.first_ms = later.first_ms;
        }
    }

    fn seal(&mut self, definition: &Window) {
        self.aggregate.seal(definition);
    }
}

/// A window that is out and may still be corrected.
#[derive(Clone, Debug, PartialEq)]
struct Fired {
    start: f64,
    results: u32,
    changed: bool,
}

/// The slices of one series. Positions are event times, or ordinals of readings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sliding {
    slices: VecDeque<(f64, Piece)>,
    /// Merges of the first slices.
    front: Front,
    /// Merge of the slices from `front.len()` to `folded`.
    back: Option<Piece>,
    folded: usize,
    /// No window that starts before it will be put out for the first time.
    next: f64,
    /// By start.
    fired: Vec<Fired>,
    /// Readings so far, where those are counted.
    seen: f64,
}

/// Lengths in the unit of positions.
#[derive(Clone, Copy)]
struct Lengths {
    size: f64,
    every: f64,
    /// Cuts a step in two where windows end inside.
    rest: f64,
}

impl Lengths {
    fn of(shape: Shape) -> Self {
        let (size, every) = match shape {
            Shape::Sliding { size_ms, every_ms } => (size_ms, every_ms),
            Shape::Count { size, every } => (size, every),
            _ => unreachable!("only these overlap"),
        };
        Self {
            size,
            every,
            rest: size % every,
        }
    }

    fn slice_of(self, position: f64) -> f64 {
        let start = floor_to(position, self.every);
        let cut = start + self.rest;
        if self.rest > 0.0 && position >= cut { cut } else { start }
    }

    /// Start of the first window that ends after `position`.
    fn first_beyond(self, position: f64) -> f64 {
        floor_to(position - self.size, self.every) + self.every
    }
}

impl Sliding {
    /// One without readings. `next` begins below all times.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        Self {
            next: match shape {
                Shape::Count { .. } => 0.0,
                _ => f64::NEG_INFINITY,
            },
            ..Self::default()
        }
    }

    /// True when a window that holds `time` may still be put out.
    #[must_use]
    pub fn accepts(definition: &Window, time: f64, complete_ms: f64) -> bool {
        match definition.shape {
            Shape::Sliding { size_ms, every_ms } => {
                floor_to(time, every_ms) + size_ms + definition.hold_ms() > complete_ms
            }
            _ => true,
        }
    }

    /// Slices.
    pub fn count(&self) -> usize {
        self.slices.len()
    }

    /// Adds a reading; returns the key's time at which something is due.
    pub fn add(&mut self, definition: &Window, time: f64, value: f64, complete_ms: f64) -> f64 {
        let lengths = Lengths::of(definition.shape);
        let by_count = matches!(definition.shape, Shape::Count { .. });
        let (position, settled_ms, first_ms) = if by_count {
            self.seen += 1.0;
            (self.seen - 1.0, f64::INFINITY, time)
        } else {
            let first_open = lengths.first_beyond(complete_ms - definition.hold_ms());
            if first_open > self.next {
                self.next = first_open;
            }
            (time, complete_ms - definition.hold_ms(), 0.0)
        };
        let start = lengths.slice_of(position);
        let at = match self.slices.iter().rposition(|slice| slice.0 <= start) {
            Some(at) if self.slices[at].0 == start => {
                let piece = &mut self.slices[at].1;
                piece.aggregate.add(definition, time, value, settled_ms);
                if first_ms < piece.first_ms {
                    piece.first_ms = first_ms;
                }
                at
            }
            at => {
                let at = at.map_or(0, |at| at + 1);
                let aggregate = Aggregate::of(definition, time, value, settled_ms);
                self.slices.insert(at, (start, Piece { aggregate, first_ms }));
                at
            }
        };
        if at < self.folded {
            if at < self.front.len() {
                self.front.clear();
            }
            self.back = None;
            self.folded = self.front.len();
        }
        if definition.allowed_ms > 0.0 && lengths.first_beyond(position) < self.next {
            self.reopen(definition, lengths, position, complete_ms);
        }
        let mut corrects = false;
        let ends_behind = |fired: &&mut Fired| fired.start + lengths.size > start;
        for fired in self.fired.iter_mut().rev().take_while(ends_behind) {
            fired.changed |= fired.start <= start;
            corrects |= fired.changed;
        }
        if corrects {
            f64::NEG_INFINITY
        } else {
            self.due(definition, lengths)
        }
    }

    /// Windows over a late reading whose result would have been due, had they had a reading, are out with nothing.
    fn reopen(&mut self, definition: &Window, lengths: Lengths, position: f64, complete_ms: f64) {
        let mut start = lengths.first_beyond(position);
        while start <= position && start < self.next {
            let at = self.fired.partition_point(|fired| fired.start < start);
            let is_out = self.fired.get(at).is_some_and(|fired| fired.start == start);
            if !is_out && start + lengths.size + definition.hold_ms() > complete_ms {
                self.fired.insert(
                    at,
                    Fired {
                        start,
                        results: 0,
                        changed: true,
                    },
                );
            }
            start += lengths.every;
        }
    }

    /// The key's time at which something is due.
    fn due(&self, definition: &Window, lengths: Lengths) -> f64 {
        if let Shape::Count { .. } = definition.shape {
            let is_due = self
                .next_start(lengths)
                .is_some_and(|start| start + lengths.size <= self.seen);
            return if is_due { f64::NEG_INFINITY } else { f64::INFINITY };
        }
        let first = self.next_start(lengths).map(|start| start + definition.lateness_ms);
        let again = self.fired.first().map(|fired| fired.start + definition.hold_ms());
        let due_ms = match (first, again) {
            (Some(first), Some(again)) if again < first => again,
            (first, again) => first.or(again).unwrap_or(f64::INFINITY),
        };
        due_ms + lengths.size
    }

    /// Start of the next window with readings that was not put out yet.
    fn next_start(&self, lengths: Lengths) -> Option<f64> {
        // At the front there are at most those of one step, but where slices are kept for corrections.
        let behind = if self.fired.is_empty() {
            self.slices.iter().take_while(|slice| slice.0 < self.next).count()
        } else {
            self.slices.partition_point(|slice| slice.0 < self.next)
        };
        let first = lengths.first_beyond(self.slices.get(behind)?.0);
        Some(if first > self.next { first } else { self.next })
    }

    /// Puts out what is due, earliest first; returns the key's time at which the next is.
    pub fn close(
        &mut self,
        definition: &Window,
        complete_ms: f64,
        closed: &mut Option<Aggregate>,
        mut put_out: impl FnMut(&Frame),
    ) -> f64 {
        let lengths = Lengths::of(definition.shape);
        let by_count = matches!(definition.shape, Shape::Count { .. });
        let complete = if by_count { self.seen } else { complete_ms };
        self.put_out_again(definition, lengths, complete, closed, &mut put_out);
        while let Some(start) = self.next_start(lengths)
            && start + lengths.size + definition.lateness_ms <= complete
        {
            let is_final = start + lengths.size + definition.hold_ms() <= complete;
            let piece = if definition.is_revised() {
                self.merged(definition, start, lengths)
            } else {
                self.slide(definition, start, lengths)
            };
            self.next = start + lengths.every;
            let Some(Piece { aggregate, first_ms }) = piece else {
                continue;
            };
            put_out(&Frame {
                start: if by_count { first_ms } else { start },
                end: if by_count {
                    aggregate.last_time
                } else {
                    start + lengths.size
                },
                aggregate: Some(&aggregate),
                revision: 0,
                is_final,
            });
            if by_count {
                *closed = Some(aggregate);
            } else {
                update_closed(closed, aggregate);
            }
            if !is_final {
                self.fired.push(Fired {
                    start,
                    results: 1,
                    changed: false,
                });
            }
        }
        if definition.is_revised() {
            let oldest = self.fired.first().map_or(self.next, |fired| fired.start);
            while self.slices.front().is_some_and(|slice| slice.0 < oldest) {
                self.slices.pop_front();
            }
        }
        self.due(definition, lengths)
    }

    /// Corrects windows that are out, and says so of those that can change no more.
    fn put_out_again(
        &mut self,
        definition: &Window,
        lengths: Lengths,
        complete: f64,
        closed: &mut Option<Aggregate>,
        put_out: &mut impl FnMut(&Frame),
    ) {
        let mut fired = core::mem::take(&mut self.fired);
        fired.retain_mut(|fired| {
            let end = fired.start + lengths.size;
            let is_final = end + definition.hold_ms() <= complete;
            if (is_final || fired.changed)
                && let Some(Piece { aggregate, .. }) = self.merged(definition, fired.start, lengths)
            {
                put_out(&Frame {
                    start: fired.start,
                    end,
                    aggregate: Some(&aggregate),
                    revision: fired.results,
                    is_final,
                });
                update_closed(closed, aggregate);
                fired.results = fired.results.saturating_add(1);
                fired.changed = false;
            }
            !is_final
        });
        self.fired = fired;
    }

    /// The merge of a window's slices, one by one.
    fn merged(&self, definition: &Window, start: f64, lengths: Lengths) -> Option<Piece> {
        let within = self
            .slices
            .iter()
            .filter(|slice| slice.0 >= start && slice.0 < start + lengths.size);
        let mut whole: Option<Piece> = None;
        for (_, slice) in within {
            let mut sealed = slice.clone();
            sealed.seal(definition);
            match &mut whole {
                Some(whole) => whole.merge(definition, &sealed),
                None => whole = Some(sealed),
            }
        }
        whole
    }

    /// The same by way of the stacks; slices before `start` are dropped.
    fn slide(&mut self, definition: &Window, start: f64, lengths: Lengths) -> Option<Piece> {
        while self.slices.front().is_some_and(|slice| slice.0 < start) {
            if self.folded > 0 {
                if self.front.len() == 0 {
                    self.back = None;
                    self.front.turn(definition, &self.slices, self.folded);
                }
                self.front.pop(definition, &self.slices);
                self.folded -= 1;
            }
            self.slices.pop_front();
        }
        if lengths.every == lengths.size {
            // Windows of one slice need no merge.
            if self.slices.front()?.0 >= start + lengths.size {
                return None;
            }
            let (_, mut slice) = self.slices.pop_front()?;
            slice.seal(definition);
            return Some(slice);
        }
        while let Some((position, slice)) = self.slices.get_mut(self.folded)
            && *position < start + lengths.size
        {
            slice.seal(definition);
            match &mut self.back {
                Some(back) => back.merge(definition, slice),
                None => self.back = Some(slice.clone()),
            }
            self.folded += 1;
        }
        match (self.front.whole(definition, &self.slices), &self.back) {
            (Some(front), Some(back)) => {
                let mut whole = front.clone();
                whole.merge(definition, back);
                Some(whole)
            }
            (front, back) => front.or(back.as_ref()).cloned(),
        }
    }
}
