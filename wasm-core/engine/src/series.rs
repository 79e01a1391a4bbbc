//! What is known of each key and each series: its event time, its latest values, its windows. Series are made when their
//! first reading comes; all state lies in vectors indexed by the numbers of `names.rs`.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::names::Names;
use crate::output::Outputs;
use crate::parts::Tracked;
use crate::plan::Plan;
use crate::window::{Frame, Span, Window};

/// The key's source is of an earlier plan.
pub const NO_SOURCE: u32 = u32::MAX;

/// One thing measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// The source it was last heard on.
    pub source: u32,
    /// Latest event time; -infinity before the first reading.
    pub newest_ms: f64,
    /// Event time up to which windows were closed: the latest, or later when the key fell silent.
    pub complete_ms: f64,
    /// Arrival clock of its last message.
    pub heard_us: u64,
    /// Value of `complete_ms` at which the next window closes; infinite when none is open.
    pub closes_ms: f64,
    /// Its series, in the order they came.
    pub series: Vec<u32>,
}

/// One quantity of one key.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The key.
    pub key: u32,
    /// The field.
    pub field: u32,
    /// Latest value by event time; NaN before the first.
    pub last: f64,
    /// Its event time; -infinity when it is not known.
    pub last_ms: f64,
    /// The value before the latest by event time; NaN when there is none.
    pub previous: f64,
    /// Its event time.
    pub previous_ms: f64,
    /// The windows that cover it, in the order of the plan.
    pub spans: Vec<Span>,
}

/// All keys and series.
#[derive(Default)]
pub struct Table {
    /// Names of the keys.
    pub key_names: Names,
    /// Names of the fields.
    pub field_names: Names,
    /// Keys by index.
    pub keys: Tracked<Key>,
    /// Series by index.
    pub series: Tracked<Series>,
    /// Per field its series, in the order they came.
    of_field: Vec<Vec<u32>>,
}

impl Table {
    /// Index of a key, new or old.
    ///
    /// # Errors
    /// `Limit`.
    pub fn key(&mut self, name: &str, plan: &Plan) -> Result<u32> {
        let key = self.key_names.intern(name, plan.limits.keys)?;
        if self.keys.len() < self.key_names.len() {
            self.keys.push(Key {
                source: NO_SOURCE,
                newest_ms: f64::NEG_INFINITY,
                complete_ms: f64::NEG_INFINITY,
                heard_us: 0,
                closes_ms: f64::INFINITY,
                series: Vec::new(),
            });
        }
        Ok(key)
    }

    /// Index of the series of a key and a field, new or old.
    ///
    /// # Errors
    /// `Limit` for a field over the limit.
    pub fn series(&mut self, key: u32, field_name: &str, plan: &Plan) -> Result<u32> {
        let field = self.field_names.intern(field_name, plan.limits.fields)?;
        if let Some(series) = self.find(key, field) {
            return Ok(series);
        }
        let index = u32::try_from(self.series.len()).map_err(|_| CoreError::Limit)?;
        self.series.push(Series {
            key,
            field,
            last: f64::NAN,
            last_ms: f64::NEG_INFINITY,
            previous: f64::NAN,
            previous_ms: f64::NEG_INFINITY,
            spans: spans(&plan.windows, field_name),
        });
        self.keys[key as usize].series.push(index);
        self.note_field(field, index);
        Ok(index)
    }

    fn note_field(&mut self, field: u32, series: u32) {
        if self.of_field.len() <= field as usize {
            self.of_field.resize(field as usize + 1, Vec::new());
        }
        self.of_field[field as usize].push(series);
    }

    /// The series of a field, in the order they came.
    #[must_use]
    pub fn of_field(&self, field: u32) -> &[u32] {
        self.of_field.get(field as usize).map_or(&[], Vec::as_slice)
    }

    /// Index of the series of a key and a field, if it has had a reading.
    #[must_use]
    pub fn find(&self, key: u32, field: u32) -> Option<u32> {
        let series = &self.keys[key as usize].series;
        series
            .iter()
            .copied()
            .find(|&index| self.series[index as usize].field == field)
    }

    /// Adds a reading to the windows that still take it and to the latest values.
    pub fn add(&mut self, series: u32, time: f64, value: f64, windows: &[Window]) {
        let series = &mut self.series[series as usize];
        let key = &mut self.keys[series.key as usize];
        for span in &mut series.spans {
            let definition = &windows[span.window];
            if span.accepts(definition, time, key.complete_ms) {
                let closes_ms = span.add(definition, time, value, key.complete_ms);
                key.closes_ms = if closes_ms < key.closes_ms {
                    closes_ms
                } else {
                    key.closes_ms
                };
            }
        }
        series.set(time, value);
    }

    /// True when a reading comes too late: every window that could hold it has closed, or where none could, it lies behind
    /// the key's watermark.
    #[must_use]
    pub fn is_late(&self, series: u32, time: f64, lateness_ms: f64, windows: &[Window]) -> bool {
        let series = &self.series[series as usize];
        let complete_ms = self.keys[series.key as usize].complete_ms;
        if series.spans.is_empty() {
            time < complete_ms - lateness_ms
        } else {
            !series
                .spans
                .iter()
                .any(|span| span.accepts(&windows[span.window], time, complete_ms))
        }
    }

    /// Moves the time up to which a key is complete, and closes and puts out the windows it has done with.
    pub fn complete(&mut self, key: u32, complete_ms: f64, windows: &[Window], outputs: &mut Outputs) {
        let Self {
            key_names,
            field_names,
            keys,
            series,
            ..
        } = self;
        let entry = &mut keys[key as usize];
        if complete_ms > entry.complete_ms {
            entry.complete_ms = complete_ms;
        }
        if entry.complete_ms < entry.closes_ms || entry.closes_ms == f64::INFINITY {
            return;
        }
        entry.closes_ms = f64::INFINITY;
        for &index in &entry.series {
            let series = &mut series[index as usize];
            for span in &mut series.spans {
                let (window, definition) = (span.window, &windows[span.window]);
                let put_out = |frame: &Frame| {
                    let (key, field) = (key_names.name(key), field_names.name(series.field));
                    outputs.window(window, definition, key, field, frame);
                };
                let next = span.close(definition, entry.complete_ms, put_out);
                entry.closes_ms = if next < entry.closes_ms { next } else { entry.closes_ms };
            }
        }
    }

    /// Puts out what the readings just added to a key made due at once.
    pub fn put_out_due(&mut self, key: u32, windows: &[Window], outputs: &mut Outputs) {
        let entry = &self.keys[key as usize];
        if entry.closes_ms <= entry.complete_ms {
            self.complete(key, entry.complete_ms, windows, outputs);
        }
    }

    /// Makes results due in the windows of a key for which a reading with this field and value is a punctuation.
    pub fn punctuate(&mut self, series: u32, value: f64, windows: &[Window]) {
        let Series { key, field, .. } = self.series[series as usize];
        let field = self.field_names.name(field);
        let entry = &mut self.keys[key as usize];
        for &index in &entry.series {
            for span in &mut self.series[index as usize].spans {
                let trigger = windows[span.window].trigger.as_ref();
                let punctuation = trigger.and_then(|trigger| trigger.punctuation.as_ref());
                if punctuation.is_some_and(|(name, wanted)| name == field && *wanted == value) {
                    span.punctuate();
                    entry.closes_ms = f64::NEG_INFINITY;
                }
            }
        }
    }

    /// Follows a change of plan: `windows[new]` is the index of the same window in the earlier plan, `sources[old]` that of
    /// the same source in the new one. State of windows that are gone is dropped.
    pub fn change(&mut self, plan: &Plan, windows: &[Option<usize>], sources: &[Option<u32>]) {
        for key in &mut self.keys {
            let source = sources.get(key.source as usize).copied().flatten();
            key.source = source.unwrap_or(NO_SOURCE);
            key.closes_ms = f64::INFINITY;
        }
        for series in &mut self.series {
            let mut next = spans(&plan.windows, self.field_names.name(series.field));
            for span in &mut next {
                let same = windows[span.window].and_then(|old| series.spans.iter().position(|span| span.window == old));
                if let Some(at) = same {
                    let window = span.window;
                    *span = series.spans.swap_remove(at);
                    span.window = window;
                    let key = &mut self.keys[series.key as usize];
                    // Finds the next closing without closing anything.
                    let closes_ms = span.close(&plan.windows[span.window], f64::NEG_INFINITY, |_| ());
                    key.closes_ms = if closes_ms < key.closes_ms {
                        closes_ms
                    } else {
                        key.closes_ms
                    };
                }
            }
            series.spans = next;
        }
    }

    /// Appends the state.
    pub fn save(&self, windows: &[Window], writer: &mut Writer) {
        self.key_names.save(writer);
        self.field_names.save(writer);
        self.keys.save(4, writer, |key, writer| {
            writer.u32(key.source);
            writer.f64(key.newest_ms);
            writer.f64(key.complete_ms);
            writer.u64(key.heard_us);
            writer.f64(key.closes_ms);
        });
        writer.u32(u32::try_from(self.series.len()).expect("indexes are u32"));
        self.series.save(5, writer, |series, writer| {
            writer.u32(series.key);
            writer.u32(series.field);
            for value in [series.last, series.last_ms, series.previous, series.previous_ms] {
                writer.f64(value);
            }
            for span in &series.spans {
                span.save(&windows[span.window], writer);
            }
        });
    }

    /// Takes what `save` wrote under the same plan; `is_v3` as for `Span::load`.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(plan: &Plan, is_v3: bool, reader: &mut Reader) -> Result<Self> {
        let mut table = Self {
            key_names: Names::load(reader)?,
            field_names: Names::load(reader)?,
            keys: Tracked::default(),
            series: Tracked::default(),
            of_field: vec![],
        };
        for _ in 0..table.key_names.len() {
            let key = Key {
                source: reader.u32()?,
                newest_ms: reader.f64()?,
                complete_ms: reader.f64()?,
                heard_us: reader.u64()?,
                closes_ms: reader.f64()?,
                series: Vec::new(),
            };
            let known = key.source == NO_SOURCE || (key.source as usize) < plan.sources.len();
            if !known || key.newest_ms.is_nan() || key.complete_ms.is_nan() || key.closes_ms.is_nan() {
                return Err(CoreError::Corrupt);
            }
            table.keys.push(key);
        }
        let count = reader.count(40)?;
        for index in 0..count {
            let (key, field) = (reader.u32()?, reader.u32()?);
            if key as usize >= table.keys.len()
                || field as usize >= table.field_names.len()
                || table.find(key, field).is_some()
            {
                return Err(CoreError::Corrupt);
            }
            let (last, last_ms, previous, previous_ms) = (reader.f64()?, reader.f64()?, reader.f64()?, reader.f64()?);
            let mut spans = spans(&plan.windows, table.field_names.name(field));
            for span in &mut spans {
                *span = Span::load(span.window, &plan.windows[span.window], is_v3, reader)?;
            }
            table.series.push(Series {
                key,
                field,
                last,
                last_ms,
                previous,
                previous_ms,
                spans,
            });
            let index = u32::try_from(index).map_err(|_| CoreError::Corrupt)?;
            table.keys[key as usize].series.push(index);
            table.note_field(field, index);
        }
        Ok(table)
    }
}

impl Series {
    /// The value at an event time and its own time, as far as the latest two readings tell.
    #[must_use]
    pub fn as_of(&self, time_ms: f64) -> Option<(f64, f64)> {
        let (value, at_ms) = if self.last_ms <= time_ms {
            (self.last, self.last_ms)
        } else {
            (self.previous, self.previous_ms)
        };
        (at_ms <= time_ms && !value.is_nan()).then_some((value, at_ms))
    }

    /// False for a series of which nothing but late readings came.
    #[must_use]
    pub fn has_value(&self) -> bool {
        !self.last.is_nan()
    }

    fn set(&mut self, time: f64, value: f64) {
        // Of equal times the one that came last counts.
        if time >= self.last_ms {
            (self.previous, self.previous_ms) = (self.last, self.last_ms);
            (self.last, self.last_ms) = (value, time);
        } else if time >= self.previous_ms {
            (self.previous, self.previous_ms) = (value, time);
        }
    }

    /// Sets a value that the broker had kept: the latest only if none is known, or an older one by the device's own time.
    pub fn set_retained(&mut self, own_time_ms: Option<f64>, value: f64) {
        if self.last.is_nan() || own_time_ms.is_some_and(|time| time > self.last_ms) {
            self.last = value;
            self.last_ms = own_time_ms.unwrap_or(f64::NEG_INFINITY);
        }
    }
}

/// Empty spans for the windows that cover a field.
fn spans(windows: &[Window], field: &str) -> Vec<Span> {
    let covering = windows.iter().enumerate().filter(|(_, window)| window.covers(field));
    covering.map(|(index, window)| Span::new(index, window)).collect()
}
