//! What a payload says: rows of readings, each of one key at one time.

use super::super::State;
use crate::decode::sparkplug::Payload;
use crate::decode::{Decoded, Found, Violation, append_stop};
use crate::error::{CoreError, Result};
use crate::names::NONE;
use crate::plan::{Clocks, Field, QUALITY};
use crate::repeat::device_number;
use crate::route::{SourceRoute, Template};
use crate::time::event_time_ms;
use crate::wire::{Block, Publish};

/// A device whose clock says an earlier time (the year 2000) has not set it: it counts from 1970 or from its start.
const CLOCK_SET_FROM_MS: f64 = 946_684_800_000.0;
/// Bytes of a key or field name that a payload says; names that topics say are bounded by MQTT.
const NAME_BYTES_MAX: usize = 1024;
/// Readings of a message whose series are guessed: payloads of one topic mostly name the same things in the same order.
const GUESSES_MAX: usize = 64;

/// One number of a message.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Reading {
    /// Position of the field in the source; afterwards the series.
    pub(in crate::engine) place: u32,
    pub(in crate::engine) value: f64,
    pub(in crate::engine) late: bool,
    /// The quality of the reading before it.
    pub(in crate::engine) is_quality: bool,
    /// Position of its field in the source.
    pub(in crate::engine) field: u16,
}

/// What a message says about one key at one time.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Row {
    /// Its instance in what was decoded.
    pub(in crate::engine) instance: usize,
    pub(in crate::engine) key: u32,
    /// The event time, and whether the device gave it.
    pub(in crate::engine) time_ms: f64,
    pub(super) own_time: bool,
    /// The device's number.
    pub(super) number: Option<u64>,
    /// Its readings.
    pub(in crate::engine) from: usize,
    pub(in crate::engine) to: usize,
}

impl Row {
    pub(super) fn own_time_ms(&self) -> Option<f64> {
        self.own_time.then_some(self.time_ms)
    }
}

impl State {
    /// Fills `rows` and `readings` with what a payload says, readings by the position of their field. `metrics` are those of a
    /// Sparkplug payload.
    pub(super) fn decode<'a>(
        &mut self,
        route: &mut SourceRoute,
        block: &Block,
        publish: &Publish<'a>,
        metrics: Option<Payload<'a>>,
        decoded: &mut Decoded<'a>,
    ) -> Result<()> {
        self.broken.clear();
        let source = &self.plan.sources[route.source];
        let mapping = &source.mapping;
        #[expect(clippy::cast_precision_loss, reason = "epoch milliseconds")]
        let wall_ms = block.wall_ms as f64;
        if let (Some(payload), Some(Ok(about))) = (metrics, &route.about) {
            payload.read(self.nodes.announced(about), &mapping.selection, decoded)?;
            decoded.metrics = payload.into_kept();
        } else {
            let shapes = &mut self.shapes[route.source];
            let (format, payload, selection) = (&source.format, publish.payload, &mapping.selection);
            shapes
                .decode(&mut route.shape, format, payload, wall_ms, selection, decoded)
                .inspect_err(|_| append_stop(format, payload, &mut self.bad_path))?;
        }
        let rows = &decoded.rows;
        self.rows.clear();
        self.readings.clear();
        for instance in 0..rows.len() {
            let from = self.readings.len();
            let mut push = |field: usize, value: Option<f64>, violation: Option<Violation>| {
                let at = u16::try_from(field).expect("at most PATHS_MAX");
                let reading = Reading {
                    place: at.into(),
                    value: value.unwrap_or_default(),
                    late: false,
                    is_quality: false,
                    field: at,
                };
                if value.is_some() {
                    self.readings.push(reading);
                }
                if source.fields[field].has_quality() {
                    self.readings.push(Reading {
                        place: u32::try_from(source.fields.len() + field).expect("at most twice PATHS_MAX"),
                        value: violation.map_or(0.0, Violation::quality),
                        is_quality: true,
                        ..reading
                    });
                }
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
                    None => found.reading().map(|value| (value, None)),
                    Some(sense) => sense.reading(found).and_then(|(value, violation)| match violation {
                        None => Ok((value, None)),
                        // What is left out was no reading; nor is a word that is passed over.
                        Some(kind) => {
                            self.broken.in_row(instance, kind);
                            let passes = self.broken.note(kind, sense.on_violation)?;
                            Ok(if passes { (value, violation) } else { (None, None) })
                        }
                    }),
                };
                let (value, violation) = reading.inspect_err(|_| {
                    rows.append_pointer(&mapping.selection, instance, field, &mut self.bad_path);
                })?;
                if value.is_some() || violation.is_some() {
                    push(field, value, violation);
                    found_any = true;
                }
                absent_any |= absent.is_some() && matches!(found, Found::Absent);
            }
            if !found_any {
                continue;
            }
            if absent_any {
                for &field in mapping.fields(rows, instance) {
                    if let Some(value) = source.fields[field].absent
                        && matches!(rows.value(&mapping.selection, instance, field), Found::Absent)
                    {
                        push(field, Some(value), None);
                    }
                }
            }
            let mut bad_time = || {
                mapping.append_time_pointer(rows, instance, &mut self.bad_path);
                CoreError::BadTime
            };
            let nothing = |found: &Found| matches!(found, Found::Absent | Found::Other);
            let time = mapping.time(rows, instance);
            let may_lack = source.time_absent || source.format.time_is_optional();
            let time = time.filter(|found| !may_lack || !nothing(found));
            let own_ms = match time {
                Some(found) => Some(event_time_ms(found, &source.zone, wall_ms).ok_or_else(&mut bad_time)?),
                None => None,
            };
            let own_ms = own_ms.filter(|&time_ms| !source.time_absent || time_ms >= CLOCK_SET_FROM_MS);
            let time_ms = own_ms.unwrap_or_else(|| self.clock.arrived_ms());
            let off_ms = match (source.clock, own_ms) {
                (Clocks::Correct, _) | (_, None) => 0.0,
                (Clocks::Ahead, Some(own_ms)) => own_ms - wall_ms,
                (Clocks::Quarantine, Some(own_ms)) => (own_ms - wall_ms).abs(),
            };
            if source.clock_skew_max_ms > 0.0 && off_ms > source.clock_skew_max_ms {
                return Err(bad_time());
            }
            let number = mapping
                .counter(rows, instance)
                .and_then(|found| match source.seq_absent {
                    Some(number) if nothing(found) => Some(number),
                    _ => found.number(),
                });
            self.rows.push(Row {
                instance,
                key: NONE,
                time_ms,
                own_time: own_ms.is_some(),
                number: device_number(number),
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
    pub(super) fn resolve(&mut self, route: &mut SourceRoute, decoded: &Decoded) -> Result<()> {
        let mut rows = core::mem::take(&mut self.rows);
        let (mut failed, mut named) = (None, 0);
        rows.retain_mut(|row| {
            failed.is_none()
                && self
                    .resolve_row(route, decoded, row, &mut named)
                    .unwrap_or_else(|error| {
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

    /// `named` counts the readings of the message whose names the payload says.
    fn resolve_row(
        &mut self,
        route: &mut SourceRoute,
        decoded: &Decoded,
        row: &mut Row,
        named: &mut usize,
    ) -> Result<bool> {
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
            let field = usize::from(reading.field);
            reading.place = match &route.field_names[place] {
                Some(_) if same_key && route.series[place] != NONE => route.series[place],
                Some(field_name) => {
                    let series = self.table.series(row.key, field_name, &self.plan)?;
                    if same_key {
                        route.series[place] = series;
                    }
                    series
                }
                None if name(&source.fields[field].name, &mut self.name)? => {
                    if reading.is_quality {
                        self.name.push_str(QUALITY);
                    }
                    let guess = route.guesses.get(*named).copied();
                    let series = match guess.filter(|&series| self.table.is_of(series, row.key, &self.name)) {
                        Some(series) => series,
                        None => self.table.series(row.key, &self.name, &self.plan)?,
                    };
                    match route.guesses.get_mut(*named) {
                        Some(guess) => *guess = series,
                        None if *named < GUESSES_MAX => route.guesses.push(series),
                        None => {}
                    }
                    *named += 1;
                    series
                }
                None => return Ok(false),
            };
        }
        Ok(true)
    }
}
