//! What a task does when its world has changed: it is put out with the evidence, and the panel is told if the plan says so.

use super::{Learning, Moment, Task};
use crate::drift::watch::{Evidence, Place};
use crate::learner::Score;
use crate::output::{Drift, Outputs};
use crate::plan::DriftPlan;
use crate::series::Table;

/// The row whose error or prediction is watched, and the place of its task.
pub(super) struct Watching<'a> {
    pub task: usize,
    pub table: &'a Table,
    pub key: u32,
    pub at_ms: f64,
}

impl<'a> Watching<'a> {
    pub(super) fn of(moment: &Moment<'a>) -> Self {
        Self {
            task: moment.task,
            table: moment.table,
            key: moment.key,
            at_ms: moment.time_ms,
        }
    }

    fn place(&self, outputs: &Outputs) -> Place {
        Place {
            key: self.key,
            at_ms: self.at_ms,
            offset: outputs.offset(),
        }
    }

    fn put_out(&self, found: &Evidence, plan: &DriftPlan, names: &[String], outputs: &mut Outputs) {
        outputs.drift(&Drift {
            task: self.task,
            key: self.table.key_names.name(self.key),
            detector: plan.spec.kind.name(),
            feature: found.of.feature(names),
            found,
            alert: plan.alert,
            sync: plan.sync,
        });
    }
}

impl Task {
    /// Watches what is served: the vector at hand and the prediction.
    pub(super) fn watch_served(&mut self, watching: &Watching, prediction: f64, outputs: &mut Outputs) {
        let Some(learning) = &mut self.learning else {
            return;
        };
        let plan = &self.definition.drift;
        learning
            .watch
            .served(watching.place(outputs), &self.x, prediction, |found| {
                watching.put_out(found, plan, learning.features.names(), outputs);
                if plan.adapt {
                    learning.learner.adapt();
                }
            });
    }

    /// Watches a label and the time it took; what was found, if anything.
    pub(super) fn watch_labelled(
        &mut self,
        watching: &Watching,
        label: f64,
        delay_ms: f64,
        outputs: &mut Outputs,
    ) -> Option<Evidence> {
        let Learning { watch, features, .. } = self.learning.as_mut()?;
        let plan = &self.definition.drift;
        let mut last = None;
        watch.labelled(watching.place(outputs), label, delay_ms, |found| {
            watching.put_out(found, plan, features.names(), outputs);
            last = Some(*found);
        });
        last
    }

    /// Watches the error of a row whose label has come.
    pub(super) fn watch_matured(&mut self, watching: &Watching, score: Score, outputs: &mut Outputs) {
        let Some(learning) = &mut self.learning else {
            return;
        };
        let plan = &self.definition.drift;
        learning.watch.matured(watching.place(outputs), score.error, |found| {
            watching.put_out(found, plan, learning.features.names(), outputs);
            if plan.adapt {
                learning.learner.adapt();
            }
            learning.learner.changed();
        });
    }
}
