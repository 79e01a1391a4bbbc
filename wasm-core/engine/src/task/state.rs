//! A task's state as bytes and back; the plan says what the task is.

use std::collections::VecDeque;

use super::breaker::Breaker;
use super::served::{SERVED_HASH_BYTES, Served};
use super::settled::{Id, SecondLabels};
use super::{Counts, KeyState, Learning, Pending, Task};
use crate::codec::{Reader, Writer};
use crate::drift::watch::Watch;
use crate::error::{CoreError, Result};
use crate::features::{Gathering, target_field};
use crate::learner::Learner;
use crate::parts::Tracked;
use crate::plan::{Plan, TaskPlan};
use crate::series::Table;

/// Of predictions that were made before they had names.
const NO_ID: Id = (u64::MAX, u32::MAX);

impl Task {
    /// Appends the state; the plan says what the task is.
    pub fn save(&self, writer: &mut Writer) {
        for count in [
            self.counts.predictions,
            self.counts.matured,
            self.counts.expired,
            self.counts.unmatched,
            self.counts.alarms,
            self.counts.unserved,
            self.counts.releases,
        ] {
            writer.u64(count);
        }
        writer.f64(self.counts.error_sum);
        writer.f64(self.counts.baseline_sum);
        writer.bool(self.learning.is_some());
        let Some(learning) = &self.learning else {
            self.gathering.save(writer);
            return;
        };
        writer.u32(u32::try_from(learning.features.names().len()).expect("at most FEATURES_MAX"));
        for name in learning.features.names() {
            writer.str(name);
        }
        for &count in &learning.missing {
            writer.u64(count);
        }
        learning.learner.save(writer);
        learning.watch.save(writer);
        let counts = [self.counts.repeated, self.counts.conflicting, self.counts.corrected];
        counts.into_iter().for_each(|count| writer.u64(count));
        learning.settled.save(writer);
        learning.breaker.save(writer);
        writer.u32(u32::try_from(self.keys.len()).expect("indexes are u32"));
        self.keys.save(6, writer, |key, writer| {
            writer.f64(key.served_ms);
            writer.f64s(&key.past);
            writer.f64(key.scale);
            writer.u32(key.errors);
            writer.u64(key.served.count);
            writer.raw(&key.served.hash);
            writer.u32(u32::try_from(key.pending.len()).expect("at most pending_per_key"));
            for entry in &key.pending {
                writer.u32(entry.slot);
                writer.f64(entry.at_ms);
                writer.f64(entry.value);
                writer.u64(entry.id.0);
                writer.u32(entry.id.1);
            }
        });
    }

    /// Takes what `save` wrote under the same plan. `version` is that of the state, `used` counts the messages used
    /// then.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(
        definition: &TaskPlan,
        plan: &Plan,
        table: &mut Table,
        (version, used): (u16, u64),
        reader: &mut Reader,
    ) -> Result<Self> {
        let mut task = Self {
            definition: definition.clone(),
            target: target_field(definition, plan, &mut table.field_names),
            learning: None,
            gathering: Gathering::default(),
            keys: Tracked::default(),
            pending: 0,
            counts: Counts::load(reader)?,
            x: Vec::new(),
            bytes: Writer::new(),
        };
        if !reader.bool()? {
            if version >= 3 {
                task.gathering = Gathering::load(table.keys.len(), used, reader)?;
            }
            return Ok(task);
        }
        let count = reader.count(4)?;
        let names = (0..count)
            .map(|_| reader.str().map(String::from))
            .collect::<Result<Vec<_>>>()?;
        let missing = names
            .iter()
            .map(|_| if version >= 3 { reader.counter() } else { Ok(0) })
            .collect::<Result<Vec<_>>>()?;
        let learner = Learner::load(reader, version >= 11)?;
        let as_served = learner.spec().columns.iter().map(|column| column.name.as_str());
        if !as_served.eq(names.iter().map(String::as_str)) {
            return Err(CoreError::Corrupt);
        }
        let mut learning = Learning::new(definition, names, learner, plan, table);
        learning.missing = missing;
        if version >= 8 {
            let features = learning.features.names().len();
            learning.watch = Watch::load(&definition.drift, features, table.keys.len(), reader)?;
        }
        if version >= 12 {
            task.counts.repeated = reader.counter()?;
            task.counts.conflicting = reader.counter()?;
            task.counts.corrected = reader.counter()?;
            learning.settled = SecondLabels::load(version, reader)?;
            learning.breaker = Breaker::load(table.keys.len(), reader)?;
        }
        let past_length = learning.features.past_length();
        for _ in 0..reader.count(28)? {
            let (served_ms, past, scale, errors) = (reader.f64()?, reader.f64s()?, reader.f64()?, reader.u32()?);
            let mut vectors = Served::default();
            if version >= 6 {
                vectors.count = reader.counter()?;
                vectors.hash.copy_from_slice(reader.raw(SERVED_HASH_BYTES)?);
            }
            let count = reader.count(20)?;
            let pending = (0..count).map(|_| {
                let (slot, at_ms, value) = (reader.u32()?, reader.f64()?, reader.f64()?);
                let id = if version >= 12 {
                    (reader.u64()?, reader.u32()?)
                } else {
                    NO_ID
                };
                Ok(Pending { slot, at_ms, value, id })
            });
            let pending: VecDeque<Pending> = pending.collect::<Result<_>>()?;
            task.pending += pending.len() as u64;
            let ordered = pending
                .iter()
                .zip(pending.iter().skip(1))
                .all(|(a, b)| a.at_ms <= b.at_ms);
            if !ordered || served_ms.is_nan() || !(past.is_empty() || past.len() == past_length) {
                return Err(CoreError::Corrupt);
            }
            task.keys.push(KeyState {
                served_ms,
                pending,
                past,
                scale,
                errors,
                served: vectors,
            });
        }
        task.pending += learning.breaker.held() as u64;
        let held: Vec<u32> = learning.settled.slots().chain(learning.breaker.slots()).collect();
        task.learning = Some(learning);
        let slots = task.keys.iter().flat_map(|key| &key.pending).map(|entry| entry.slot);
        task.check_slots(slots.chain(held).collect())?;
        let counts = &task.counts;
        let settled = counts
            .matured
            .checked_add(counts.expired)
            .and_then(|sum| sum.checked_add(task.pending));
        if settled == Some(counts.predictions) {
            Ok(task)
        } else {
            Err(CoreError::Corrupt)
        }
    }

    /// Each pending prediction has a slot of its own that the learner knows.
    fn check_slots(&self, mut slots: Vec<u32>) -> Result<()> {
        slots.sort_unstable();
        let distinct = slots.windows(2).all(|pair| pair[0] != pair[1]);
        let waiting = |learner: &Learner| slots.iter().all(|&slot| learner.waits(slot));
        if distinct && self.learner().is_none_or(waiting) {
            Ok(())
        } else {
            Err(CoreError::Corrupt)
        }
    }
}

impl Counts {
    fn load(reader: &mut Reader) -> Result<Self> {
        Ok(Self {
            predictions: reader.counter()?,
            matured: reader.counter()?,
            expired: reader.counter()?,
            unmatched: reader.counter()?,
            alarms: reader.counter()?,
            unserved: reader.counter()?,
            releases: reader.counter()?,
            error_sum: reader.f64()?,
            baseline_sum: reader.f64()?,
            ..Self::default()
        })
    }
}
