//! The journey of one message, from its topic to its fate.

mod label;
mod repeats;
mod rows;

pub(super) use rows::{Reading, Row};

use super::State;
use crate::decode::sparkplug::Payload;
use crate::decode::{Decoded, Format, append_stop};
use crate::error::{CoreError, Result};
use crate::ledger::Fate;
use crate::names::NONE;
use crate::output::Outputs;
use crate::plan::Clocks;
use crate::repeat::Verdict;
use crate::route::{Route, SourceRoute};
use crate::sparkplug::{About, Rebirth};
use crate::task::Moment;
use crate::wire::{Block, Publish};

impl State {
    /// Follows a message to its fate, and says on which account of the ledger that is booked: its source's, else that of
    /// the first task that takes it for a label.
    pub(super) fn message<'a>(
        &mut self,
        route: &mut Route,
        block: &Block,
        publish: &Publish<'a>,
        decoded: &mut Decoded<'a>,
        outputs: &mut Outputs,
    ) -> (usize, Fate) {
        let repeated = self.doors.repeated(block.door, block.epoch, publish);
        let source = route
            .sources
            .iter_mut()
            .find(|source| source.door.is_none_or(|door| door == block.door));
        let account = match (&source, route.labels.first()) {
            (Some(source), _) => source.source,
            (None, Some(label)) => self.ledger.of_labels(label.task),
            (None, None) => return (self.ledger.of_none(), Fate::Filtered),
        };
        if let Some(source) = &source
            && self.plan.sources[source.source].announces
        {
            return (account, self.announcement(publish, repeated, outputs));
        }
        if publish.retain {
            if let Some(source) = source {
                // What cannot be read sets nothing; it was no example either way.
                let _ = self.unpacked(source.source, publish).and_then(|bytes| match bytes {
                    Some(bytes) => {
                        let mut decoded = core::mem::take(&mut self.spare).recycled();
                        let done = self.retained(source, block, &publish.with(&bytes), &mut decoded);
                        let spare = decoded.recycled();
                        self.keep(bytes, spare);
                        done
                    }
                    None => self.retained(source, block, publish, decoded),
                });
                self.broken.clear(); // nor are its violations those of the next message
            }
            return (account, Fate::Retained);
        }
        if repeated {
            return (account, Fate::Duplicate);
        }
        if publish.payload.len() > self.plan.limits.payload_bytes {
            return (account, Fate::Quarantined(CoreError::Limit));
        }
        let mut fate = None;
        if let Some(source) = source {
            let unpacked = self.unpacked(source.source, publish);
            let outcome = unpacked.and_then(|bytes| match bytes {
                Some(bytes) => {
                    let mut decoded = core::mem::take(&mut self.spare).recycled();
                    let done = self.readings(source, block, &publish.with(&bytes), &mut decoded, outputs);
                    let spare = decoded.recycled();
                    self.keep(bytes, spare);
                    done
                }
                None => self.readings(source, block, publish, decoded, outputs),
            });
            let (counts, dropped) = (self.broken.counts, self.broken.dropped);
            self.broken.clear();
            let outcome = outcome.unwrap_or_else(|error| self.refused(account, error, dropped));
            if outcome == Fate::Duplicate {
                return (account, outcome);
            }
            self.ledger.account(account).book_violations(counts);
            fate = Some(outcome);
        }
        for label in &mut route.labels {
            let outcome = self
                .label(label, publish, decoded, outputs)
                .unwrap_or_else(Fate::Quarantined);
            fate = fate.or(Some(outcome));
        }
        (account, fate.expect("a message without source has a label"))
    }

    /// The fate of a message that says what other topics hold: it is no reading, whether the broker had kept it or not.
    fn announcement(&self, publish: &Publish, repeated: bool, outputs: &mut Outputs) -> Fate {
        if repeated {
            return Fate::Duplicate;
        }
        if publish.payload.len() > self.plan.limits.payload_bytes {
            return Fate::Quarantined(CoreError::Limit);
        }
        outputs.announcement(publish.topic, publish.payload);
        if publish.retain { Fate::Retained } else { Fate::Filtered }
    }

    /// What a compressed payload holds; `None` when it stands for itself.
    fn unpacked(&mut self, source: usize, publish: &Publish) -> Result<Option<Vec<u8>>> {
        let limit = self.plan.limits.payload_bytes;
        match self.plan.sources[source].packing {
            Some(packing) if publish.payload.len() <= limit => {
                packing.unpack(publish.payload, limit, &mut self.unpacker)
            }
            _ => Ok(None),
        }
    }

    /// Keeps the memory that a payload took which was unpacked, and what it was read into.
    fn keep(&mut self, bytes: Vec<u8>, spare: Decoded<'static>) {
        self.unpacker.keep(bytes);
        self.spare = spare;
    }

    /// The fate of a message that a source could not use.
    fn refused(&self, source: usize, error: CoreError, dropped: bool) -> Fate {
        if error == CoreError::NoReading && (dropped || self.plan.sources[source].filters) {
            Fate::Filtered
        } else {
            Fate::Quarantined(error)
        }
    }

    /// Folds the rows of a message. It is used whole or, when any of it is wrong, not at all.
    fn readings<'a>(
        &mut self,
        route: &mut SourceRoute,
        block: &Block,
        publish: &Publish<'a>,
        decoded: &mut Decoded<'a>,
        outputs: &mut Outputs,
    ) -> Result<Fate> {
        let metrics = sparkplug_payload(route, publish, decoded)
            .inspect_err(|_| append_stop(&Format::Sparkplug, publish.payload, &mut self.bad_path))?;
        if let (Some(payload), Some(Ok(about))) = (&metrics, &mut route.about) {
            self.announce(route.source, about, payload, outputs)?;
        }
        self.decode(route, block, publish, metrics, decoded)?;
        self.resolve(route, decoded)?;
        let mapping = &self.plan.sources[route.source].mapping;
        let counts_messages = mapping.counts_messages();
        if counts_messages
            && let Some(number) = self.rows[0].number
            && self.is_repeat(route, publish, number, self.rows[0].own_time_ms())?
        {
            return Ok(Fate::Duplicate);
        }
        if self.plan.sources[route.source].repeats_by_time && self.is_repeated_content(route, publish) {
            return Ok(Fate::Duplicate);
        }
        if !self.take_rows(route, block, publish)? {
            return Ok(Fate::Duplicate);
        }
        self.judge(route.source, decoded)?;
        if !self.select(route.source) {
            return Ok(Fate::Filtered);
        }
        let mut used = false;
        for index in 0..self.rows.len() {
            let row = self.rows[index];
            if self.row(route.source, &row, outputs) {
                self.used += u64::from(!core::mem::replace(&mut used, true));
                self.derive(route.source, &row, outputs);
                self.forward(&row, outputs);
                self.learn(&row, outputs);
            }
        }
        Ok(if used { Fate::Used } else { Fate::Late })
    }

    /// Leaves out the rows that have been here before, where each counts for itself, and puts the event times of the others
    /// right; false when no row is left.
    fn take_rows(&mut self, route: &SourceRoute, block: &Block, publish: &Publish) -> Result<bool> {
        let source = &self.plan.sources[route.source];
        let counts_rows = source.mapping.counts_rows();
        if !counts_rows && source.clock != Clocks::Correct {
            return Ok(true);
        }
        let mut rows = core::mem::take(&mut self.rows);
        let mut failed = None;
        rows.retain_mut(|row| {
            let repeated = match row.number.filter(|_| counts_rows && failed.is_none()) {
                Some(number) => self.is_repeated_row(route, publish, number, row),
                None => Ok(false),
            };
            match repeated {
                Ok(false) => self.correct_clock(route.source, block, row),
                Ok(true) => self.broken.forget_row(row.instance),
                Err(error) => failed = Some(error),
            }
            repeated == Ok(false)
        });
        self.rows = rows;
        failed.map_or(Ok(!self.rows.is_empty()), Err)
    }

    /// Puts the event time of a device whose clock is wrong right, where its source asks for that.
    fn correct_clock(&mut self, source: usize, block: &Block, row: &mut Row) {
        let source = &self.plan.sources[source];
        if row.own_time && source.clock == Clocks::Correct {
            #[expect(clippy::cast_precision_loss, reason = "epoch milliseconds")]
            let delay_ms = block.wall_ms as f64 - row.time_ms;
            row.time_ms += self.skews.correction_ms(row.key, delay_ms, source.clock_skew_max_ms);
        }
    }

    /// Takes note of what a Sparkplug message announces, and asks for what is missing.
    fn announce(&mut self, source: usize, about: &mut About, payload: &Payload, outputs: &mut Outputs) -> Result<()> {
        let (rebirth, missing) = self.nodes.take(about, payload, self.clock.now_us)?;
        if let Some(Rebirth { topic }) = rebirth {
            #[expect(clippy::cast_precision_loss, reason = "epoch milliseconds")]
            outputs.rebirth(topic, self.clock.wall_ms as f64);
        }
        self.ledger.account(source).book_number(&Verdict::New(missing));
        Ok(())
    }

    /// Adds a row's readings to the series; false when all of them are late.
    fn row(&mut self, source_index: usize, row: &Row, outputs: &mut Outputs) -> bool {
        let source = &self.plan.sources[source_index];
        let (key, time_ms) = (row.key, row.time_ms);
        self.idle.heard(source_index, time_ms, row.own_time, &self.clock);
        let source_number = u32::try_from(source_index).expect("at most SOURCES_MAX");
        self.table.heard(key, source_number, self.clock.now_us);
        let newest_ms = self.table.keys[key as usize].newest_ms;
        let behind_ms = self.idle.behind_ms(source_index, source, newest_ms - time_ms);
        let readings = &mut self.readings[row.from..row.to];
        let mut late = 0;
        for reading in &mut *readings {
            reading.late = self
                .table
                .is_late(reading.place, time_ms, source.late_after_ms(), &self.plan.windows);
            if reading.late {
                late += 1;
                self.table.refuse(reading.place, time_ms, reading.value, outputs);
            }
        }
        if late == readings.len() {
            return false;
        }
        let entry = &mut self.table.keys[key as usize];
        if time_ms > entry.newest_ms {
            entry.newest_ms = time_ms;
        }
        self.table
            .complete(key, time_ms - behind_ms, &self.plan.windows, outputs);
        for reading in readings.iter().filter(|reading| !reading.late) {
            self.table
                .add(reading.place, time_ms, reading.value, &self.plan.windows, outputs);
        }
        if self.plan.has_punctuation() {
            for reading in readings.iter().filter(|reading| !reading.late) {
                self.table.punctuate(reading.place, reading.value, &self.plan.windows);
            }
        }
        self.windows_of(row, outputs);
        true
    }

    /// Puts out what the readings just added made due, and watches for the silence that closes the rest.
    pub(super) fn windows_of(&mut self, row: &Row, outputs: &mut Outputs) {
        self.table.put_out_due(row.key, &self.plan.windows, outputs);
        let entry = &self.table.keys[row.key as usize];
        if entry.closes_ms < f64::INFINITY {
            let source = &self.plan.sources[entry.source as usize];
            self.idle.watch(source.idle_ms, self.clock.now_us);
        }
    }

    /// Lets every task see the row just added.
    fn learn(&mut self, row: &Row, outputs: &mut Outputs) {
        let Self {
            tasks,
            readings,
            derived,
            table,
            plan,
            used,
            ..
        } = self;
        let readings = &readings[row.from..row.to];
        for (index, task) in tasks.iter_mut().enumerate() {
            let target = task.target();
            let own = readings.iter().chain(derived.iter()).find(|reading| {
                target != NONE && !reading.late && table.series[reading.place as usize].field == target
            });
            let label_topic = task.definition().label.is_some();
            if own.is_none() && !label_topic {
                continue;
            }
            task.freeze(plan, table, readings.len(), *used);
            let moment = Moment {
                plan,
                table,
                task: index,
                key: row.key,
                time_ms: row.time_ms,
            };
            match own {
                _ if label_topic => task.message(&moment, outputs),
                Some(reading) => task.target_reading(&moment, reading.value, outputs),
                None => {}
            }
        }
    }

    /// Sets the latest values that a kept message gives.
    fn retained<'a>(
        &mut self,
        route: &mut SourceRoute,
        block: &Block,
        publish: &Publish<'a>,
        decoded: &mut Decoded<'a>,
    ) -> Result<()> {
        if publish.payload.len() > self.plan.limits.payload_bytes {
            return Err(CoreError::Limit);
        }
        let metrics = sparkplug_payload(route, publish, decoded)?;
        self.decode(route, block, publish, metrics, decoded)?;
        self.resolve(route, decoded)?;
        self.select(route.source);
        for row in &self.rows {
            for reading in &self.readings[row.from..row.to] {
                self.table.series[reading.place as usize].set_retained(row.own_time_ms(), reading.value);
            }
        }
        Ok(())
    }
}

/// The metrics of a message on a topic of Sparkplug; `None` where payloads are of another format.
///
/// # Errors
/// `Foreign` for a topic that is not of its nodes and devices, those of `Payload::parse`.
fn sparkplug_payload<'a>(
    route: &SourceRoute,
    publish: &Publish<'a>,
    decoded: &mut Decoded<'a>,
) -> Result<Option<Payload<'a>>> {
    let Some(about) = &route.about else { return Ok(None) };
    let payload = Payload::parse(publish.payload, core::mem::take(&mut decoded.metrics))?;
    about.as_ref().map_err(|&error| error)?;
    Ok(Some(payload))
}
