//! What is unusual: a reading whose distance to its prediction is far over the usual distance of its key.

use super::drift::Watching;
use super::{Moment, Task};
use crate::output::{Alarm, Outcome, Outputs};

/// Errors of a key before its alarms count.
const WARM_UP: u32 = 30;
/// Slowest rate at which the scale of errors follows: it forgets in some hundred readings.
const SCALE_RATE_MIN: f64 = 0.01;
/// An error counts towards the scale up to so many scales: outliers must not raise what tells them.
const SCALE_CLIP: f64 = 3.0;
/// Mean distance times this is the standard deviation of a normal distribution, sqrt(pi / 2).
const DEVIATIONS: f64 = 1.253_314_137_315_500_3;

impl Task {
    /// The label of an anomaly's prediction is the next reading; an alarm is a distance far over the usual one.
    pub(super) fn mature_step(&mut self, moment: &Moment, value: f64, outputs: &mut Outputs) {
        let Some(state) = self.keys.get_mut(moment.key as usize) else {
            return;
        };
        if state.pending.front().is_none_or(|entry| entry.at_ms > moment.time_ms) {
            return;
        }
        let entry = state.pending.pop_front().expect("seen above");
        let distance = (value - entry.value).abs();
        // Rounding is no deviation: a constant series has a scale of its own size's last bits.
        let least = 1e-9 * value.abs() + f64::MIN_POSITIVE;
        let scale = if state.scale > least { state.scale } else { least };
        let clipped = if distance < SCALE_CLIP * scale || state.errors == 0 {
            distance
        } else {
            SCALE_CLIP * scale
        };
        let warm = state.errors >= WARM_UP;
        state.errors = state.errors.saturating_add(1);
        let rate = (1.0 / f64::from(state.errors)).max(SCALE_RATE_MIN);
        state.scale += rate * (clipped - state.scale);
        let score = distance / (DEVIATIONS * scale);
        outputs.outcome(moment.task, entry.slot, Outcome::Number(value));
        self.mature(entry.slot, value, &Watching::of(moment), outputs);
        if warm && score >= self.definition.threshold {
            self.counts.alarms += 1;
            outputs.alarm(&Alarm {
                task: moment.task,
                key: moment.table.key_names.name(moment.key),
                at_ms: moment.time_ms,
                value,
                expected: entry.value,
                score,
            });
        }
    }
}
