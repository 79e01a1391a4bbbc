//! The most frequent readings: exact as long as there are no more than 64 different ones, else each count is too large by at
//! most a 64th of all readings. A. Metwally, D. Agrawal, A. El Abbadi, "Efficient Computation of Frequent and Top-k
//! Elements in Data Streams" (Space-Saving), 2005; merged as in P. K. Agarwal et al., "Mergeable Summaries", 2012.

use super::Part;
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

/// Readings that are counted.
const COUNTERS: usize = 64;
/// Readings that a window may list.
pub const LISTED_MAX: usize = 16;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Top {
    counters: Vec<(f64, u64)>,
}

impl Top {
    pub(super) fn new() -> Self {
        Self { counters: Vec::new() }
    }

    pub(super) fn load(reader: &mut Reader) -> Result<Self> {
        let counters: Vec<(f64, u64)> = (0..reader.count(16)?)
            .map(|_| Ok((reader.f64()?, reader.counter()?)))
            .collect::<Result<_>>()?;
        if counters.len() > COUNTERS {
            return Err(CoreError::Corrupt);
        }
        Ok(Self { counters })
    }

    /// Readings with their counts, the most frequent first, of equal counts the smaller reading first.
    #[must_use]
    pub fn ranked(&self) -> Vec<(f64, u64)> {
        let mut ranked = self.counters.clone();
        ranked.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.total_cmp(&b.0)));
        ranked
    }

    fn least(&self) -> u64 {
        let full = self.counters.len() >= COUNTERS;
        let least = self.counters.iter().map(|&(_, count)| count).min();
        least.filter(|_| full).unwrap_or(0)
    }
}

impl Part for Top {
    fn add(&mut self, _time_ms: f64, value: f64) {
        // -0 and 0 are the same reading.
        let value = value + 0.0;
        if let Some((_, count)) = self.counters.iter_mut().find(|(other, _)| *other == value) {
            *count += 1;
        } else if self.counters.len() < COUNTERS {
            self.counters.push((value, 1));
        } else if let Some(least) = self.counters.iter_mut().min_by_key(|(_, count)| *count) {
            *least = (value, least.1 + 1);
        }
    }

    fn merge(&mut self, later: &Self) {
        let (mine, theirs) = (self.least(), later.least());
        for (value, count) in &mut self.counters {
            let other = later.counters.iter().find(|(other, _)| other == value);
            *count += other.map_or(theirs, |&(_, count)| count);
        }
        for &(value, count) in &later.counters {
            if !self.counters.iter().any(|&(other, _)| other == value) {
                self.counters.push((value, count + mine));
            }
        }
        if self.counters.len() > COUNTERS {
            self.counters = self.ranked();
            self.counters.truncate(COUNTERS);
        }
    }

    fn save(&self, writer: &mut Writer) {
        writer.u32(u32::try_from(self.counters.len()).expect("at most COUNTERS"));
        for &(value, count) in &self.counters {
            writer.f64(value);
            writer.u64(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_are_exact_or_too_large_by_a_64th_at_most(
            values in prop::collection::vec(0_u32..200, 1..3000), cut in 0.0..1.0_f64,
        ) {
            let of = |values: &[u32]| {
                let mut top = Top::new();
                values.iter().for_each(|&value| top.add(0.0, value.into()));
                top
            };
            let (left, right) = values.split_at((cut * values.len() as f64) as usize);
            let mut top = of(left);
            top.merge(&of(right));
            for (value, count) in top.ranked() {
                let exact = values.iter().filter(|&&other| f64::from(other) == value).count() as u64;
                prop_assert!(count >= exact && count - exact <= values.len() as u64 / 64);
            }
        }
    }
}
