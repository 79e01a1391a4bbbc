//! One counting of a device: the highest number so far, which of the 256 up to it were seen, and under which event times.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::names::hash;

/// Numbers that are remembered, the highest ones.
const REMEMBERED: usize = 256;
/// Bytes of a state's flag: event times are remembered.
const TIMED: u8 = 1;

/// What is remembered of a number's event time: enough to tell another one from it.
type TimeTag = u16;
/// Not known; the number alone says who it is.
const UNKNOWN: TimeTag = 0;
/// The message had none.
const NO_TIME: TimeTag = 1;

fn tag_of(own_time_ms: Option<f64>) -> TimeTag {
    own_time_ms.map_or(NO_TIME, |time_ms| {
        #[expect(clippy::cast_possible_truncation, reason = "the low bits of a hash")]
        let low = hash(&[&time_ms.to_bits().to_le_bytes()]) as TimeTag;
        low.max(NO_TIME + 1)
    })
}

/// Where a number stands in a counting.
#[derive(Debug, PartialEq)]
pub(super) enum Place {
    /// Above the highest by so many.
    Above(u64),
    /// Among those that are remembered, and not seen.
    Missing,
    /// Seen, as far as can be told in a message of the same event time.
    Seen,
    /// Seen in a message of another event time: not the same message.
    SeenAtAnotherTime,
    /// Older than what is remembered.
    Below,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Counting {
    /// Where it began: numbers below were never missed.
    pub first: u64,
    /// Event time of that; -infinity when it had none.
    pub first_ms: f64,
    pub high: u64,
    /// Latest event time.
    pub newest_ms: f64,
    /// Bit i: `high - i` was seen.
    seen: [u64; REMEMBERED / 64],
    /// By number modulo 256; `None` before the first event time.
    times: Option<Box<[TimeTag; REMEMBERED]>>,
}

impl Counting {
    /// Begins at a number. `newest_ms` is the latest event time where this message has none.
    pub fn from(number: u64, own_time_ms: Option<f64>, newest_ms: f64) -> Self {
        let mut counting = Self {
            first: number,
            first_ms: own_time_ms.unwrap_or(f64::NEG_INFINITY),
            high: number,
            newest_ms: own_time_ms.unwrap_or(newest_ms),
            seen: [1, 0, 0, 0],
            times: None,
        };
        counting.remember(number, own_time_ms);
        counting
    }

    pub fn place(&self, number: u64, own_time_ms: Option<f64>) -> Place {
        if number > self.high {
            return Place::Above(number - self.high);
        }
        let back = self.high - number;
        if back >= REMEMBERED as u64 {
            return Place::Below;
        }
        if self.seen[(back / 64) as usize] & (1 << (back % 64)) == 0 {
            return Place::Missing;
        }
        let tag = self.times.as_ref().map_or(UNKNOWN, |times| times[slot(number)]);
        if tag == UNKNOWN || tag == tag_of(own_time_ms) {
            Place::Seen
        } else {
            Place::SeenAtAnotherTime
        }
    }

    /// Marks a number that is above the highest, or missing.
    pub fn take(&mut self, number: u64, own_time_ms: Option<f64>) {
        if number > self.high {
            self.shift(number - self.high);
            self.high = number;
        }
        let back = self.high - number;
        self.seen[(back / 64) as usize] |= 1 << (back % 64);
        self.newest_ms = own_time_ms.unwrap_or(self.newest_ms).max(self.newest_ms);
        self.remember(number, own_time_ms);
    }

    fn remember(&mut self, number: u64, own_time_ms: Option<f64>) {
        if own_time_ms.is_some() || self.times.is_some() {
            let times = self.times.get_or_insert_with(|| Box::new([UNKNOWN; REMEMBERED]));
            times[slot(number)] = tag_of(own_time_ms);
        }
    }

    fn shift(&mut self, by: u64) {
        if by >= REMEMBERED as u64 {
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

    /// Appends the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.u64(self.first);
        writer.u64(self.high);
        for &word in &self.seen {
            writer.u64(word);
        }
        writer.f64(self.newest_ms);
        writer.f64(self.first_ms);
        writer.u8(if self.times.is_some() { TIMED } else { 0 });
        for &tag in self.times.iter().flat_map(|times| times.iter()) {
            writer.u16(tag);
        }
    }

    /// Takes what `save` wrote.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(reader: &mut Reader) -> Result<Self> {
        let mut counting = Self::load_numbers(reader)?;
        counting.newest_ms = reader.f64()?;
        counting.first_ms = reader.f64()?;
        counting.times = match reader.u8()? {
            0 => None,
            TIMED => {
                let mut times = Box::new([UNKNOWN; REMEMBERED]);
                for tag in times.iter_mut() {
                    *tag = reader.u16()?;
                }
                Some(times)
            }
            _ => return Err(CoreError::Corrupt),
        };
        Ok(counting)
    }

    /// Takes the numbers, which a state of version 12 or less has alone.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load_numbers(reader: &mut Reader) -> Result<Self> {
        let (first, high) = (reader.counter()?, reader.counter()?);
        let mut seen = [0; 4];
        for word in &mut seen {
            *word = reader.u64()?;
        }
        Ok(Self {
            first,
            first_ms: f64::NEG_INFINITY,
            high,
            newest_ms: f64::NEG_INFINITY,
            seen,
            times: None,
        })
    }
}

fn slot(number: u64) -> usize {
    (number % REMEMBERED as u64) as usize
}
