//! What is known of each key and each series: its event time, its latest values, its windows. Series are made when their
//! first reading comes; all state lies in vectors indexed by the numbers of `names.rs`.

mod groups;
mod latest;
mod saved;

use crate::error::{CoreError, Result};
use crate::names::{FixedMap, Names};
use crate::output::Outputs;
use crate::parts::Tracked;
use crate::plan::Plan;
use crate::window::{Aggregate, Span, Window};
use groups::Groups;

pub use latest::Series;

/// The key's source is of an earlier plan.
pub const NO_SOURCE: u32 = u32::MAX;
/// Series of a key that are looked through one after the other; a key with more (a Sparkplug node with a thousand metrics) has
/// the others in a map.
const SEARCHED_MAX: usize = 32;

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
    /// By key and field: the series behind the first `SEARCHED_MAX` of their key.
    wide: FixedMap<(u32, u32), u32>,
    groups: Groups,
    /// By window of the plan.
    counts: Vec<WindowCounts>,
}

/// What became of a window's readings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WindowCounts {
    /// Results that were put out.
    pub results: u64,
    /// Readings that came too late for it.
    pub late: u64,
}

impl Table {
    /// No keys, under a plan.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self {
            counts: vec![WindowCounts::default(); plan.windows.len()],
            ..Self::default()
        }
    }

    /// What became of each window's readings.
    #[must_use]
    pub fn counts(&self) -> &[WindowCounts] {
        &self.counts
    }

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
            spans: Vec::new(),
        });
        self.enlist(key, field, index);
        self.series[index as usize].spans = self.spans(index, &plan.windows);
        Ok(index)
    }

    /// Takes note of a series that is new.
    fn enlist(&mut self, key: u32, field: u32, series: u32) {
        let of_key = &mut self.keys[key as usize].series;
        of_key.push(series);
        if of_key.len() > SEARCHED_MAX {
            self.wide.insert((key, field), series);
        }
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

    /// Empty spans for the windows that cover a series, which joins its groups.
    fn spans(&mut self, series: u32, windows: &[Window]) -> Vec<Span> {
        let Series { key, field, .. } = self.series[series as usize];
        let (key_name, field_name) = (self.key_names.name(key), self.field_names.name(field));
        let mut spans = Vec::new();
        for (index, window) in windows
            .iter()
            .enumerate()
            .filter(|(_, window)| window.covers(field_name))
        {
            match &window.over {
                None => spans.push(Span::new(index, window)),
                Some(over) => {
                    if let Some(name) = over.group(key_name) {
                        let member = series as usize;
                        let group = self
                            .groups
                            .join(windows, index, &name, member, &mut self.keys, &self.series);
                        spans.push(Span::of_group(index, group));
                    }
                }
            }
        }
        spans
    }

    /// The result of a window that was due last for a series.
    #[must_use]
    pub fn closed<'a>(&'a self, series: &'a Series, window: usize) -> Option<&'a Aggregate> {
        let span = series.spans.iter().find(|span| span.window == window)?;
        match span.group() {
            Some(group) => self.groups.closed(group),
            None => span.closed.as_ref(),
        }
    }

    /// Takes note that a source heard a key.
    pub fn heard(&mut self, key: u32, source: u32, now_us: u64) {
        let Self {
            keys, series, groups, ..
        } = self;
        let entry = &mut keys[key as usize];
        let complete_ms = entry.complete_ms;
        let comes_back = entry.source == NO_SOURCE && complete_ms > f64::NEG_INFINITY;
        entry.heard_us = now_us;
        if !comes_back {
            entry.source = source;
            return;
        }
        let of = |index: u32| series[index as usize].spans.iter().filter_map(Span::group);
        for group in keys[key as usize].series.iter().copied().flat_map(of) {
            groups.before(group, complete_ms, keys, series);
        }
        keys[key as usize].source = source;
        for at in 0..keys[key as usize].series.len() {
            for group in of(keys[key as usize].series[at]) {
                groups.counts_again(group, keys, key as usize);
            }
        }
    }

    /// Index of the series of a key and a field, if it has had a reading.
    #[must_use]
    pub fn find(&self, key: u32, field: u32) -> Option<u32> {
        let series = &self.keys[key as usize].series;
        let near = &series[..series.len().min(SEARCHED_MAX)];
        let found = near
            .iter()
            .copied()
            .find(|&index| self.series[index as usize].field == field);
        found.or_else(|| {
            let further = series.len() > SEARCHED_MAX;
            further.then(|| self.wide.get(&(key, field)).copied()).flatten()
        })
    }

    /// True when a series is that of a key and a field of this name.
    #[must_use]
    pub fn is_of(&self, series: u32, key: u32, field_name: &str) -> bool {
        let of = |series: &Series| series.key == key && self.field_names.name(series.field) == field_name;
        self.series.get(series as usize).is_some_and(of)
    }

    /// Adds a reading to the windows that still take it and to the latest values. The others put it out as late.
    pub fn add(&mut self, index: u32, time: f64, value: f64, windows: &[Window], outputs: &mut Outputs) {
        let mut spans = core::mem::take(&mut self.series[index as usize].spans);
        let key_index = self.series[index as usize].key as usize;
        for span in &mut spans {
            let definition = &windows[span.window];
            let key = &mut self.keys[key_index];
            if let Some(group) = span.group() {
                let of = (&*self.keys, &*self.series, self.keys[key_index].complete_ms);
                if self.groups.accepts(group, windows, time, of) {
                    self.groups
                        .add(group, windows, (time, value), &mut self.keys, &self.series);
                    continue;
                }
            } else if span.accepts(definition, time, key.complete_ms) {
                let closes_ms = span.add(definition, time, value, key.complete_ms);
                key.closes_ms = if closes_ms < key.closes_ms {
                    closes_ms
                } else {
                    key.closes_ms
                };
                continue;
            }
            self.put_out_late(index, span, (time, value), outputs);
        }
        let series = &mut self.series[index as usize];
        series.spans = spans;
        series.set(time, value);
    }

    fn put_out_late(&mut self, series: u32, span: &Span, (time, value): (f64, f64), outputs: &mut Outputs) {
        self.counts[span.window].late += 1;
        let Series { key, field, .. } = self.series[series as usize];
        let complete_ms = match span.group() {
            Some(group) => self.groups.complete_ms(group),
            None => self.keys[key as usize].complete_ms,
        };
        let (key, field) = (self.key_names.name(key), self.field_names.name(field));
        outputs.late(Some(span.window), key, field, time, value, complete_ms);
    }

    /// Puts out a reading that no window takes.
    pub fn refuse(&mut self, index: u32, time: f64, value: f64, outputs: &mut Outputs) {
        let spans = core::mem::take(&mut self.series[index as usize].spans);
        for span in &spans {
            self.put_out_late(index, span, (time, value), outputs);
        }
        let series = &mut self.series[index as usize];
        series.spans = spans;
        if series.spans.is_empty() {
            let complete_ms = self.keys[series.key as usize].complete_ms;
            let (key, field) = (self.key_names.name(series.key), self.field_names.name(series.field));
            outputs.late(None, key, field, time, value, complete_ms);
        }
    }

    /// True when a reading comes too late: every window that could hold it has closed, or where none could, it lies behind
    /// the key's watermark.
    #[must_use]
    pub fn is_late(&mut self, series: u32, time: f64, lateness_ms: f64, windows: &[Window]) -> bool {
        let Self {
            series: all,
            keys,
            groups,
            ..
        } = self;
        let series = &all[series as usize];
        let complete_ms = keys[series.key as usize].complete_ms;
        if series.spans.is_empty() {
            return time < complete_ms - lateness_ms;
        }
        !series.spans.iter().any(|span| match span.group() {
            Some(group) => groups.accepts(group, windows, time, (keys, all, complete_ms)),
            None => span.accepts(&windows[span.window], time, complete_ms),
        })
    }

    /// Moves the time up to which a key is complete, and closes and puts out the windows it has done with.
    pub fn complete(&mut self, key: u32, complete_ms: f64, windows: &[Window], outputs: &mut Outputs) {
        let Self {
            key_names,
            field_names,
            keys,
            series,
            groups,
            counts,
            ..
        } = self;
        let before_ms = keys[key as usize].complete_ms;
        if before_ms == f64::NEG_INFINITY && !groups.is_empty() {
            for &index in &keys[key as usize].series {
                for group in series[index as usize].spans.iter().filter_map(Span::group) {
                    groups.before(group, complete_ms, keys, series);
                }
            }
        }
        let entry = &mut keys[key as usize];
        if complete_ms > before_ms {
            entry.complete_ms = complete_ms;
        }
        let is_new = before_ms == f64::NEG_INFINITY && !groups.is_empty();
        if !is_new && (entry.complete_ms < entry.closes_ms || entry.closes_ms == f64::INFINITY) {
            return;
        }
        entry.closes_ms = f64::INFINITY;
        for &index in &entry.series {
            let series = &mut series[index as usize];
            for span in &mut series.spans {
                let (window, definition) = (span.window, &windows[span.window]);
                let next = if let Some(group) = span.group() {
                    groups.passed(group, before_ms, entry.complete_ms)
                } else {
                    span.close(definition, entry.complete_ms, |frame| {
                        counts[window].results += 1;
                        let (key, field) = (key_names.name(key), field_names.name(series.field));
                        outputs.window(window, definition, key, field, frame);
                    })
                };
                entry.closes_ms = if next < entry.closes_ms { next } else { entry.closes_ms };
            }
        }
        self.close_groups(windows, outputs);
    }

    fn close_groups(&mut self, windows: &[Window], outputs: &mut Outputs) {
        let Self {
            field_names,
            keys,
            series,
            groups,
            counts,
            ..
        } = self;
        groups.close(windows, keys, series, |window, name, field, frame| {
            counts[window].results += 1;
            outputs.window(window, &windows[window], name, field_names.name(field), frame);
        });
    }

    /// Puts out what the readings just added to a key made due at once.
    pub fn put_out_due(&mut self, key: u32, windows: &[Window], outputs: &mut Outputs) {
        let entry = &self.keys[key as usize];
        if entry.closes_ms <= entry.complete_ms {
            self.complete(key, entry.complete_ms, windows, outputs);
        }
        self.close_groups(windows, outputs);
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
                if !punctuation.is_some_and(|(name, wanted)| name == field && *wanted == value) {
                    continue;
                }
                if let Some(group) = span.group() {
                    self.groups.punctuate(group);
                } else {
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
        let counts = core::mem::take(&mut self.counts);
        self.counts = windows
            .iter()
            .map(|old| old.map(|old| counts[old]).unwrap_or_default())
            .collect();
        let groups = core::mem::take(&mut self.groups);
        for index in 0..u32::try_from(self.series.len()).expect("indexes are u32") {
            let mut next = self.spans(index, &plan.windows);
            let series = &mut self.series[index as usize];
            for span in next.iter_mut().filter(|span| span.group().is_none()) {
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
        self.groups.take_over(groups, &plan.windows, windows);
        self.groups.watch_all(&plan.windows, &mut self.keys, &self.series);
    }
}
