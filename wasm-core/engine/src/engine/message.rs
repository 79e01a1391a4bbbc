//! The journey of one message, from its topic to its fate.

use super::State;
use crate::decode::{self, Found, Path, unescape_into};
use crate::error::{CoreError, Result};
use crate::json;
use crate::ledger::Fate;
use crate::names::NONE;
use crate::number;
use crate::output::Outputs;
use crate::plan::{Format, Source, TaskKind};
use crate::repeat::{Verdict, device_number};
use crate::route::{LabelRoute, Route, SourceRoute};
use crate::series::Table;
use crate::task::{Label, Moment};
use crate::time::event_time_ms;
use crate::wire::{Block, Publish};

/// Largest magnitude of a reading: beyond it squares and sums of a window are not finite, and nothing measures it.
const VALUE_MAX: f64 = 1e100;
/// Bytes of a class name.
const CLASS_BYTES_MAX: usize = 256;

/// One number of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// Position of the field in the source; afterwards the series.
    place: u32,
    value: f64,
    late: bool,
}

/// What a source's payload says.
struct Decoded {
    /// The event time, and whether the device gave it.
    time_ms: f64,
    own_time: bool,
    number: Option<u64>,
}

impl State {
    /// Follows a message to its fate, and says on which account of the ledger that is booked: its source's, else that of
    /// the first task that takes it for a label.
    pub(super) fn message<'a>(
        &mut self,
        route: &mut Route,
        block: &Block,
        publish: &Publish<'a>,
        found: &mut Vec<Found<'a>>,
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
                let _ = self.retained(source, block, publish, found);
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
            let outcome = self
                .readings(source, block, publish, found, outputs)
                .unwrap_or_else(Fate::Quarantined);
            if outcome == Fate::Duplicate {
                return (account, outcome);
            }
            fate = Some(outcome);
        }
        for label in &mut route.labels {
            let outcome = self.label(label, publish, found);
            fate = fate.or(Some(outcome.map_or_else(Fate::Quarantined, |()| Fate::Used)));
        }
        (account, fate.expect("a message without source has a label"))
    }

    /// Folds the readings of a message.
    fn readings<'a>(
        &mut self,
        route: &mut SourceRoute,
        block: &Block,
        publish: &Publish<'a>,
        found: &mut Vec<Found<'a>>,
        outputs: &mut Outputs,
    ) -> Result<Fate> {
        let decoded = self.decode(route.source, block, publish, found)?;
        self.resolve(route)?;
        if let Some(number) = decoded.number
            && self.is_repeat(route, publish, number, &decoded)?
        {
            return Ok(Fate::Duplicate);
        }
        let source = &self.plan.sources[route.source];
        let (key, time_ms) = (route.key, decoded.time_ms);
        self.idle.heard(route.source, time_ms, &self.clock);
        let entry = &mut self.table.keys[key as usize];
        entry.source = u32::try_from(route.source).expect("at most SOURCES_MAX");
        entry.heard_us = self.clock.now_us;
        let mut late = 0;
        for reading in &mut self.readings {
            reading.late = self
                .table
                .is_late(reading.place, time_ms, source.lateness_ms, &self.plan.windows);
            if reading.late {
                late += 1;
                put_out_late(&self.table, reading, time_ms, outputs);
            }
        }
        if late == self.readings.len() {
            return Ok(Fate::Late);
        }
        let entry = &mut self.table.keys[key as usize];
        if time_ms > entry.newest_ms {
            entry.newest_ms = time_ms;
        }
        self.table.complete(key, time_ms, &self.plan.windows, outputs);
        for reading in self.readings.iter().filter(|reading| !reading.late) {
            self.table
                .add(reading.place, time_ms, reading.value, &self.plan.windows);
        }
        if self.table.keys[key as usize].closes_ms < f64::INFINITY {
            self.idle.watch(source.idle_ms, self.clock.now_us);
        }
        self.used += 1;
        self.learn(key, time_ms, outputs);
        Ok(Fate::Used)
    }

    /// Lets every task see the message just added.
    fn learn(&mut self, key: u32, time_ms: f64, outputs: &mut Outputs) {
        let Self {
            tasks,
            readings,
            table,
            plan,
            used,
            ..
        } = self;
        for (index, task) in tasks.iter_mut().enumerate() {
            let target = task.target();
            let own = readings.iter().find(|reading| {
                target != NONE && !reading.late && table.series[reading.place as usize].field == target
            });
            let label_topic = task.definition().label.is_some();
            if own.is_none() && !label_topic {
                continue;
            }
            task.freeze(plan, table, *used);
            let moment = Moment {
                plan,
                table,
                task: index,
                key,
                time_ms,
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
        found: &mut Vec<Found<'a>>,
    ) -> Result<()> {
        if publish.payload.len() > self.plan.limits.payload_bytes {
            return Err(CoreError::Limit);
        }
        let decoded = self.decode(route.source, block, publish, found)?;
        self.resolve(route)?;
        let own_time_ms = decoded.own_time.then_some(decoded.time_ms);
        for reading in &self.readings {
            self.table.series[reading.place as usize].set_retained(own_time_ms, reading.value);
        }
        Ok(())
    }

    /// Fills `readings` with the numbers of a payload, by the position of their field.
    fn decode<'a>(
        &mut self,
        source_index: usize,
        block: &Block,
        publish: &Publish<'a>,
        found: &mut Vec<Found<'a>>,
    ) -> Result<Decoded> {
        let source = &self.plan.sources[source_index];
        let paths = &self.paths.sources[source_index];
        found.clear();
        found.resize(paths.len(), Found::Absent);
        scan_as(source, publish.payload, paths, found)?;
        self.readings.clear();
        for (place, found) in (0..).zip(&found[..source.fields.len()]) {
            if let Some(value) = found.number().filter(|value| value.abs() <= VALUE_MAX) {
                self.readings.push(Reading {
                    place,
                    value,
                    late: false,
                });
            }
        }
        if self.readings.is_empty() {
            return Err(CoreError::NoReading);
        }
        let mut rest = &found[source.fields.len()..];
        #[expect(clippy::cast_precision_loss, reason = "epoch milliseconds")]
        let wall_ms = block.wall_ms as f64;
        let mut time_ms = wall_ms;
        if source.time.is_some() {
            time_ms = event_time_ms(&rest[0]).ok_or(CoreError::BadTime)?;
            rest = &rest[1..];
        }
        if source.clock_skew_max_ms > 0.0 && time_ms > wall_ms + source.clock_skew_max_ms {
            return Err(CoreError::BadTime);
        }
        let number = rest.first().and_then(|found| device_number(found.number()));
        Ok(Decoded {
            time_ms,
            own_time: source.time.is_some(),
            number,
        })
    }

    /// Puts the series in the place of the fields, making key and series if they are new.
    fn resolve(&mut self, route: &mut SourceRoute) -> Result<()> {
        if route.key == NONE {
            route.key = self.table.key(&route.key_name, &self.plan)?;
        }
        for reading in &mut self.readings {
            let place = reading.place as usize;
            if route.series[place] == NONE {
                route.series[place] = self.table.series(route.key, &route.field_names[place], &self.plan)?;
            }
            reading.place = route.series[place];
        }
        Ok(())
    }

    /// Judges the device's number.
    fn is_repeat(
        &mut self,
        route: &mut SourceRoute,
        publish: &Publish,
        number: u64,
        decoded: &Decoded,
    ) -> Result<bool> {
        let own_time_ms = decoded.own_time.then_some(decoded.time_ms);
        let (index, verdict) = if route.stream == NONE {
            let name = format!("{}\n{}", self.plan.sources[route.source].name, publish.topic);
            self.streams
                .offer(self.streams.find(&name), &name, number, own_time_ms)?
        } else {
            self.streams.offer(Some(route.stream), "", number, own_time_ms)?
        };
        route.stream = index;
        match verdict {
            Verdict::Duplicate => Ok(true),
            Verdict::New(gaps) => {
                self.ledger.account(route.source).book_gaps(gaps);
                Ok(false)
            }
        }
    }

    /// Hands a label to its task.
    fn label<'a>(&mut self, route: &mut LabelRoute, publish: &Publish<'a>, found: &mut Vec<Found<'a>>) -> Result<()> {
        let definition = &self.plan.tasks[route.task];
        let label = definition
            .label
            .as_ref()
            .expect("the router asks only tasks with labels");
        let paths = &self.paths.labels[route.task];
        found.clear();
        found.resize(paths.len(), Found::Absent);
        if let Err(error) = decode::scan(publish.payload, paths, found) {
            // A payload that is the label itself may be bare text.
            let bare = publish.payload.trim_ascii();
            if !label.path.is_whole() || label.time.is_some() || bare.is_empty() {
                return Err(error);
            }
            found[0] = Found::Text(bare);
        }
        let time_ms = match &label.time {
            Some(_) => Some(event_time_ms(&found[1]).ok_or(CoreError::BadTime)?),
            None => None,
        };
        let value = if definition.kind == TaskKind::Classification {
            Label::Class(class_name(&found[0], &mut self.label_text)?)
        } else {
            let number = found[0].number().filter(|value| value.abs() <= VALUE_MAX);
            Label::Number(number.ok_or(CoreError::NoReading)?)
        };
        if route.key == NONE {
            route.key = self.table.key_names.find(&route.key_name).unwrap_or(NONE);
        }
        let key = (route.key != NONE).then_some(route.key);
        let newest_ms = key.map_or(f64::NEG_INFINITY, |key| self.table.keys[key as usize].newest_ms);
        self.tasks[route.task].label(key, newest_ms, time_ms, value)
    }
}

/// Reads a payload in its source's format.
fn scan_as<'a>(source: &Source, payload: &'a [u8], paths: &[Path], found: &mut [Found<'a>]) -> Result<()> {
    let raw = |found: &mut [Found<'a>]| {
        let value = match payload.trim_ascii() {
            b"true" => Found::Bool(true),
            b"false" => Found::Bool(false),
            text => Found::Number(number::whole(text).ok_or(CoreError::NoReading)?),
        };
        for (found, path) in found.iter_mut().zip(paths) {
            *found = if path.is_whole() { value } else { Found::Absent };
        }
        Ok(())
    };
    match source.format {
        Format::Json => decode::scan(payload, paths, found),
        Format::Number => raw(found),
        Format::Auto => decode::scan(payload, paths, found).or_else(|error| raw(found).map_err(|_: CoreError| error)),
    }
}

/// The class that a label names: its text, or the shortest text of its number.
fn class_name<'a>(found: &Found, text: &'a mut String) -> Result<&'a str> {
    text.clear();
    match *found {
        Found::Number(number) if number.is_finite() => json::write_f64(text, number),
        Found::Bool(bool) => text.push_str(if bool { "true" } else { "false" }),
        Found::Text(raw) => unescape_into(raw, text)?,
        Found::Number(_) | Found::Absent | Found::Other => return Err(CoreError::NoReading),
    }
    if text.is_empty() {
        return Err(CoreError::NoReading);
    }
    if text.len() > CLASS_BYTES_MAX {
        Err(CoreError::Limit)
    } else {
        Ok(text)
    }
}

fn put_out_late(table: &Table, reading: &Reading, time_ms: f64, outputs: &mut Outputs) {
    let series = &table.series[reading.place as usize];
    let watermark = table.keys[series.key as usize].complete_ms;
    let (key, field) = (table.key_names.name(series.key), table.field_names.name(series.field));
    outputs.late(key, field, time_ms, reading.value, watermark);
}
