//! Repeats by the device itself, and what is missing: the numbers that it counts up, as a sliding bitmap per stream.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::names::Names;
use crate::parts::Tracked;

/// Number streams: one per source and topic whose messages carry a device number.
const STREAMS_MAX: usize = 65_536;
/// A larger step forward is a device that counts anew, not a gap.
const GAP_MAX: u64 = 1_000_000;

/// What a device's number says about a message.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// It is new; so many numbers more are missing now (or fewer, when it fills a gap).
    New(i64),
    /// It is the first of a device that counts anew.
    Restarted,
    /// It is older than what is remembered: it may have been here or not, and is taken.
    Unknown,
    /// It was here.
    Duplicate,
}

/// The numbers seen on one stream: the highest and a bitmap of the 256 up to it.
#[derive(Clone, PartialEq)]
struct Stream {
    /// Where the counting began: numbers below were never missed.
    first: u64,
    high: u64,
    /// Bit i: `high - i` was seen.
    seen: [u64; 4],
    /// The last number that was too old for the bitmap: when its successor comes, not earlier in event time than all
    /// before, the device counts anew.
    old: u64,
    /// Latest event time of the stream.
    newest_ms: f64,
}

/// No number: they are at most 2^53.
const NOT_A_NUMBER: u64 = u64::MAX;

impl Stream {
    fn from(number: u64, newest_ms: f64) -> Self {
        Self {
            first: number,
            high: number,
            seen: [1, 0, 0, 0],
            old: NOT_A_NUMBER,
            newest_ms,
        }
    }

    fn offer(&mut self, number: u64, own_time_ms: Option<f64>) -> Verdict {
        let newer = own_time_ms.is_some_and(|time| time > self.newest_ms);
        let older = own_time_ms.is_some_and(|time| time < self.newest_ms);
        let newest_ms = if newer {
            own_time_ms.unwrap_or(self.newest_ms)
        } else {
            self.newest_ms
        };
        self.newest_ms = newest_ms;
        if number > self.high {
            let step = number - self.high;
            if step > GAP_MAX {
                *self = Self::from(number, newest_ms);
                return Verdict::Restarted;
            }
            self.shift(step);
            self.high = number;
            self.seen[0] |= 1;
            return Verdict::New(i64::try_from(step - 1).expect("at most GAP_MAX"));
        }
        let back = self.high - number;
        if back < 256 {
            let (word, bit) = ((back / 64) as usize, 1_u64 << (back % 64));
            if self.seen[word] & bit == 0 {
                self.seen[word] |= bit;
                return Verdict::New(if number < self.first { 0 } else { -1 });
            }
            if !newer {
                return Verdict::Duplicate;
            }
            // A number seen before under a later time than any before it: the device counts anew.
            *self = Self::from(number, newest_ms);
            return Verdict::Restarted;
        }
        // A device that counts anew goes on in time; old numbers under old times come from a queue somewhere, a second time.
        if !older && self.old != NOT_A_NUMBER && number == self.old + 1 {
            *self = Self::from(number, newest_ms);
            return Verdict::Restarted;
        }
        self.old = number;
        Verdict::Unknown
    }

    fn shift(&mut self, by: u64) {
        if by >= 256 {
            self.seen = [0; 4];
            return;
        }
        let (words, bits) = ((by / 64) as usize, by % 64);
        for at in (0..4).rev() {
            let whole = if at >= words { self.seen[at - words] } else { 0 };
            let below = if at > words && bits > 0 {
                self.seen[at - words - 1] >> (64 - bits)
            } else {
                0
            };
            self.seen[at] = (whole << bits) | below;
        }
    }
}

/// The numbers of every device.
#[derive(Default)]
pub struct Streams {
    names: Names,
    streams: Tracked<Stream>,
}

impl Streams {
    /// The index of a stream, if it was seen.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<u32> {
        self.names.find(name)
    }

    /// Judges a number of the stream `index` (as `find` gave it), or of a stream that is new; returns its index as well.
    /// `own_time_ms` is the event time if the device gave one.
    ///
    /// # Errors
    /// `Limit` for a new stream over the limit.
    pub fn offer(
        &mut self,
        index: Option<u32>,
        name: &str,
        number: u64,
        own_time_ms: Option<f64>,
    ) -> Result<(u32, Verdict)> {
        if let Some(index) = index {
            return Ok((index, self.streams[index as usize].offer(number, own_time_ms)));
        }
        let index = self.names.intern(name, STREAMS_MAX)?;
        self.streams
            .push(Stream::from(number, own_time_ms.unwrap_or(f64::NEG_INFINITY)));
        Ok((index, Verdict::New(0)))
    }

    /// Appends the state.
    pub fn save(&self, writer: &mut Writer) {
        self.names.save(writer);
        self.streams.save(3, writer, |stream, writer| {
            writer.u64(stream.first);
            writer.u64(stream.high);
            for &word in &stream.seen {
                writer.u64(word);
            }
            writer.u64(stream.old);
            writer.f64(stream.newest_ms);
        });
    }

    /// Takes what `save` wrote.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(reader: &mut Reader) -> Result<Self> {
        let names = Names::load(reader)?;
        let streams = (0..names.len()).map(|_| {
            let (first, high) = (reader.u64()?, reader.u64()?);
            let mut seen = [0; 4];
            for word in &mut seen {
                *word = reader.u64()?;
            }
            let (old, newest_ms) = (reader.u64()?, reader.f64()?);
            if high > MAX_NUMBER || (old > MAX_NUMBER && old != NOT_A_NUMBER) {
                return Err(CoreError::Corrupt);
            }
            Ok(Stream {
                first,
                high,
                seen,
                old,
                newest_ms,
            })
        });
        let streams = streams.collect::<Result<Vec<_>>>()?.into();
        Ok(Self { names, streams })
    }
}

/// Largest device number: beyond it binary64 skips whole numbers.
const MAX_NUMBER: u64 = 1 << 53;

/// The device number that a payload gives; `None` when it is no whole number from 0 to 2^53.
#[must_use]
pub fn device_number(found: Option<f64>) -> Option<u64> {
    #[expect(clippy::cast_precision_loss, reason = "2^53 is exact")]
    let max = MAX_NUMBER as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and in range"
    )]
    found
        .filter(|number| (0.0..=max).contains(number) && number.trunc() == *number)
        .map(|number| number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn offer(streams: &mut Streams, number: u64, time: Option<f64>) -> Verdict {
        let index = streams.find("s");
        streams.offer(index, "s", number, time).unwrap().1
    }

    #[test]
    fn numbers_seen_before_are_duplicates_and_missing_ones_are_gaps() {
        let mut streams = Streams::default();
        for (number, verdict) in [
            (10, Verdict::New(0)),
            (11, Verdict::New(0)),
            (11, Verdict::Duplicate),
            (9, Verdict::New(0)),
            (9, Verdict::Duplicate),
            (14, Verdict::New(2)),
            (12, Verdict::New(-1)),
            (12, Verdict::Duplicate),
            (300, Verdict::New(285)),
            (45, Verdict::New(-1)),
            (12, Verdict::Unknown),
            (13, Verdict::Restarted),
        ] {
            assert_eq!(offer(&mut streams, number, None), verdict, "{number}");
        }
    }

    #[test]
    fn a_device_that_counts_anew_loses_nothing() {
        let mut streams = Streams::default();
        for number in 0..1000 {
            assert_ne!(offer(&mut streams, number, None), Verdict::Duplicate);
        }
        for number in 0..1000 {
            assert_ne!(
                offer(&mut streams, number, None),
                Verdict::Duplicate,
                "{number} after a restart"
            );
        }
        let mut timed = Streams::default();
        for time in 0..40 {
            assert_ne!(
                offer(&mut timed, time % 20, Some(f64::from(u32::try_from(time).unwrap()))),
                Verdict::Duplicate
            );
        }
        assert_eq!(offer(&mut timed, 19, Some(39.0)), Verdict::Duplicate);
    }

    #[test]
    fn old_numbers_in_sequence_are_a_restart_only_when_time_goes_on() {
        let seen = || {
            let mut streams = Streams::default();
            for number in 1..=1000_u32 {
                offer(&mut streams, number.into(), Some(f64::from(number)));
            }
            streams
        };
        // A queue delivers old messages again: unknown, and the count of the device stands.
        let mut again = seen();
        for number in 100..=400_u32 {
            let verdict = offer(&mut again, number.into(), Some(f64::from(number)));
            assert_eq!(verdict, Verdict::Unknown, "{number}");
        }
        assert_eq!(offer(&mut again, 1000, Some(1000.0)), Verdict::Duplicate);
        assert_eq!(offer(&mut again, 1001, Some(1001.0)), Verdict::New(0));
        // A device that counts anew: from its second message on nothing is unknown.
        let mut anew = seen();
        assert_eq!(offer(&mut anew, 100, Some(1001.0)), Verdict::Unknown);
        assert_eq!(offer(&mut anew, 101, Some(1001.0)), Verdict::Restarted);
        assert_eq!(offer(&mut anew, 102, Some(1002.0)), Verdict::New(0));
        assert_eq!(offer(&mut anew, 101, Some(1001.0)), Verdict::Duplicate);
    }

    proptest! {
        #[test]
        fn within_the_bitmap_the_stream_is_a_set(numbers in prop::collection::vec(0_u64..200, 1..400)) {
            let mut streams = Streams::default();
            let mut seen = std::collections::BTreeSet::new();
            for number in numbers {
                let verdict = offer(&mut streams, number, None);
                prop_assert_eq!(verdict == Verdict::Duplicate, !seen.insert(number));
            }
        }

        #[test]
        fn any_numbers_are_judged_and_saved_and_loaded(numbers in prop::collection::vec(0_u64..=1 << 53, 0..50)) {
            let mut streams = Streams::default();
            for number in numbers { offer(&mut streams, number, None); }
            let mut writer = Writer::new();
            streams.save(&mut writer);
            let loaded = Streams::load(&mut Reader::new(writer.as_slice())).unwrap();
            prop_assert!(loaded.streams == streams.streams);
        }
    }
}
