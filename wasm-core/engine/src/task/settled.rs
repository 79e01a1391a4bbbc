//! Second labels. An example whose label has come is remembered for a while, so that a label for the same prediction, or
//! for the same key and time, is told from one for another row: it says the same again, or it contradicts. Where the plan
//! takes corrections its row is kept too, and enters the statistics only when nothing can correct it any more, so that those
//! hold each example once, with the label that stayed.

use std::collections::VecDeque;

use super::Task;
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::learner::Learner;
use crate::names::NONE;
use crate::plan::Conflicts;

/// Examples that can be labelled a second time, the newest of a task.
pub(super) const SETTLED_MAX: usize = 256;
/// Bytes of one in a state, at least.
const ENTRY_BYTES_MIN: usize = 44;
/// Times that one example is corrected: each is a step of learning, and a label that flips would teach without end.
const CORRECTIONS_MAX: u8 = 4;

/// Names a prediction: offset of the message that caused it, and which of its outputs it is.
pub type Id = (u64, u32);

/// What a label says it is for.
#[derive(Clone, Copy, Debug)]
pub struct Aim {
    /// A prediction.
    pub id: Option<Id>,
    /// A time; without both it is for the latest prediction.
    pub time_ms: Option<f64>,
}

/// An example and the label that stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Settled {
    pub key: u32,
    pub id: Id,
    /// The time that the label was for; NaN for one that named its prediction, or nothing.
    pub time_ms: f64,
    pub label: f64,
    /// Slot of its row; `NONE` when that is not kept.
    pub slot: u32,
    /// Event time of the key up to which it can be labelled again.
    pub until_ms: f64,
    /// Times that its label was corrected.
    pub corrections: u8,
}

/// The examples of late.
#[derive(Debug, Default)]
pub(super) struct SecondLabels {
    entries: VecDeque<Settled>,
}

impl SecondLabels {
    pub(super) fn find(&self, key: u32, aim: Aim, newest_ms: f64) -> Option<usize> {
        let same = |entry: &Settled| {
            let by_id = aim.id == Some(entry.id);
            let by_time = aim.id.is_none() && aim.time_ms == Some(entry.time_ms);
            entry.key == key && (by_id || by_time) && newest_ms <= entry.until_ms
        };
        self.entries.iter().rposition(same)
    }

    /// Remembers an example; the oldest settles when there are too many.
    pub(super) fn push(&mut self, entry: Settled, learner: &mut Learner) {
        if self.entries.len() >= SETTLED_MAX {
            self.settle_first(learner);
        }
        self.entries.push_back(entry);
    }

    fn settle_first(&mut self, learner: &mut Learner) {
        if let Some(entry) = self.entries.pop_front()
            && entry.slot != NONE
        {
            learner.settle(entry.slot, entry.label);
        }
    }

    /// The oldest settle that no label can be for any more, by the newest event time of their key.
    pub(super) fn settle_due(&mut self, newest_ms: impl Fn(u32) -> f64, learner: &mut Learner) {
        while let Some(entry) = self.entries.front()
            && newest_ms(entry.key) > entry.until_ms
        {
            self.settle_first(learner);
        }
    }

    /// Nothing can be corrected any more.
    pub(super) fn settle_all(&mut self, learner: &mut Learner) {
        while !self.entries.is_empty() {
            self.settle_first(learner);
        }
    }

    /// Slots of the rows that are kept.
    pub(super) fn slots(&self) -> impl Iterator<Item = u32> {
        self.entries.iter().map(|entry| entry.slot).filter(|&slot| slot != NONE)
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.u32(self.entries.len() as u32);
        for entry in &self.entries {
            writer.u32(entry.key);
            writer.u64(entry.id.0);
            writer.u32(entry.id.1);
            writer.f64(entry.time_ms);
            writer.f64(entry.label);
            writer.u32(entry.slot);
            writer.f64(entry.until_ms);
            writer.u8(entry.corrections);
        }
    }

    pub(super) fn load(version: u16, reader: &mut Reader) -> Result<Self> {
        let mut entries = VecDeque::new();
        for _ in 0..reader.count(ENTRY_BYTES_MIN)? {
            entries.push_back(Settled {
                key: reader.u32()?,
                id: (reader.u64()?, reader.u32()?),
                time_ms: reader.f64()?,
                label: reader.f64()?,
                slot: reader.u32()?,
                until_ms: reader.f64()?,
                corrections: if version < 13 { 0 } else { reader.u8()? },
            });
        }
        if entries.len() <= SETTLED_MAX {
            Ok(Self { entries })
        } else {
            Err(CoreError::Corrupt)
        }
    }
}

impl Task {
    /// A label for the example at `place` has come before.
    ///
    /// # Errors
    /// `Conflict` when it says something else and the plan quarantines such labels.
    pub(super) fn label_again(&mut self, place: usize, label: f64, conflicts: Conflicts) -> Result<()> {
        let learning = self.learning.as_mut().expect("what was settled was served");
        let entry = &mut learning.settled.entries[place];
        if entry.label == label {
            self.counts.repeated += 1;
            return Ok(());
        }
        self.counts.conflicting += 1;
        match conflicts {
            Conflicts::First => Ok(()),
            Conflicts::Quarantine => Err(CoreError::Conflict),
            // Labels of an open breaker are not believed, and what is held has been taught to nobody.
            Conflicts::Last if entry.slot == NONE || learning.breaker.is_open() => Ok(()),
            Conflicts::Last if entry.corrections >= CORRECTIONS_MAX => Ok(()),
            Conflicts::Last => {
                entry.corrections += 1;
                let before = learning.learner.score(entry.slot, entry.label);
                let after = learning.learner.correct(entry.slot, label);
                entry.label = label;
                self.counts.corrected += 1;
                self.counts.error_sum += after.error - before.error;
                self.counts.baseline_sum += after.baseline_error - before.baseline_error;
                Ok(())
            }
        }
    }
}
