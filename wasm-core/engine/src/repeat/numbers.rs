//! Repeats by the device itself, and what is missing: the numbers that it counts up, as a sliding bitmap per stream.

use super::counting::{Counting, Place};
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

/// What a device has counted.
#[derive(Clone, PartialEq)]
struct Stream {
    counting: Counting,
    /// Older numbers than `counting` remembers, in the order they came: a queue's, a second time, or those of a device that
    /// counts anew with its clock set back. Which of the two only time can tell; repeats among them are told all the same.
    old: Option<Box<Counting>>,
    /// The newest of them: when its successor comes, not earlier in event time than all before, the device counts anew.
    last_old: u64,
}

/// No number: they are at most 2^53.
const NOT_A_NUMBER: u64 = u64::MAX;

impl Stream {
    fn from(number: u64, own_time_ms: Option<f64>) -> Self {
        Self::with(Counting::from(number, own_time_ms, f64::NEG_INFINITY))
    }

    fn with(counting: Counting) -> Self {
        Self {
            counting,
            old: None,
            last_old: NOT_A_NUMBER,
        }
    }

    fn offer(&mut self, number: u64, own_time_ms: Option<f64>) -> Verdict {
        let Counting { first, newest_ms, .. } = self.counting;
        match self.counting.place(number, own_time_ms) {
            Place::Above(step) if step > GAP_MAX => self.restart(number, own_time_ms),
            Place::Above(step) => {
                self.counting.take(number, own_time_ms);
                Verdict::New(i64::try_from(step - 1).expect("at most GAP_MAX"))
            }
            Place::Missing => {
                self.counting.take(number, own_time_ms);
                Verdict::New(if number < first { 0 } else { -1 })
            }
            // Under a later time than any before, or another one than the first time: the device counts anew.
            Place::SeenAtAnotherTime => self.restart(number, own_time_ms),
            Place::Seen if own_time_ms.is_some_and(|time_ms| time_ms > newest_ms) => self.restart(number, own_time_ms),
            Place::Seen => Verdict::Duplicate,
            Place::Below => self.below(number, own_time_ms),
        }
    }

    /// A number that is older than what is remembered.
    fn below(&mut self, number: u64, own_time_ms: Option<f64>) -> Verdict {
        let Counting {
            first,
            first_ms,
            newest_ms,
            ..
        } = self.counting;
        // A device that counts anew goes on in time; old numbers under old times come from a queue somewhere, a second time.
        let goes_on = own_time_ms.is_none_or(|time_ms| time_ms >= newest_ms);
        if goes_on && self.last_old != NOT_A_NUMBER && number == self.last_old + 1 {
            return self.restart(number, own_time_ms);
        }
        // Nobody counted so far before the counting began.
        if number >= first && own_time_ms.is_some_and(|time_ms| time_ms < first_ms) {
            return self.restart(number, own_time_ms);
        }
        self.last_old = number;
        // Without a time a device that starts again and again with the same number would seem to repeat itself.
        if own_time_ms.is_none() {
            return Verdict::Unknown;
        }
        match &mut self.old {
            Some(old) => match old.place(number, own_time_ms) {
                Place::Seen => return Verdict::Duplicate,
                Place::Above(1..=GAP_MAX) | Place::Missing => old.take(number, own_time_ms),
                _ => **old = Counting::from(number, own_time_ms, f64::NEG_INFINITY),
            },
            None => self.old = Some(Box::new(Counting::from(number, own_time_ms, f64::NEG_INFINITY))),
        }
        Verdict::Unknown
    }

    /// The device counts anew: what was old goes on, where this is its next number.
    fn restart(&mut self, number: u64, own_time_ms: Option<f64>) -> Verdict {
        let newest_ms = self.counting.newest_ms;
        let counting = match self.old.take() {
            Some(mut old) if number == old.high + 1 => {
                old.take(number, own_time_ms);
                *old
            }
            _ => Counting::from(number, own_time_ms, newest_ms),
        };
        *self = Self::with(counting);
        Verdict::Restarted
    }

    fn save(&self, writer: &mut Writer) {
        self.counting.save(writer);
        writer.u64(self.last_old);
        writer.bool(self.old.is_some());
        if let Some(old) = &self.old {
            old.save(writer);
        }
    }

    fn load(version: u16, reader: &mut Reader) -> Result<Self> {
        let mut stream = if version < 13 {
            Self::with(Counting::load_numbers(reader)?)
        } else {
            Self::with(Counting::load(reader)?)
        };
        stream.last_old = reader.u64()?;
        if version < 13 {
            stream.counting.newest_ms = reader.f64()?;
        } else if reader.bool()? {
            stream.old = Some(Box::new(Counting::load(reader)?));
        }
        if stream.last_old > MAX_NUMBER && stream.last_old != NOT_A_NUMBER {
            return Err(CoreError::Corrupt);
        }
        Ok(stream)
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
        self.streams.push(Stream::from(number, own_time_ms));
        Ok((index, Verdict::New(0)))
    }

    /// Appends the state.
    pub fn save(&self, writer: &mut Writer) {
        self.names.save(writer);
        self.streams.save(3, writer, Stream::save);
    }

    /// Takes what `save` wrote in a state of this version.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(version: u16, reader: &mut Reader) -> Result<Self> {
        let names = Names::load(reader)?;
        let streams = (0..names.len()).map(|_| Stream::load(version, reader));
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

    #[test]
    fn a_device_whose_clock_went_back_at_its_restart_loses_nothing_and_repeats_are_told() {
        // Counted to `high` at a second each; then from 1 again, at these seconds.
        let expect = |high: u32, from_ms: f64, verdicts: &dyn Fn(u32) -> Verdict| {
            let mut streams = Streams::default();
            for number in 1..=high {
                offer(&mut streams, number.into(), Some(f64::from(number) * 1000.0));
            }
            for number in 1..=300_u32 {
                let time = Some(from_ms + f64::from(number) * 1000.0);
                assert_eq!(offer(&mut streams, number.into(), time), verdicts(number), "{number}");
                assert_eq!(offer(&mut streams, number.into(), time), Verdict::Duplicate, "{number}");
            }
        };
        let restarts = |number| match number {
            1 => Verdict::Restarted,
            _ => Verdict::New(0),
        };
        // To before it ever counted, or by a little: its numbers are remembered under other times.
        expect(200, -1e9, &restarts);
        expect(200, 500.0, &restarts);
        // Its numbers are not remembered, but nobody had counted so far then.
        expect(1000, -1e9, &restarts);
        // By a little: a queue may deliver old messages late, so it stays open who they are.
        expect(1000, 500.0, &|_| Verdict::Unknown);
    }

    #[test]
    fn a_state_without_times_of_numbers_goes_on_by_the_numbers_alone() {
        let mut writer = Writer::new();
        let mut names = Names::default();
        names.intern("s", 1).unwrap();
        names.save(&mut writer);
        for number in [1, 300, 0b101, 0, 0, 0, 7] {
            writer.u64(number);
        }
        writer.f64(300_000.0);
        let mut streams = Streams::load(12, &mut Reader::new(writer.as_slice())).unwrap();
        assert_eq!(offer(&mut streams, 298, Some(298_000.0)), Verdict::Duplicate);
        assert_eq!(offer(&mut streams, 299, Some(299_000.0)), Verdict::New(-1));
        assert_eq!(offer(&mut streams, 8, Some(8000.0)), Verdict::Unknown);
        assert_eq!(offer(&mut streams, 301, Some(301_000.0)), Verdict::New(0));
        assert_eq!(offer(&mut streams, 301, Some(1.0)), Verdict::Restarted);
    }

    #[test]
    fn what_was_open_about_old_numbers_is_settled_when_time_goes_on() {
        let mut streams = Streams::default();
        for number in 1..=1000_u32 {
            offer(&mut streams, number.into(), Some(f64::from(number)));
        }
        // It starts again with its clock behind, which is set right after the tenth message.
        for number in 1..=10 {
            assert_eq!(offer(&mut streams, number, Some(500.5)), Verdict::Unknown);
        }
        assert_eq!(offer(&mut streams, 11, Some(2000.0)), Verdict::Restarted);
        assert_eq!(offer(&mut streams, 9, Some(500.5)), Verdict::Duplicate);
        assert_eq!(offer(&mut streams, 13, Some(2002.0)), Verdict::New(1));
        // A device that never knows the time is not taken to repeat itself.
        let mut timeless = Streams::default();
        for number in 0..1000 {
            offer(&mut timeless, number, None);
        }
        for _ in 0..3 {
            assert_eq!(offer(&mut timeless, 0, None), Verdict::Unknown);
        }
        // Nor is one that does not know it yet, when it did before.
        assert_eq!(offer(&mut streams, 12, None), Verdict::New(-1));
        assert_eq!(offer(&mut streams, 11, None), Verdict::Restarted);
    }

    proptest! {
        #[test]
        fn repeats_are_told_whatever_else_comes(
            sent in prop::collection::vec((0_u64..600, 0_u32..40), 1..200),
            again in prop::collection::vec(0_usize..200, 0..200),
        ) {
            // A message that comes twice in a row is a repeat the second time.
            let mut streams = Streams::default();
            for at in again {
                let (number, time) = sent[at % sent.len()];
                offer(&mut streams, number, Some(f64::from(time)));
                prop_assert_eq!(offer(&mut streams, number, Some(f64::from(time))), Verdict::Duplicate);
            }
        }

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
        fn any_numbers_are_judged_and_saved_and_loaded(
            numbers in prop::collection::vec((0_u64..=1 << 53, prop::option::of(0.0..1e15_f64)), 0..50),
        ) {
            let mut streams = Streams::default();
            for (number, time) in numbers { offer(&mut streams, number, time); }
            let mut writer = Writer::new();
            streams.save(&mut writer);
            let loaded = Streams::load(13, &mut Reader::new(writer.as_slice())).unwrap();
            prop_assert!(loaded.streams == streams.streams);
        }
    }
}
