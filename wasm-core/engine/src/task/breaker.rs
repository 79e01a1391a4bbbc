//! The circuit breaker of a label source: when the labels, or the time they take, are suddenly others than they were, what
//! comes is not learned until it shows what it is. Every so many labels are looked at together: labels that are as before the jump
//! close the breaker again, and what was held is dropped; labels that stay as they are since are the new usual, and what
//! was held is learned after all.

use std::collections::VecDeque;

use super::Task;
use super::drift::Watching;
use crate::codec::{Reader, Writer};
use crate::drift::watch::{Evidence, Watched};
use crate::error::{CoreError, Result};
use crate::output::{Outcome, Outputs};
use crate::plan::{BreakerPolicy, TaskKind};

/// Labels that are looked at together.
const PROBE: u32 = 64;
/// Looks after which what has not come back is taken to be the new usual.
const LOOKS: u32 = 4;
/// Labels that are held, the newest.
const HELD_MAX: usize = 256;

/// A label that is held, with the row it is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Held {
    pub slot: u32,
    pub key: u32,
    pub at_ms: f64,
    pub label: f64,
}

/// Why it is open, and what has come since.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Open {
    of_delay: bool,
    before: f64,
    after: f64,
    sum: f64,
    count: u32,
    looks: u32,
}

/// Why it has closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// Labels are as they were before.
    AsBefore,
    /// They stay as they have been since.
    AsSince,
}

/// The state of a label source.
#[derive(Debug, Default, PartialEq)]
pub struct Breaker {
    open: Option<Open>,
    /// Times that it has opened.
    pub opened: u64,
    /// Labels that were not learned.
    pub dropped: u64,
    held: VecDeque<Held>,
}

impl Breaker {
    /// True while labels are not learned.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Labels that wait for its decision.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    pub(super) fn open(&mut self, found: &Evidence) {
        self.opened += 1;
        self.open = Some(Open {
            of_delay: found.of == Watched::LabelDelay,
            before: found.before,
            after: found.after,
            sum: 0.0,
            count: 0,
            looks: 0,
        });
    }

    /// A label has come while it is open; says so when it closes by that.
    pub(super) fn probe(&mut self, label: f64, delay_ms: f64) -> Option<Closed> {
        let open = self.open.as_mut()?;
        open.sum += if open.of_delay { delay_ms } else { label };
        open.count += 1;
        if open.count < PROBE {
            return None;
        }
        let mean = open.sum / f64::from(open.count);
        (open.sum, open.count) = (0.0, 0);
        open.looks += 1;
        let closed = if (mean - open.before).abs() < (mean - open.after).abs() {
            Closed::AsBefore
        } else if open.looks >= LOOKS {
            Closed::AsSince
        } else {
            return None;
        };
        self.open = None;
        Some(closed)
    }

    /// Holds a label; the oldest goes when there are too many.
    pub(super) fn hold(&mut self, held: Held) -> Option<Held> {
        self.held.push_back(held);
        if self.held.len() > HELD_MAX {
            self.held.pop_front()
        } else {
            None
        }
    }

    /// All that is held, the oldest first.
    pub(super) fn release(&mut self) -> VecDeque<Held> {
        core::mem::take(&mut self.held)
    }

    /// Slots of the rows that are held.
    pub(super) fn slots(&self) -> impl Iterator<Item = u32> {
        self.held.iter().map(|held| held.slot)
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.u64(self.opened);
        writer.u64(self.dropped);
        writer.bool(self.open.is_some());
        if let Some(open) = &self.open {
            writer.bool(open.of_delay);
            for number in [open.before, open.after, open.sum] {
                writer.f64(number);
            }
            writer.u32(open.count);
            writer.u32(open.looks);
        }
        writer.u32(self.held.len() as u32);
        for held in &self.held {
            writer.u32(held.slot);
            writer.u32(held.key);
            writer.f64(held.at_ms);
            writer.f64(held.label);
        }
    }

    pub(super) fn load(keys: usize, reader: &mut Reader) -> Result<Self> {
        let mut breaker = Self {
            opened: reader.counter()?,
            dropped: reader.counter()?,
            ..Self::default()
        };
        if reader.bool()? {
            breaker.open = Some(Open {
                of_delay: reader.bool()?,
                before: reader.f64()?,
                after: reader.f64()?,
                sum: reader.f64()?,
                count: reader.u32()?,
                looks: reader.u32()?,
            });
        }
        for _ in 0..reader.count(24)? {
            breaker.held.push_back(Held {
                slot: reader.u32()?,
                key: reader.u32()?,
                at_ms: reader.f64()?,
                label: reader.f64()?,
            });
        }
        let sound = breaker.held.len() <= HELD_MAX
            && breaker.held.iter().all(|held| (held.key as usize) < keys)
            && breaker.open.is_none_or(|open| open.count < PROBE && open.looks < LOOKS);
        if sound { Ok(breaker) } else { Err(CoreError::Corrupt) }
    }
}

impl Task {
    /// Looks at a label before it is learned; true when the breaker of its source is open.
    pub(super) fn breaks(
        &mut self,
        watching: &Watching,
        label: f64,
        delay_ms: f64,
        policy: BreakerPolicy,
        outputs: &mut Outputs,
    ) -> bool {
        let learning = self.learning.as_mut().expect("nothing was served without");
        if learning.breaker.is_open() {
            let Some(closed) = learning.breaker.probe(label, delay_ms) else {
                return true;
            };
            for held in learning.breaker.release() {
                let of = Watching {
                    key: held.key,
                    at_ms: held.at_ms,
                    ..*watching
                };
                match closed {
                    Closed::AsBefore => self.drop_label(held.slot, watching.task, outputs),
                    Closed::AsSince => self.mature_held(held, &of, outputs),
                }
            }
            return false;
        }
        let Some(found) = self.watch_labelled(watching, label, delay_ms, outputs) else {
            return false;
        };
        let opens = policy != BreakerPolicy::Off;
        if opens && let Some(learning) = &mut self.learning {
            learning.breaker.open(&found);
        }
        opens
    }

    fn mature_held(&mut self, held: Held, watching: &Watching, outputs: &mut Outputs) {
        let learning = self.learning.as_ref().expect("nothing was served without");
        let outcome = if self.definition.kind == TaskKind::Classification {
            Outcome::Class(learning.learner.class_name(held.label as u32))
        } else {
            Outcome::Number(held.label)
        };
        outputs.outcome(watching.task, held.slot, outcome);
        self.mature(held.slot, held.label, watching, outputs);
    }

    /// What becomes of a label that came while it is open.
    pub(super) fn hold_back(&mut self, held: Held, policy: BreakerPolicy, task: usize, outputs: &mut Outputs) {
        let learning = self.learning.as_mut().expect("nothing was served without");
        let gone = match policy {
            BreakerPolicy::Hold => learning.breaker.hold(held),
            BreakerPolicy::Off | BreakerPolicy::Ignore => Some(held),
        };
        if let Some(gone) = gone {
            self.drop_label(gone.slot, task, outputs);
        }
    }

    /// A row whose label is not believed expires.
    fn drop_label(&mut self, slot: u32, task: usize, outputs: &mut Outputs) {
        if let Some(learning) = &mut self.learning {
            learning.breaker.dropped += 1;
        }
        self.expire(slot, task, outputs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        breaker.open(&Evidence {
            of: Watched::Label,
            before: 0.2,
            after: 0.9,
            rows: 500,
            batch: 1,
            key: 0,
            at_ms: 0.0,
            offset: 0,
        });
        breaker
    }

    fn probe(breaker: &mut Breaker, label: f64) -> Option<(usize, Closed)> {
        (1..1000).find_map(|row| breaker.probe(label, 0.0).map(|closed| (row, closed)))
    }

    #[test]
    fn labels_that_are_as_before_close_it_after_one_look_and_others_after_all() {
        assert_eq!(probe(&mut opened(), 0.3), Some((64, Closed::AsBefore)));
        assert_eq!(probe(&mut opened(), 1.0), Some((256, Closed::AsSince)));
        assert_eq!(Breaker::default().probe(1.0, 0.0), None);
    }

    #[test]
    fn what_is_held_is_bounded_and_survives_a_restore() {
        let mut breaker = opened();
        let mut gone = 0;
        for slot in 0..300 {
            let held = Held {
                slot,
                key: 0,
                at_ms: f64::from(slot),
                label: 1.0,
            };
            gone += usize::from(breaker.hold(held).is_some_and(|oldest| oldest.slot == slot - 256));
        }
        assert_eq!((gone, breaker.held()), (44, 256));
        let mut writer = Writer::new();
        breaker.save(&mut writer);
        let bytes = writer.into_vec();
        assert_eq!(Breaker::load(1, &mut Reader::new(&bytes)).as_ref(), Ok(&breaker));
        assert_eq!(Breaker::load(0, &mut Reader::new(&bytes)), Err(CoreError::Corrupt));
        for end in 0..bytes.len() {
            assert!(Breaker::load(1, &mut Reader::new(&bytes[..end])).is_err());
        }
    }
}
