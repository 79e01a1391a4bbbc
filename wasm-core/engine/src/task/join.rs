//! Labels: who waits for one, who gets it, and what expires without. The label of a forecast is a later reading of its
//! target, that of an anomaly the next one; regression and classification have a label topic.

use super::drift::Watching;
use super::{Label, Moment, Pending, Task};
use crate::error::Result;
use crate::output::{Outcome, Outputs};
use crate::series::Table;

impl Task {
    /// A label for a key, for the time it gives or else for the latest prediction; `newest_ms` is the key's event time.
    /// The key is `None` for one that never had a reading; `task` is the task's index in the plan, `table` knows the keys.
    ///
    /// # Errors
    /// `Limit` for a class over the limit.
    pub fn label(
        &mut self,
        (key, newest_ms): (Option<u32>, f64),
        time_ms: Option<f64>,
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
        let pending = &self.keys[key as usize].pending;
        let behind = time_ms.map_or(pending.len(), |time| {
            pending.partition_point(|entry| entry.at_ms <= time)
        });
        let tolerance_ms = self.definition.tolerance_ms;
        let near = |entry: &Pending| time_ms.is_none_or(|time| time - entry.at_ms <= tolerance_ms);
        let found = behind.checked_sub(1).filter(|&at| near(&pending[at]));
        let (Some(at), Some(learning)) = (found, &mut self.learning) else {
            self.counts.unmatched += 1;
            return Ok(());
        };
        let (number, outcome) = match label {
            Label::Number(number) => (number, Outcome::Number(number)),
            Label::Class(name) => (f64::from(learning.learner.intern_class(name)?), Outcome::Class(name)),
        };
        let entry = self.keys[key as usize].pending.remove(at).expect("found above");
        outputs.outcome(task, entry.slot, outcome);
        let watching = Watching {
            task,
            table,
            key,
            at_ms: entry.at_ms,
        };
        self.mature(entry.slot, number, &watching, outputs);
        Ok(())
    }

    pub(super) fn mature(&mut self, slot: u32, label: f64, watching: &Watching, outputs: &mut Outputs) {
        let learning = self.learning.as_mut().expect("nothing was served without");
        let score = learning.learner.learn(slot, label);
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
