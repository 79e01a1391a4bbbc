//! Labels: who waits for one, who gets it, and what expires without. The label of a forecast is a later reading of its
//! target, that of an anomaly the next one; regression and classification have a label topic.

use super::breaker::Held;
use super::drift::Watching;
use super::settled::Settled;
use super::{Aim, Label, Moment, Pending, Task};
use crate::error::Result;
use crate::names::NONE;
use crate::output::{Outcome, Outputs};
use crate::plan::Conflicts;
use crate::series::Table;

impl Task {
    /// A label for a key; `newest_ms` is the key's event time. The key is `None` for one that never had a reading; `task` is
    /// the task's index in the plan, `table` knows the keys.
    ///
    /// # Errors
    /// `Limit` for a class over the limit, `Conflict` for a second label that contradicts where the plan quarantines those.
    pub fn label(
        &mut self,
        (key, newest_ms): (Option<u32>, f64),
        aim: Aim,
        label: Label,
        (task, table): (usize, &Table),
        outputs: &mut Outputs,
    ) -> Result<()> {
        if let (Some(key), None) = (key, &self.learning) {
            self.gathering.label(key);
        }
        let Some(key) = key.filter(|&key| (key as usize) < self.keys.len()) else {
            self.counts.unmatched += 1;
            return Ok(());
        };
        self.expire_before(key, newest_ms - self.definition.wait_ms, task, outputs);
        let (Some(plan), Some(learning)) = (&self.definition.label, &self.learning) else {
            return Ok(());
        };
        let (conflicts, breaker) = (plan.conflicts, plan.breaker);
        let again = learning.settled.find(key, aim, newest_ms);
        let found = self.aimed_at(key, aim);
        if again.is_none() && found.is_none() {
            self.counts.unmatched += 1;
            return Ok(());
        }
        let learning = self.learning.as_mut().expect("nothing was served without");
        let (number, outcome) = match label {
            Label::Number(number) => (number, Outcome::Number(number)),
            Label::Class(name) => {
                // A label that is not taken makes no class.
                let class = match learning.learner.class(name) {
                    None if again.is_some() && conflicts != Conflicts::Last => NONE,
                    Some(class) => class,
                    None => learning.learner.intern_class(name)?,
                };
                (f64::from(class), Outcome::Class(name))
            }
        };
        if let Some(place) = again {
            return self.label_again(place, number, conflicts);
        }
        let pending = &mut self.keys[key as usize].pending;
        let entry = found.and_then(|at| pending.remove(at)).expect("found above");
        let (slot, at_ms) = (entry.slot, entry.at_ms);
        let watching = Watching {
            task,
            table,
            key,
            at_ms,
        };
        let held_back = self.breaks(&watching, number, newest_ms - at_ms, breaker, outputs);
        let keep = conflicts == Conflicts::Last && !held_back;
        if held_back {
            let held = Held {
                slot,
                key,
                at_ms,
                label: number,
            };
            self.hold_back(held, breaker, task, outputs);
        } else {
            outputs.outcome(task, slot, outcome);
            self.settle(slot, number, &watching, keep, outputs);
        }
        // One that is held back is remembered as well: the same label again is not for the row before.
        let settled = Settled {
            key,
            id: entry.id,
            time_ms: aim.time_ms.filter(|_| aim.id.is_none()).unwrap_or(f64::NAN),
            label: number,
            slot: if keep { slot } else { NONE },
            until_ms: at_ms + self.definition.wait_ms,
            corrections: 0,
        };
        if let Some(learning) = &mut self.learning {
            let newest_ms = |key: u32| {
                table
                    .keys
                    .get(key as usize)
                    .map_or(f64::NEG_INFINITY, |key| key.newest_ms)
            };
            learning.settled.settle_due(newest_ms, &mut learning.learner);
            learning.settled.push(settled, &mut learning.learner);
        }
        Ok(())
    }

    /// Place of the pending prediction that a label is for: the one it names, else the latest one not after its time and
    /// within the tolerance, else the latest.
    fn aimed_at(&self, key: u32, aim: Aim) -> Option<usize> {
        let pending = &self.keys[key as usize].pending;
        if let Some(id) = aim.id {
            return pending.iter().position(|entry| entry.id == id);
        }
        let behind = aim.time_ms.map_or(pending.len(), |time| {
            pending.partition_point(|entry| entry.at_ms <= time)
        });
        let tolerance_ms = self.definition.tolerance_ms;
        let near = |entry: &Pending| aim.time_ms.is_none_or(|time| time - entry.at_ms <= tolerance_ms);
        behind.checked_sub(1).filter(|&at| near(&pending[at]))
    }

    pub(super) fn mature(&mut self, slot: u32, label: f64, watching: &Watching, outputs: &mut Outputs) {
        self.settle(slot, label, watching, false, outputs);
    }

    /// Scores and teaches a row; one that is kept can be corrected.
    fn settle(&mut self, slot: u32, label: f64, watching: &Watching, keep: bool, outputs: &mut Outputs) {
        let learning = self.learning.as_mut().expect("nothing was served without");
        let score = if keep {
            learning.learner.learn_and_keep(slot, label)
        } else {
            learning.learner.learn(slot, label)
        };
        self.pending -= 1;
        self.counts.matured += 1;
        self.counts.error_sum += score.error;
        self.counts.baseline_sum += score.baseline_error;
        self.watch_matured(watching, score, outputs);
    }

    pub(super) fn expire(&mut self, slot: u32, task: usize, outputs: &mut Outputs) {
        outputs.outcome(task, slot, Outcome::Expired);
        self.learning
            .as_mut()
            .expect("nothing was served without")
            .learner
            .discard(slot);
        self.pending -= 1;
        self.counts.expired += 1;
    }

    /// Expires what was predicted for `key` before `time_ms`.
    pub(super) fn expire_before(&mut self, key: u32, time_ms: f64, task: usize, outputs: &mut Outputs) {
        while let Some(state) = self.keys.get_mut(key as usize)
            && let Some(entry) = state.pending.front()
            && entry.at_ms < time_ms
        {
            let slot = entry.slot;
            state.pending.pop_front();
            self.expire(slot, task, outputs);
        }
    }

    /// The label of a forecast is the first reading at or after its horizon, if it is not later than the tolerance.
    pub(super) fn mature_forecasts(&mut self, moment: &Moment, value: f64, outputs: &mut Outputs) {
        while let Some(state) = self.keys.get_mut(moment.key as usize)
            && let Some(entry) = state.pending.front()
            && entry.at_ms + self.definition.horizon_ms <= moment.time_ms
        {
            let late_ms = moment.time_ms - (entry.at_ms + self.definition.horizon_ms);
            let slot = entry.slot;
            state.pending.pop_front();
            if late_ms <= self.definition.tolerance_ms {
                outputs.outcome(moment.task, slot, Outcome::Number(value));
                self.mature(slot, value, &Watching::of(moment), outputs);
            } else {
                self.expire(slot, moment.task, outputs);
            }
        }
    }
}
