//! Silence as a sign: a key that says nothing while its source goes on, or a source that says nothing while its events run
//! with the wall clock, has no more readings for its open windows, so they close.

use super::State;
use super::delays::Delays;
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::output::Outputs;
use crate::plan::Source;
use crate::time::Clock;

/// Event times this near the wall clock run with it; those further off do when their distance stays within as much for as long
/// as their source may be silent.
const NEAR_WALL_MS: f64 = 60_000.0;
/// A silent key whose windows could not be closed yet is looked at again after a quarter of its idle time, but not sooner.
const AGAIN_US_MIN: u64 = 1_000_000;
/// Wall clocks are kept in whole milliseconds.
const CLOCK_ROUNDING_MS: f64 = 2.0;
const NEVER: u64 = u64::MAX;

/// What is known of a source's time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SourceTime {
    /// Latest event time of all its keys; -infinity before the first.
    newest_ms: f64,
    /// Arrival clock of its last message.
    heard_us: u64,
    /// Wall clock of its last message; where that had no time of its own, when it counts as arrived.
    heard_wall_ms: i64,
    /// How far its event times were off the wall clock when that was taken for its distance; -infinity before.
    off_ms: f64,
    /// Arrival clock since when it has kept that distance.
    steady_us: u64,
    /// How late its readings come, where the lateness is to follow that.
    delays: Option<Delays>,
}

impl SourceTime {
    fn of(source: &Source) -> Self {
        Self {
            newest_ms: f64::NEG_INFINITY,
            heard_us: 0,
            heard_wall_ms: 0,
            off_ms: f64::NEG_INFINITY,
            steady_us: 0,
            delays: source.adaptive.as_ref().map(|_| Delays::new(source.lateness_ms)),
        }
    }

    /// How far the time of its keys stays behind their newest reading.
    fn behind_ms(&self) -> f64 {
        self.delays.as_ref().map_or(0.0, Delays::bound_ms)
    }

    /// How far its time went on since it was heard: as the arrival of a reading would have, which is slow behind a clock that
    /// was set back, but no further than the time that has passed.
    fn passed_ms(&self, clock: &Clock) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a hundred years of microseconds")]
        let passed_ms = clock.now_us.saturating_sub(self.heard_us) as f64 / 1000.0;
        #[expect(clippy::cast_precision_loss, reason = "epoch milliseconds")]
        let arrival_ms = clock.arrived_ms() - self.heard_wall_ms as f64;
        if arrival_ms < passed_ms - CLOCK_ROUNDING_MS {
            arrival_ms.max(0.0)
        } else {
            passed_ms
        }
    }

    /// How far its event times are off the wall clock.
    fn ahead_ms(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "epoch milliseconds")]
        let heard_wall_ms = self.heard_wall_ms as f64;
        self.newest_ms - heard_wall_ms
    }

    /// Takes note of how far it is off. Old readings in bulk run faster than the wall clock and between bulks not at all, so
    /// that their distance is never the same for long; that of clocks which are wrong is.
    fn look_at_distance(&mut self, now_us: u64) {
        let ahead_ms = self.ahead_ms();
        let keeps = (ahead_ms - self.off_ms).abs() <= NEAR_WALL_MS;
        if !keeps {
            (self.off_ms, self.steady_us) = (ahead_ms, now_us);
        }
    }

    /// True when its event times run as the wall clock does: beside it, or at a distance that has been the same for `idle_ms`.
    fn runs_with_the_wall_clock(&self, idle_ms: f64) -> bool {
        let steady_us = self.heard_us.saturating_sub(self.steady_us);
        let steady = self.off_ms.is_finite() && steady_us >= microseconds(idle_ms.max(NEAR_WALL_MS));
        steady || self.ahead_ms().abs() <= NEAR_WALL_MS
    }
}

/// Who was heard when, and when to look for silence next.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Idle {
    sources: Vec<SourceTime>,
    /// Arrival clock at which a look may find something.
    look_us: u64,
    /// Arrival clock at which the passing of time alone closes something.
    due_us: u64,
}

impl Idle {
    pub(super) fn new(sources: &[Source]) -> Self {
        Self {
            sources: sources.iter().map(SourceTime::of).collect(),
            look_us: NEVER,
            due_us: NEVER,
        }
    }

    /// Takes note of a message of a source with event time `time_ms`, of its own or that of arrival.
    pub(super) fn heard(&mut self, source: usize, time_ms: f64, own: bool, clock: &Clock) {
        let source = &mut self.sources[source];
        source.heard_us = clock.now_us;
        #[expect(clippy::cast_possible_truncation, reason = "whole epoch milliseconds")]
        let arrived_ms = clock.arrived_ms() as i64;
        source.heard_wall_ms = if own { clock.wall_ms } else { arrived_ms };
        if time_ms > source.newest_ms {
            source.newest_ms = time_ms;
        }
        source.look_at_distance(clock.now_us);
    }

    /// Takes note of a reading `delay_ms` older than the newest of its key; returns how far the time of the source's keys
    /// stays behind their newest reading.
    pub(super) fn behind_ms(&mut self, index: usize, source: &Source, delay_ms: f64) -> f64 {
        let time = &mut self.sources[index];
        if let (Some(delays), Some(adaptive)) = (&mut time.delays, &source.adaptive) {
            delays.record(delay_ms, adaptive);
        }
        time.behind_ms()
    }

    /// Takes note that a key with open windows was heard now.
    pub(super) fn watch(&mut self, idle_ms: f64, now_us: u64) {
        if idle_ms > 0.0 {
            let at = now_us.saturating_add(microseconds(idle_ms));
            self.look_us = self.look_us.min(at);
            self.due_us = self.due_us.min(at);
        }
    }

    pub(super) fn next_due_ms(&self, clock: &Clock) -> f64 {
        if self.due_us == NEVER {
            return f64::INFINITY;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "epoch milliseconds; a hundred years of microseconds"
        )]
        let (wall_ms, ahead_us) = (clock.wall_ms as f64, self.due_us.saturating_sub(clock.now_us) as f64);
        wall_ms + (ahead_us / 1000.0).ceil()
    }

    /// Follows a change of plan: `sources[new]` is the index of the same source before.
    pub(super) fn change(&mut self, plan: &[Source], sources: &[Option<usize>]) {
        let kept = plan.iter().zip(sources).map(|(source, old)| match old {
            Some(old) => self.sources[*old].clone(),
            None => SourceTime::of(source),
        });
        self.sources = kept.collect();
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        for source in &self.sources {
            writer.f64(source.newest_ms);
            writer.u64(source.heard_us);
            writer.i64(source.heard_wall_ms);
            writer.f64(source.off_ms);
            writer.u64(source.steady_us);
            if let Some(delays) = &source.delays {
                delays.save(writer);
            }
        }
        writer.u64(self.look_us);
        writer.u64(self.due_us);
    }

    /// Takes what a core with this version of the state wrote.
    pub(super) fn load(sources: &[Source], version: u16, reader: &mut Reader) -> Result<Self> {
        let sources = sources.iter().map(|plan| {
            let mut source = SourceTime {
                newest_ms: reader.f64()?,
                heard_us: reader.u64()?,
                heard_wall_ms: reader.i64()?,
                ..SourceTime::of(plan)
            };
            if version > 13 {
                (source.off_ms, source.steady_us) = (reader.f64()?, reader.u64()?);
            }
            if source.delays.is_some() && version > 6 {
                source.delays = Some(Delays::load(reader)?);
            }
            if source.newest_ms.is_nan() || source.off_ms.is_nan() {
                Err(CoreError::Corrupt)
            } else {
                Ok(source)
            }
        });
        Ok(Self {
            sources: sources.collect::<Result<_>>()?,
            look_us: reader.u64()?,
            due_us: reader.u64()?,
        })
    }
}

impl State {
    /// Closes the windows of keys that have fallen silent, if it is time to look; keys in the order they came.
    pub(super) fn close_idle(&mut self, outputs: &mut Outputs) {
        let now_us = self.clock.now_us;
        if now_us < self.idle.look_us {
            return;
        }
        let (mut look_us, mut due_us) = (NEVER, NEVER);
        for index in 0..self.table.keys.len() {
            let key = &self.table.keys[index];
            let Some(source) = self
                .plan
                .sources
                .get(key.source as usize)
                .filter(|source| source.idle_ms > 0.0)
            else {
                continue;
            };
            if key.closes_ms == f64::INFINITY {
                continue;
            }
            let idle_us = microseconds(source.idle_ms);
            let silent_us = key.heard_us.saturating_add(idle_us);
            if silent_us > now_us {
                look_us = look_us.min(silent_us);
                due_us = due_us.min(silent_us);
                continue;
            }
            let time = &self.idle.sources[key.source as usize];
            let source_silent_us = time.heard_us.saturating_add(idle_us);
            let source_silent = source_silent_us <= now_us;
            let with_wall_clock = time.runs_with_the_wall_clock(source.idle_ms);
            let mut complete_ms = time.newest_ms - time.behind_ms();
            if source_silent && with_wall_clock {
                complete_ms += time.passed_ms(&self.clock);
            }
            let key_index = u32::try_from(index).expect("key indexes are u32");
            self.table.complete(key_index, complete_ms, &self.plan.windows, outputs);
            let closes_ms = self.table.keys[index].closes_ms;
            if closes_ms < f64::INFINITY {
                look_us = look_us.min(now_us.saturating_add((idle_us / 4).max(AGAIN_US_MIN)));
                if with_wall_clock && !source_silent {
                    due_us = due_us.min(source_silent_us);
                } else if with_wall_clock {
                    let ahead_us = microseconds((closes_ms - complete_ms).ceil());
                    due_us = due_us.min(now_us.saturating_add(ahead_us));
                }
            }
        }
        self.idle.look_us = look_us.min(due_us);
        self.idle.due_us = due_us;
    }
}

fn microseconds(ms: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates"
    )]
    let us = (ms * 1000.0) as u64;
    us
}
