//! How late the readings of a source come: a histogram of the delays behind the newest reading of their key, and from it
//! the time that has to be waited so that all but a share of them come in time. Old delays are forgotten, so that the
//! bound follows a network that changes.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::plan::Adaptive;

/// Four buckets to an octave: a bound is at most a fifth longer than it had to be.
const STEPS_SHIFT: u32 = 50;
const ONE: u64 = 1023 << 2;
/// Delays up to 2^33 ms, a hundred days; longer ones count there.
const BUCKETS: usize = 2 + 33 * 4;
/// Delays between two estimates; before the first the bound is what the plan begins with.
const ESTIMATE_EVERY: u32 = 64;
/// At so many delays all counts are halved: the last few thousand decide.
const HALVE_AT: u32 = 8192;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Delays {
    counts: Vec<u32>,
    total: u32,
    since: u32,
    bound_ms: f64,
}

impl Delays {
    pub(super) fn new(begin_ms: f64) -> Self {
        Self {
            counts: vec![0; BUCKETS],
            total: 0,
            since: 0,
            bound_ms: begin_ms,
        }
    }

    /// Takes note of a reading `delay_ms` older than the newest of its key; 0 for the newest.
    pub(super) fn record(&mut self, delay_ms: f64, adaptive: &Adaptive) {
        self.counts[bucket_of(delay_ms)] += 1;
        self.total += 1;
        self.since += 1;
        if self.since >= ESTIMATE_EVERY {
            self.since = 0;
            self.bound_ms = self.estimate(adaptive.quantile).min(adaptive.max_ms);
            if self.total >= HALVE_AT {
                self.counts.iter_mut().for_each(|count| *count /= 2);
                self.total = self.counts.iter().sum();
            }
        }
    }

    /// How long to wait.
    pub(super) fn bound_ms(&self) -> f64 {
        self.bound_ms
    }

    fn estimate(&self, quantile: f64) -> f64 {
        let rank = (quantile * f64::from(self.total)).ceil();
        let mut below = 0.0;
        for (bucket, &count) in self.counts.iter().enumerate() {
            below += f64::from(count);
            if below >= rank {
                return upper_ms(bucket);
            }
        }
        upper_ms(BUCKETS - 1)
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        self.counts.iter().for_each(|&count| writer.u32(count));
        writer.u32(self.since);
        writer.f64(self.bound_ms);
    }

    pub(super) fn load(reader: &mut Reader) -> Result<Self> {
        let counts: Vec<u32> = (0..BUCKETS).map(|_| reader.u32()).collect::<Result<_>>()?;
        let total: u64 = counts.iter().map(|&count| u64::from(count)).sum();
        let delays = Self {
            total: u32::try_from(total).map_err(|_| CoreError::Corrupt)?,
            counts,
            since: reader.u32()?,
            bound_ms: reader.f64()?,
        };
        let sound =
            delays.bound_ms >= 0.0 && delays.since < ESTIMATE_EVERY && total < u64::from(HALVE_AT + ESTIMATE_EVERY);
        if sound { Ok(delays) } else { Err(CoreError::Corrupt) }
    }
}

fn bucket_of(delay_ms: f64) -> usize {
    if delay_ms <= 0.0 {
        0
    } else if delay_ms < 1.0 {
        1
    } else {
        let steps = (delay_ms.to_bits() >> STEPS_SHIFT) - ONE;
        usize::try_from(steps).map_or(BUCKETS - 1, |steps| (steps + 1).min(BUCKETS - 1))
    }
}

/// What no delay in the bucket reaches, but 0 for those that are none.
fn upper_ms(bucket: usize) -> f64 {
    if bucket == 0 {
        0.0
    } else {
        f64::from_bits((ONE + bucket as u64) << STEPS_SHIFT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_covers_the_share_asked_for_and_follows_the_network() {
        let adaptive = Adaptive {
            quantile: 0.99,
            max_ms: 60_000.0,
        };
        let mut delays = Delays::new(10_000.0);
        assert_eq!(delays.bound_ms(), 10_000.0);
        for n in 0..6400_u32 {
            delays.record(f64::from(n % 100), &adaptive);
        }
        assert!((98.0..=125.0).contains(&delays.bound_ms()), "{}", delays.bound_ms());
        for _ in 0..64_000 {
            delays.record(0.0, &adaptive);
        }
        assert_eq!(delays.bound_ms(), 0.0);
        for _ in 0..640 {
            delays.record(1e12, &adaptive);
        }
        assert_eq!(delays.bound_ms(), 60_000.0);
        let mut writer = Writer::new();
        delays.save(&mut writer);
        assert_eq!(Delays::load(&mut Reader::new(writer.as_slice())), Ok(delays));
    }
}
