//! What is known of the readings of a window: the moments that every window has, and the parts that its statistics need.

use std::collections::VecDeque;

use super::definition::Window;
use super::parts::{First, PartState};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

/// Readings of one aggregate that wait until nothing can come before them; of more the earliest stops waiting.
const PENDING_MAX: usize = 65_536;

/// Count, sum and centred squares as in B. P. Welford, "Note on a Method for Calculating Corrected Sums of Squares and
/// Products", 1962, merged as in T. Chan, G. Golub, R. LeVeque, 1979; the sum with the compensation of A. Neumaier, 1974.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// Readings.
    pub count: u64,
    /// Their sum is `high + low`.
    high: f64,
    low: f64,
    m2: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// The one with the latest event time; of equal times the one that came last.
    pub last: f64,
    /// Its event time.
    pub last_time: f64,
    extra: Option<Box<Extra>>,
}

/// What only some windows keep.
#[derive(Clone, Debug, Default, PartialEq)]
struct Extra {
    /// In the order of the definition.
    parts: Vec<PartState>,
    /// Readings by event time that parts which want them in order have not had yet.
    pending: VecDeque<(f64, f64)>,
    firing: Firing,
}

/// What was put out of an open window that may be put out more than once.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Firing {
    /// Results so far: the revision of the next.
    pub results: u32,
    /// Readings in the last of them.
    pub count: u64,
    /// True once the result that was due at the end is out.
    pub on_time: bool,
    /// True when a result is due at once.
    pub now: bool,
    /// The key's time at which an early result is due; infinite when none is.
    pub early_ms: f64,
}

impl Aggregate {
    /// One reading. Those earlier than `settled_ms` can have no other before them any more.
    #[must_use]
    pub fn of(definition: &Window, time_ms: f64, value: f64, settled_ms: f64) -> Self {
        let mut aggregate = Self {
            count: 1,
            high: value,
            low: 0.0,
            m2: 0.0,
            min: value,
            max: value,
            last: value,
            last_time: time_ms,
            extra: None,
        };
        if definition.has_extra() {
            aggregate.extra = Some(Box::new(Extra {
                parts: definition.parts.iter().map(|kind| kind.empty()).collect(),
                ..Extra::default()
            }));
            aggregate.add_extra(definition, time_ms, value, settled_ms);
        }
        aggregate
    }

    /// Adds a reading.
    pub fn add(&mut self, definition: &Window, time_ms: f64, value: f64, settled_ms: f64) {
        let before = self.mean();
        self.count += 1;
        self.add_to_sum(value);
        self.min = if value < self.min { value } else { self.min };
        self.max = if value > self.max { value } else { self.max };
        // As in Welford's, with the division not waiting for the mean.
        let step = value - before;
        self.m2 += step * step * (number(self.count - 1) / number(self.count));
        if time_ms >= self.last_time {
            self.last = value;
            self.last_time = time_ms;
        }
        if self.extra.is_some() {
            self.add_extra(definition, time_ms, value, settled_ms);
        }
    }

    fn add_to_sum(&mut self, value: f64) {
        let sum = self.high + value;
        self.low += if self.high.abs() >= value.abs() {
            (self.high - sum) + value
        } else {
            (value - sum) + self.high
        };
        self.high = sum;
    }

    fn add_extra(&mut self, definition: &Window, time_ms: f64, value: f64, settled_ms: f64) {
        let Some(extra) = &mut self.extra else { return };
        for (kind, part) in definition.parts.iter().zip(&mut extra.parts) {
            if !kind.is_ordered() || !definition.is_ordered() {
                part.add(time_ms, value);
            }
        }
        if definition.is_ordered() {
            let at = extra.pending.partition_point(|&(other, _)| other <= time_ms);
            extra.pending.insert(at, (time_ms, value));
            while let Some(&(time_ms, value)) = extra.pending.front()
                && (time_ms < settled_ms || extra.pending.len() > PENDING_MAX)
            {
                extra.pending.pop_front();
                extra.settle(definition, time_ms, value);
            }
        }
    }

    /// Hands parts the readings that still waited for earlier ones.
    pub fn seal(&mut self, definition: &Window) {
        if let Some(extra) = &mut self.extra {
            while let Some((time_ms, value)) = extra.pending.pop_front() {
                extra.settle(definition, time_ms, value);
            }
        }
    }

    /// Adds the readings of `later`, which are all later where the order of readings matters.
    pub fn merge(&mut self, definition: &Window, later: &Self) {
        let step = later.mean() - self.mean();
        let (mine, theirs) = (number(self.count), number(later.count));
        self.m2 += later.m2 + step * step * mine * (theirs / (mine + theirs));
        self.count += later.count;
        self.add_to_sum(later.high);
        self.low += later.low;
        self.min = if later.min < self.min { later.min } else { self.min };
        self.max = if later.max > self.max { later.max } else { self.max };
        if later.last_time >= self.last_time {
            (self.last, self.last_time) = (later.last, later.last_time);
        }
        if let (Some(extra), Some(theirs)) = (&mut self.extra, &later.extra) {
            let settled = theirs.pending.len() as u64 != later.count;
            if definition.is_ordered() && settled {
                // What is settled in the later one is settled in all before it.
                while let Some((time_ms, value)) = extra.pending.pop_front() {
                    extra.settle(definition, time_ms, value);
                }
            }
            for (part, later) in extra.parts.iter_mut().zip(&theirs.parts) {
                part.merge(later);
            }
            extra.pending.extend(&theirs.pending);
        }
    }

    /// Mean of the readings.
    #[must_use]
    pub fn mean(&self) -> f64 {
        // Readings that are all the same have just that mean, and no deviation at all.
        if self.min == self.max {
            self.min
        } else {
            self.sum() / number(self.count)
        }
    }

    /// Sum of the readings.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.high + self.low
    }

    /// Variance of the readings (population).
    #[must_use]
    pub fn variance(&self) -> f64 {
        self.m2 / number(self.count)
    }

    /// Standard deviation of the readings (population).
    #[must_use]
    pub fn std(&self) -> f64 {
        self.variance().sqrt()
    }

    /// A part by its place in the definition.
    #[must_use]
    pub fn part(&self, place: usize) -> Option<&PartState> {
        self.extra.as_ref()?.parts.get(place)
    }

    /// What was put out of it; nothing for windows that are put out once.
    #[must_use]
    pub fn firing(&self) -> Firing {
        self.extra.as_ref().map(|extra| extra.firing).unwrap_or_default()
    }

    /// Changes what was put out of it.
    pub fn set_firing(&mut self, firing: Firing) {
        if let Some(extra) = &mut self.extra {
            extra.firing = firing;
        }
    }

    /// Appends the state.
    pub fn save(&self, definition: &Window, writer: &mut Writer) {
        writer.u64(self.count);
        for value in [
            self.high,
            self.low,
            self.m2,
            self.min,
            self.max,
            self.last,
            self.last_time,
        ] {
            writer.f64(value);
        }
        let Some(extra) = &self.extra else { return };
        extra.parts.iter().for_each(|part| part.save(writer));
        if definition.is_ordered() {
            writer.u32(u32::try_from(extra.pending.len()).expect("at most PENDING_MAX"));
            for &(time_ms, value) in &extra.pending {
                writer.f64(time_ms);
                writer.f64(value);
            }
        }
        if definition.is_revised() {
            let firing = extra.firing;
            writer.u32(firing.results);
            writer.u64(firing.count);
            writer.bool(firing.on_time);
            writer.bool(firing.now);
            writer.f64(firing.early_ms);
        }
    }

    /// Takes what a core with this version of the state wrote under the same definition; with it the event time of the first
    /// reading, where older cores always kept that.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(definition: &Window, version: u16, reader: &mut Reader) -> Result<(Self, Option<f64>)> {
        if version < 4 {
            return Ok((Self::load_v3(definition, reader)?, None));
        }
        let count = reader.counter()?;
        if count == 0 {
            return Err(CoreError::Corrupt);
        }
        let mut aggregate = Self {
            count,
            high: reader.f64()?,
            low: reader.f64()?,
            m2: reader.f64()?,
            min: reader.f64()?,
            max: reader.f64()?,
            last: reader.f64()?,
            last_time: reader.f64()?,
            extra: None,
        };
        let first_ms = if definition.led_by_first(version) {
            Some(First::load(reader)?.time_ms)
        } else {
            None
        };
        if definition.has_extra() {
            let mut extra = Extra {
                parts: definition
                    .parts
                    .iter()
                    .map(|kind| kind.load(reader))
                    .collect::<Result<_>>()?,
                ..Extra::default()
            };
            if definition.is_ordered() {
                for _ in 0..reader.count(16)? {
                    extra.pending.push_back((reader.f64()?, reader.f64()?));
                }
            }
            if definition.is_revised() {
                extra.firing = Firing {
                    results: reader.u32()?,
                    count: reader.counter()?,
                    on_time: reader.bool()?,
                    now: reader.bool()?,
                    early_ms: reader.f64()?,
                };
            }
            aggregate.extra = Some(Box::new(extra));
        }
        Ok((aggregate, first_ms))
    }

    /// Takes an aggregate of a state of version 3 or less: its sum had no compensation and it kept a mean.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    fn load_v3(definition: &Window, reader: &mut Reader) -> Result<Self> {
        let (count, sum, mean) = (reader.counter()?, reader.f64()?, reader.f64()?);
        if count == 0 || mean.is_nan() {
            return Err(CoreError::Corrupt);
        }
        let (m2, min, max) = (reader.f64()?, reader.f64()?, reader.f64()?);
        let (last, last_time) = (reader.f64()?, reader.f64()?);
        let mut aggregate = Self::of(definition, last_time, last, f64::INFINITY);
        (aggregate.count, aggregate.high, aggregate.m2) = (count, sum, m2);
        (aggregate.min, aggregate.max) = (min, max);
        Ok(aggregate)
    }
}

impl Extra {
    fn settle(&mut self, definition: &Window, time_ms: f64, value: f64) {
        for (kind, part) in definition.parts.iter().zip(&mut self.parts) {
            if kind.is_ordered() {
                part.add(time_ms, value);
            }
        }
    }
}

fn number(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let number = count as f64;
    number
}
