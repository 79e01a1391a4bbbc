//! The journey of one message, from its topic to its fate.

use super::State;
use crate::decode::sparkplug::Payload;
use crate::decode::{self, Decoded, Format, Found, Text};
use crate::error::{CoreError, Result};
use crate::ledger::Fate;
use crate::names::NONE;
use crate::output::Outputs;
use crate::plan::{Clocks, Field, TaskKind};
use crate::repeat::{Verdict, device_number};
use crate::route::{LabelRoute, Route, SourceRoute, Template};
use crate::sparkplug::Rebirth;
use crate::task::{Label, Moment};
use crate::time::event_time_ms;
use crate::wire::{Block, Publish};
use crate::zone::Zone;

/// A device whose clock says an earlier time (the year 2000) has not set it: it counts from 1970 or from its start.
const CLOCK_SET_FROM_MS: f64 = 946_684_800_000.0;
/// Bytes of a class name.
const CLASS_BYTES_MAX: usize = 256;
/// Bytes of a key or field name that a payload says; names that topics say are bounded by MQTT.
const NAME_BYTES_MAX: usize = 1024;

/// One number of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// Position of the field in the source; afterwards the series.
    pub(super) place: u32,
    pub(super) value: f64,
    pub(super) late: bool,
}

/// What a message says about one key at one time.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Its instance in what was decoded.
    instance: usize,
    pub(super) key: u32,
    /// The event time, and whether the device gave it.
    pub(super) time_ms: f64,
    own_time: bool,
    /// The device's number.
    number: Option<u64>,
    /// Its readings.
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Row {
    fn own_time_ms(&self) -> Option<f64> {
        self.own_time.then_some(self.time_ms)
    }
}

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
        if publish.retain {
            if let Some(source) = source {
                // What cannot be read sets nothing; it was no example either way.
                let _ = self.unpacked(source.source, publish).and_then(|bytes| match &bytes {
                    Some(payload) => self.retained(source, block, &publish.with(payload), &mut Decoded::default()),
                    None => self.retained(source, block, publish, decoded),
                });
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
            let outcome = unpacked.and_then(|bytes| match &bytes {
                Some(payload) => {
                    let mut decoded = Decoded::default();
                    self.readings(source, block, &publish.with(payload), &mut decoded, outputs)
                }
                None => self.readings(source, block, publish, decoded, outputs),
            });
            let outcome = outcome.unwrap_or_else(|error| self.refused(account, error));
            if outcome == Fate::Duplicate {
                return (account, outcome);
            }
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

    /// What a compressed payload holds; `None` when it stands for itself.
    fn unpacked(&self, source: usize, publish: &Publish) -> Result<Option<Vec<u8>>> {
        let limit = self.plan.limits.payload_bytes;
        match self.plan.sources[source].packing {
            Some(packing) if publish.payload.len() <= limit => packing.unpack(publish.payload, limit),
            _ => Ok(None),
        }
    }

    /// The fate of a message that a source could not use.
    fn refused(&self, source: usize, error: CoreError) -> Fate {
        if error == CoreError::NoReading && self.plan.sources[source].filters {
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
        self.announce(route.source, publish, outputs)?;
        self.decode(route.source, block, publish, decoded)?;
        self.resolve(route, decoded)?;
        let mapping = &self.plan.sources[route.source].mapping;
        let counts_messages = mapping.counts_messages();
        if counts_messages
            && let Some(number) = self.rows[0].number
            && self.is_repeat(route, publish, number, self.rows[0].own_time_ms())?
        {
            return Ok(Fate::Duplicate);
        }
        let (mut used, mut late) = (false, false);
        for index in 0..self.rows.len() {
            let mut row = self.rows[index].clone();
            if !counts_messages
                && let Some(number) = row.number
                && self.is_repeated_row(route, publish, number, &row)?
            {
                continue;
            }
            self.correct_clock(route.source, block, &mut row);
            if self.row(route.source, &row, outputs) {
                self.used += u64::from(!core::mem::replace(&mut used, true));
                self.derive(route.source, &row, outputs);
                self.forward(&row, outputs);
                self.learn(&row, outputs);
            } else {
                late = true;
            }
        }
        Ok(match (used, late) {
            (true, _) => Fate::Used,
            (false, true) => Fate::Late,
            (false, false) => Fate::Duplicate,
        })
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
    fn announce(&mut self, source: usize, publish: &Publish, outputs: &mut Outputs) -> Result<()> {
        if self.plan.sources[source].format != Format::Sparkplug {
            return Ok(());
        }
        let payload = Payload::parse(publish.payload)?;
        let (rebirth, missing) = self.nodes.take(publish.topic, &payload, self.clock.now_us)?;
        if let Some(Rebirth { topic }) = rebirth {
            #[expect(clippy::cast_precision_loss, reason = "epoch milliseconds")]
            outputs.rebirth(&topic, self.clock.wall_ms as f64);
        }
        self.ledger.account(source).book_number(&Verdict::New(missing));
        Ok(())
    }

    /// Adds a row's readings to the series; false when all of them are late.
    fn row(&mut self, source_index: usize, row: &Row, outputs: &mut Outputs) -> bool {
        let source = &self.plan.sources[source_index];
        let (key, time_ms) = (row.key, row.time_ms);
        self.idle.heard(source_index, time_ms, &self.clock);
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
        self.decode(route.source, block, publish, decoded)?;
        self.resolve(route, decoded)?;
        for row in &self.rows {
            for reading in &self.readings[row.from..row.to] {
                self.table.series[reading.place as usize].set_retained(row.own_time_ms(), reading.value);
            }
        }
        Ok(())
    }

    /// Fills `rows` and `readings` with what a payload says, readings by the position of their field.
    fn decode<'a>(
        &mut self,
        source_index: usize,
        block: &Block,
        publish: &Publish<'a>,
        decoded: &mut Decoded<'a>,
    ) -> Result<()> {
        let source = &self.plan.sources[source_index];
        let mapping = &source.mapping;
        #[expect(clippy::cast_precision_loss, reason = "epoch milliseconds")]
        let wall_ms = block.wall_ms as f64;
        if source.format == Format::Sparkplug {
            let announced = self.nodes.announced(publish.topic);
            Payload::parse(publish.payload)?.read(announced, &mapping.selection, decoded)?;
        } else {
            decode::decode(&source.format, publish.payload, wall_ms, &mapping.selection, decoded)?;
        }
        let rows = &decoded.rows;
        self.rows.clear();
        self.readings.clear();
        for instance in 0..rows.len() {
            let from = self.readings.len();
            let mut push = |field: usize, value: f64| {
                self.readings.push(Reading {
                    place: u32::try_from(field).expect("at most PATHS_MAX"),
                    value,
                    late: false,
                });
            };
            let (mut found_any, mut absent_any) = (false, false);
            for &field in mapping.fields(rows, instance) {
                let Field {
                    absent, except, sense, ..
                } = &source.fields[field];
                if except.iter().any(|name| rows.lies_in(instance, name)) {
                    continue;
                }
                let found = rows.value(&mapping.selection, instance, field);
                let reading = match sense {
                    Some(sense) => sense.reading(&found)?,
                    None => found.reading()?,
                };
                if let Some(value) = reading {
                    push(field, value);
                    found_any = true;
                }
                absent_any |= found == Found::Absent && absent.is_some();
            }
            if !found_any {
                continue;
            }
            if absent_any {
                for &field in mapping.fields(rows, instance) {
                    if let Some(value) = source.fields[field].absent
                        && rows.value(&mapping.selection, instance, field) == Found::Absent
                    {
                        push(field, value);
                    }
                }
            }
            let nothing = |found: &Found| matches!(found, Found::Absent | Found::Other);
            let time = mapping.time(rows, instance);
            let may_lack = source.time_absent || source.format.time_is_optional();
            let time = time.filter(|found| !may_lack || !nothing(found));
            let own_ms = match &time {
                Some(found) => Some(event_time_ms(found, &source.zone, wall_ms).ok_or(CoreError::BadTime)?),
                None => None,
            };
            let own_ms = own_ms.filter(|&time_ms| !source.time_absent || time_ms >= CLOCK_SET_FROM_MS);
            let time_ms = own_ms.unwrap_or(wall_ms);
            let off_ms = match source.clock {
                Clocks::Ahead => time_ms - wall_ms,
                Clocks::Quarantine => (time_ms - wall_ms).abs(),
                Clocks::Correct => 0.0,
            };
            if source.clock_skew_max_ms > 0.0 && off_ms > source.clock_skew_max_ms {
                return Err(CoreError::BadTime);
            }
            let number = mapping.counter(rows, instance).map(|found| match source.seq_absent {
                Some(number) if nothing(&found) => Found::Number(number),
                _ => found,
            });
            self.rows.push(Row {
                instance,
                key: NONE,
                time_ms,
                own_time: own_ms.is_some(),
                number: number.and_then(|found| device_number(found.number())),
                from,
                to: self.readings.len(),
            });
        }
        if self.rows.is_empty() {
            return Err(CoreError::NoReading);
        }
        Ok(())
    }

    /// Puts the key in every row and the series in the place of the fields, making them if they are new. A row for which the
    /// payload does not say all that its key and field names are made of is none.
    fn resolve(&mut self, route: &mut SourceRoute, decoded: &Decoded) -> Result<()> {
        let mut rows = core::mem::take(&mut self.rows);
        let mut failed = None;
        rows.retain_mut(|row| {
            failed.is_none()
                && self.resolve_row(route, decoded, row).unwrap_or_else(|error| {
                    failed = Some(error);
                    false
                })
        });
        self.rows = rows;
        match failed {
            Some(error) => Err(error),
            None if self.rows.is_empty() => Err(CoreError::NoReading),
            None => Ok(()),
        }
    }

    fn resolve_row(&mut self, route: &mut SourceRoute, decoded: &Decoded, row: &mut Row) -> Result<bool> {
        let source = &self.plan.sources[route.source];
        let name = |template: &Template, out: &mut String| {
            out.clear();
            let capture = |capture: usize, out: &mut String| {
                let announced = |index| self.nodes.name(index);
                let (mapping, rows) = (&source.mapping, &decoded.rows);
                mapping.append_capture(rows, row.instance, capture, announced, out)
            };
            match template.append(&route.captured, capture, out)? {
                true if out.len() > NAME_BYTES_MAX => Err(CoreError::Limit),
                there => Ok(there),
            }
        };
        row.key = match &route.key_name {
            Some(_) if route.key != NONE => route.key,
            Some(key_name) => self.table.key(key_name, &self.plan)?,
            None if name(&source.key, &mut self.name)? => self.table.key(&self.name, &self.plan)?,
            None => return Ok(false),
        };
        let same_key = route.key_name.is_some();
        if same_key {
            route.key = row.key;
        }
        for reading in &mut self.readings[row.from..row.to] {
            let place = reading.place as usize;
            reading.place = match &route.field_names[place] {
                Some(_) if same_key && route.series[place] != NONE => route.series[place],
                Some(field_name) => {
                    let series = self.table.series(row.key, field_name, &self.plan)?;
                    if same_key {
                        route.series[place] = series;
                    }
                    series
                }
                None if name(&source.fields[place].name, &mut self.name)? => {
                    self.table.series(row.key, &self.name, &self.plan)?
                }
                None => return Ok(false),
            };
        }
        Ok(true)
    }

    /// Judges the device's number.
    fn is_repeat(
        &mut self,
        route: &mut SourceRoute,
        publish: &Publish,
        number: u64,
        own_time_ms: Option<f64>,
    ) -> Result<bool> {
        let (index, verdict) = if route.stream == NONE {
            let name = format!("{}\n{}", self.plan.sources[route.source].name, publish.topic);
            self.streams
                .offer(self.streams.find(&name), &name, number, own_time_ms)?
        } else {
            self.streams.offer(Some(route.stream), "", number, own_time_ms)?
        };
        route.stream = index;
        Ok(self.ledger.account(route.source).book_number(&verdict))
    }

    /// Judges the number that a device gave for one row: each key counts for itself.
    fn is_repeated_row(&mut self, route: &SourceRoute, publish: &Publish, number: u64, row: &Row) -> Result<bool> {
        let key_name = self.table.key_names.name(row.key);
        self.name.clear();
        for piece in [
            &self.plan.sources[route.source].name,
            "\n",
            publish.topic,
            "\n",
            key_name,
        ] {
            self.name.push_str(piece);
        }
        let index = self.streams.find(&self.name);
        let (_, verdict) = self.streams.offer(index, &self.name, number, row.own_time_ms())?;
        Ok(self.ledger.account(route.source).book_number(&verdict))
    }

    /// Judges the number of whoever labels; each topic counts for itself.
    fn is_repeated_label(
        &mut self,
        route: &mut LabelRoute,
        publish: &Publish,
        number: u64,
        own_time_ms: Option<f64>,
    ) -> Result<bool> {
        let (index, verdict) = if route.stream == NONE {
            // A line end in front: no source's stream begins with one.
            let name = format!("\nlabels\n{}\n{}", self.plan.tasks[route.task].name, publish.topic);
            self.streams
                .offer(self.streams.find(&name), &name, number, own_time_ms)?
        } else {
            self.streams.offer(Some(route.stream), "", number, own_time_ms)?
        };
        route.stream = index;
        let account = self.ledger.of_labels(route.task);
        Ok(self.ledger.account(account).book_number(&verdict))
    }

    /// Hands a label to its task.
    fn label<'a>(
        &mut self,
        route: &mut LabelRoute,
        publish: &Publish<'a>,
        decoded: &mut Decoded<'a>,
        outputs: &mut Outputs,
    ) -> Result<Fate> {
        let definition = &self.plan.tasks[route.task];
        let label = definition
            .label
            .as_ref()
            .expect("the router asks only tasks with labels");
        if let Err(error) = decode::decode(&Format::Json, publish.payload, 0.0, &label.selection, decoded) {
            // A payload that is the label itself may be bare text.
            let bare = publish.payload.trim_ascii();
            if !label.is_whole || label.has_time || bare.is_empty() {
                return Err(error);
            }
            decoded.set_whole(&label.selection, Found::Text(Text::plain(bare)));
        }
        let found = decoded.whole(&label.selection, 0);
        let time_ms = if label.has_time {
            let found = decoded.whole(&label.selection, 1);
            Some(event_time_ms(&found, &Zone::default(), 0.0).ok_or(CoreError::BadTime)?)
        } else {
            None
        };
        let number = label.has_number.then(|| {
            decoded
                .whole(&label.selection, 1 + usize::from(label.has_time))
                .number()
        });
        if let Some(number) = number.and_then(device_number)
            && self.is_repeated_label(route, publish, number, time_ms)?
        {
            return Ok(Fate::Duplicate);
        }
        let definition = &self.plan.tasks[route.task];
        let value = if definition.kind == TaskKind::Classification {
            Label::Class(class_name(&found, &mut self.label_text)?)
        } else {
            Label::Number(found.reading()?.ok_or(CoreError::NoReading)?)
        };
        if route.key == NONE {
            route.key = self.table.key_names.find(&route.key_name).unwrap_or(NONE);
        }
        let key = (route.key != NONE).then_some(route.key);
        let newest_ms = key.map_or(f64::NEG_INFINITY, |key| self.table.keys[key as usize].newest_ms);
        self.tasks[route.task].label((key, newest_ms), time_ms, value, route.task, outputs)?;
        Ok(Fate::Used)
    }
}

/// The class that a label names: its text, or the shortest text of its number.
fn class_name<'a>(found: &Found, text: &'a mut String) -> Result<&'a str> {
    text.clear();
    if !found.append_name(text)? || text.is_empty() {
        return Err(CoreError::NoReading);
    }
    if text.len() > CLASS_BYTES_MAX {
        Err(CoreError::Limit)
    } else {
        Ok(text)
    }
}
