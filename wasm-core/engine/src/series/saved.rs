//! Keys and series as a checkpoint holds them.

use super::{Key, NO_SOURCE, Series, Table};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::names::Names;
use crate::plan::Plan;
use crate::window::{Span, Window};

impl Table {
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
        self.groups.save(windows, writer);
        for counts in &self.counts {
            writer.u64(counts.results);
            writer.u64(counts.late);
        }
    }

    /// Takes what a core with this version of the state wrote under the same plan.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(plan: &Plan, version: u16, reader: &mut Reader) -> Result<Self> {
        let mut table = Self {
            key_names: Names::load(reader)?,
            field_names: Names::load(reader)?,
            ..Self::new(plan)
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
            table.series.push(Series {
                key,
                field,
                last,
                last_ms,
                previous,
                previous_ms,
                spans: Vec::new(),
            });
            let index = u32::try_from(index).map_err(|_| CoreError::Corrupt)?;
            table.enlist(key, field, index);
            let mut spans = table.spans(index, &plan.windows);
            for span in spans.iter_mut().filter(|span| span.group().is_none()) {
                *span = Span::load(span.window, &plan.windows[span.window], version, reader)?;
            }
            table.series[index as usize].spans = spans;
        }
        if version >= 7 {
            let Self {
                groups,
                keys,
                series,
                counts,
                ..
            } = &mut table;
            groups.load((&plan.windows, version), keys, series, reader)?;
            for counts in counts {
                (counts.results, counts.late) = (reader.counter()?, reader.counter()?);
            }
        }
        Ok(table)
    }
}
