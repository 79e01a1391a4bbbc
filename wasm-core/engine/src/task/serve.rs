//! Predictions: when one is due, what is kept of it and what is put out.

use super::drift::Watching;
use super::{KeyState, Moment, Pending, Task};
use crate::learner::{Query, Served};
use crate::output::{Outputs, Prediction, ServedVector};
use crate::plan::TaskKind;

impl Task {
    /// A reading of the task's own target (forecast, anomaly): first the label of what waits for it, then a prediction.
    pub fn target_reading(&mut self, moment: &Moment, value: f64, outputs: &mut Outputs) {
        if self.learning.is_none() {
            return;
        }
        match self.definition.kind {
            TaskKind::Forecast => self.mature_forecasts(moment, value, outputs),
            TaskKind::Anomaly => self.mature_step(moment, value, outputs),
            TaskKind::Regression | TaskKind::Classification => return,
        }
        self.predict_if_due(moment, value, outputs);
    }

    /// A message of a key (regression, classification): a prediction when it is due.
    pub fn message(&mut self, moment: &Moment, outputs: &mut Outputs) {
        if self.learning.is_none() || self.definition.label.is_none() {
            return;
        }
        self.expire_before(
            moment.key,
            moment.time_ms - self.definition.wait_ms,
            moment.task,
            outputs,
        );
        self.predict_if_due(moment, f64::NAN, outputs);
    }

    pub(super) fn predict_if_due(&mut self, moment: &Moment, base: f64, outputs: &mut Outputs) {
        let index = moment.key as usize;
        self.keys.grow(index + 1, KeyState::default);
        let state = &mut self.keys[index];
        let kind = self.definition.kind;
        // One step ahead means one step: what an out-of-order reading left waiting must find its label first.
        let waiting_step = kind == TaskKind::Anomaly && !state.pending.is_empty();
        if moment.time_ms < state.served_ms + self.definition.every_ms
            || moment.time_ms < state.served_ms
            || waiting_step
        {
            return;
        }
        let learning = self.learning.as_mut().expect("callers return without");
        learning.features.fill(
            moment.plan,
            moment.table,
            moment.key,
            moment.time_ms,
            &state.past,
            &mut self.x,
        );
        let Ok(served) = learning.learner.serve(&Query {
            key: moment.key,
            x: &self.x,
            base,
        }) else {
            self.counts.unserved += 1;
            return;
        };
        state
            .served
            .add(outputs.offset(), moment.time_ms, &self.x, &mut self.bytes);
        outputs.served(&ServedVector {
            task: moment.task,
            key: moment.table.key_names.name(moment.key),
            at_ms: moment.time_ms,
            slot: served.slot,
            x: &self.x,
        });
        for (count, value) in learning.missing.iter_mut().zip(&self.x) {
            *count += u64::from(value.is_nan());
        }
        learning.features.remember(moment.table, moment.key, &mut state.past);
        state.served_ms = moment.time_ms;
        let full = state.pending.len() >= moment.plan.limits.pending_per_key;
        let oldest = if full && self.definition.label.is_some() {
            state.pending.pop_front()
        } else {
            None
        };
        if !full || oldest.is_some() {
            state.pending.push_back(Pending {
                slot: served.slot,
                at_ms: moment.time_ms,
                value: served.value,
                id: (outputs.offset(), outputs.ordinal()),
            });
        }
        self.pending += 1;
        self.counts.predictions += 1;
        if full {
            self.expire(oldest.map_or(served.slot, |entry| entry.slot), moment.task, outputs);
        }
        if kind != TaskKind::Anomaly {
            self.put_out(moment, &served, outputs); // of an anomaly task only what is unusual is put out
        }
        // What is served of a forecast follows the level of its series: its change is watched.
        let change = if base.is_finite() { base } else { 0.0 };
        self.watch_served(&Watching::of(moment), served.value - change, outputs);
    }

    fn put_out(&mut self, moment: &Moment, served: &Served, outputs: &mut Outputs) {
        let kind = self.definition.kind;
        let learner = &self.learning.as_ref().expect("served above").learner;
        let (error, error_last_value) = self.counts.mean_errors();
        outputs.prediction(&Prediction {
            task: moment.task,
            key: moment.table.key_names.name(moment.key),
            at_ms: moment.time_ms,
            horizon_ms: self.definition.horizon_ms,
            value: served.value,
            low: served.low,
            high: served.high,
            error,
            error_last_value,
            class: if kind == TaskKind::Classification {
                learner.class_name(served.class)
            } else {
                ""
            },
            release: learner.release(),
        });
    }
}
