//! Readings judged by the contracts of their fields, one against the one before of its series; what is remembered for that,
//! and what of a message broke its contract.

use super::State;
use super::message::Reading;
use crate::codec::{Reader, Writer};
use crate::decode::{Decoded, Newest, OnViolation, Violation};
use crate::error::{CoreError, Result};
use crate::parts::Tracked;

/// Before the first reading.
const NOTHING: Newest = Newest {
    value: 0.0,
    at_ms: f64::NEG_INFINITY,
    since_ms: f64::NEG_INFINITY,
    unchanged: 0,
};

/// A newest reading this much ahead of arrival makes way for the next one that is older, or a single wrong time would put an
/// end to all comparing until it has come.
const AHEAD_MS_MAX: f64 = 60_000.0;

/// What of the message at hand broke its contract. No state.
#[derive(Debug, Default)]
pub(super) struct Broken {
    /// Readings by violation.
    pub(super) counts: [u64; Violation::ALL.len()],
    /// Those that were seen before it was known whether their row has been here before, by its instance, in the order of these.
    of_rows: Vec<(usize, Violation)>,
    /// Some were left out.
    pub(super) dropped: bool,
}

impl Broken {
    /// Nothing yet.
    pub(super) fn clear(&mut self) {
        self.counts = Default::default();
        self.of_rows.clear();
        self.dropped = false;
    }

    /// The violation that is noted next is of this row.
    pub(super) fn in_row(&mut self, instance: usize, violation: Violation) {
        self.of_rows.push((instance, violation));
    }

    /// A row has been here before: its violations were counted then. Once for each row.
    pub(super) fn forget_row(&mut self, instance: usize) {
        let from = self.of_rows.partition_point(|&(of, _)| of < instance);
        for &(_, violation) in self.of_rows[from..].iter().take_while(|&&(of, _)| of == instance) {
            self.counts[violation as usize] -= 1;
        }
    }

    /// Takes note of a violation; true when the reading passes all the same.
    ///
    /// # Errors
    /// That of the violation, when the message is to be refused.
    pub(super) fn note(&mut self, violation: Violation, on_violation: OnViolation) -> Result<bool> {
        self.counts[violation as usize] += 1;
        match on_violation {
            OnViolation::Flag => Ok(true),
            OnViolation::Drop => {
                self.dropped = true;
                Ok(false)
            }
            OnViolation::Unsaid if violation == Violation::Word => Ok(false),
            OnViolation::Unsaid | OnViolation::Quarantine => Err(violation.error()),
        }
    }
}

/// The newest reading of every series, as its contract sees it.
#[derive(Default)]
pub(super) struct Watched {
    newest: Tracked<Newest>,
    /// What the message at hand has changed, to be undone when it is refused. No state.
    before: Vec<(u32, Newest)>,
}

impl Watched {
    fn newest(&self, series: u32) -> Newest {
        self.newest.get(series as usize).copied().unwrap_or(NOTHING)
    }

    fn set(&mut self, series: u32, newest: Newest) {
        self.before.push((series, self.newest(series)));
        self.newest.grow(series as usize + 1, || NOTHING);
        self.newest[series as usize] = newest;
    }

    fn undo(&mut self) {
        while let Some((series, newest)) = self.before.pop() {
            self.newest[series as usize] = newest;
        }
    }

    /// Appends the state.
    pub(super) fn save(&self, writer: &mut Writer) {
        writer.u32(u32::try_from(self.newest.len()).expect("indexes are u32"));
        self.newest.save(11, writer, |newest, writer| {
            writer.f64(newest.value);
            writer.f64(newest.at_ms);
            writer.f64(newest.since_ms);
            writer.u64(newest.unchanged);
        });
    }

    /// Takes what `save` wrote beside so many series.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub(super) fn load(series: usize, reader: &mut Reader) -> Result<Self> {
        let count = reader.count(32)?;
        let newest = (0..count).map(|_| {
            let newest = Newest {
                value: reader.f64()?,
                at_ms: reader.f64()?,
                since_ms: reader.f64()?,
                unchanged: reader.counter()?,
            };
            let sound = newest.value.is_finite() && newest.since_ms <= newest.at_ms;
            if sound { Ok(newest) } else { Err(CoreError::Corrupt) }
        });
        let newest: Vec<Newest> = newest.collect::<Result<_>>()?;
        if count > series {
            return Err(CoreError::Corrupt);
        }
        Ok(Self {
            newest: newest.into(),
            before: Vec::new(),
        })
    }
}

impl State {
    /// Judges the readings of all rows, each by the one before of its series, and leaves those out that are to be dropped.
    /// Readings that are not newer than the newest of their series say nothing about change, unless that is far in the future.
    ///
    /// # Errors
    /// That of a violation for which the message is to be refused, `NoReading` when nothing is left.
    pub(super) fn judge(&mut self, source: usize, decoded: &Decoded) -> Result<()> {
        if !self.plan.sources[source].compares_readings() {
            return Ok(());
        }
        self.watched.before.clear();
        let mut kept = 0;
        for index in 0..self.rows.len() {
            let (from, to, time_ms) = (self.rows[index].from, self.rows[index].to, self.rows[index].time_ms);
            self.rows[index].from = kept;
            let mut left_out = false;
            for at in from..to {
                let reading = self.readings[at];
                // The quality of a reading stands behind it and shares its fate.
                left_out = if reading.is_quality {
                    left_out
                } else {
                    match self.judge_reading(source, &reading, time_ms) {
                        Ok(quality) => {
                            if let (Some(quality), Some(next)) = (quality, self.readings[..to].get_mut(at + 1))
                                && next.is_quality
                                && next.value == 0.0
                            {
                                next.value = quality.quality();
                            }
                            false
                        }
                        Err(None) => true,
                        Err(Some(error)) => {
                            self.watched.undo();
                            let mapping = &self.plan.sources[source].mapping;
                            let (rows, field) = (&decoded.rows, usize::from(reading.field));
                            let instance = self.rows[index].instance;
                            rows.append_pointer(&mapping.selection, instance, field, &mut self.bad_path);
                            return Err(error);
                        }
                    }
                };
                if !left_out {
                    self.readings[kept] = self.readings[at];
                    kept += 1;
                }
            }
            self.rows[index].to = kept;
        }
        self.rows.retain(|row| row.from < row.to);
        if self.rows.is_empty() {
            Err(CoreError::NoReading)
        } else {
            Ok(())
        }
    }

    /// What is wrong about a reading that passes; an error without a code leaves it out.
    fn judge_reading(
        &mut self,
        source: usize,
        reading: &Reading,
        time_ms: f64,
    ) -> core::result::Result<Option<Violation>, Option<CoreError>> {
        let field = &self.plan.sources[source].fields[usize::from(reading.field)];
        let Some(sense) = field.sense.as_ref().filter(|sense| sense.compares()) else {
            return Ok(None);
        };
        let mut before = self.watched.newest(reading.place);
        if time_ms <= before.at_ms {
            if before.at_ms <= self.clock.arrived_ms() + AHEAD_MS_MAX {
                return Ok(None);
            }
            before = NOTHING;
        }
        let (violation, newest) = sense.compare(&before, time_ms, reading.value);
        if let Some(violation) = violation
            && !self.broken.note(violation, sense.on_violation).map_err(Some)?
        {
            return Err(None);
        }
        self.watched.set(reading.place, newest);
        Ok(violation)
    }
}
