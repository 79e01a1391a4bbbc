//! Time as the fold sees it: the arrival clock that only goes forward, and event times read from payloads.

use crate::codec::{Reader, Writer};
use crate::decode::Found;
use crate::error::Result;
use crate::number;
use crate::zone::Zone;

/// Latest event time and its negative the earliest: the range of JavaScript's dates, so that every time can be shown.
const TIME_MS_MAX: f64 = 8.64e15;
/// Numbers below it are seconds: as milliseconds they would be before 1973.
const SECONDS_BELOW: f64 = 1e11;
/// Numbers from here on are microseconds: as milliseconds they would be after the year 5138.
const MICROSECONDS_FROM: f64 = 1e14;
/// Numbers from here on are nanoseconds.
const NANOSECONDS_FROM: f64 = 1e17;

/// How much time has passed on arrival, whatever the wall clock did: monotonic within a boot, wall clock across boots, and
/// never backwards. A wall clock that is set forward is followed at once; one that is set back is waited for, at half pace:
/// what has no time of its own then is neither late nor all of one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clock {
    started: bool,
    boot: u32,
    mono_us: u64,
    /// Wall clock of the last block, epoch milliseconds.
    pub wall_ms: i64,
    /// Microseconds that have passed since the first block.
    pub now_us: u64,
    /// When what came with the last block counts as arrived, epoch microseconds: the wall clock, but never backwards.
    arrived_us: i64,
}

impl Clock {
    /// Moves to the clocks of a block.
    pub fn advance(&mut self, boot: u32, mono_us: u64, wall_ms: i64) {
        let mut arrived_us = wall_ms.saturating_mul(1000);
        if self.started {
            let passed = if boot == self.boot {
                mono_us.saturating_sub(self.mono_us)
            } else {
                u64::try_from(wall_ms.saturating_sub(self.wall_ms))
                    .unwrap_or(0)
                    .saturating_mul(1000)
            };
            self.now_us = self.now_us.saturating_add(passed);
            let half = i64::try_from(passed / 2).unwrap_or(i64::MAX);
            arrived_us = arrived_us.max(self.arrived_us.saturating_add(half));
        }
        *self = Self {
            started: true,
            boot,
            mono_us,
            wall_ms,
            now_us: self.now_us,
            arrived_us,
        };
    }

    /// The event time, in epoch milliseconds, of what came with the last block and has none of its own.
    #[must_use]
    pub fn arrived_ms(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "epoch milliseconds")]
        let arrived_ms = self.arrived_us.div_euclid(1000) as f64;
        arrived_ms
    }

    /// Appends the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.bool(self.started);
        writer.u32(self.boot);
        writer.u64(self.mono_us);
        writer.i64(self.wall_ms);
        writer.u64(self.now_us);
        writer.i64(self.arrived_us);
    }

    /// Takes what `save` wrote; `follows_the_wall`: as a core did that took the wall clock for the arrival, set back or not.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(follows_the_wall: bool, reader: &mut Reader) -> Result<Self> {
        let mut clock = Self {
            started: reader.bool()?,
            boot: reader.u32()?,
            mono_us: reader.u64()?,
            wall_ms: reader.i64()?,
            now_us: reader.u64()?,
            arrived_us: 0,
        };
        clock.arrived_us = if follows_the_wall {
            clock.wall_ms.saturating_mul(1000)
        } else {
            reader.i64()?
        };
        Ok(clock)
    }
}

/// The event time, in epoch milliseconds, that a payload gives: a number of seconds, milliseconds, microseconds or
/// nanoseconds, told apart by size, or text in the form of RFC 3339 (a space for the `T` and a date alone are taken too; text
/// without a zone is of `zone`, and arrived at `wall_ms`). `None` when it is none of these.
#[must_use]
pub fn event_time_ms(found: &Found, zone: &Zone, wall_ms: f64) -> Option<f64> {
    let time = match *found {
        Found::Time(time) => Some(time),
        Found::Text(text) => {
            let text = text.as_plain()?;
            rfc3339_ms(text, |local_ms| zone.utc_ms(local_ms, wall_ms))
                .or_else(|| number::whole(text).and_then(from_number))
        }
        Found::Number(_) | Found::Whole { .. } => found.number().and_then(from_number),
        Found::Absent | Found::Other | Found::Bool(_) | Found::Joined(..) | Found::Announced(_) => None,
    };
    time.filter(|time| time.abs() <= TIME_MS_MAX)
}

fn from_number(number: f64) -> Option<f64> {
    let size = number.abs();
    if !size.is_finite() {
        None
    } else if size < SECONDS_BELOW {
        Some(number * 1000.0)
    } else if size < MICROSECONDS_FROM {
        Some(number)
    } else if size < NANOSECONDS_FROM {
        Some(number / 1000.0)
    } else {
        Some(number / 1e6)
    }
}

/// Epoch milliseconds of `2026-11-21T12:43:54.123+01:00` and its shorter forms; `local` makes them of a time without a zone.
fn rfc3339_ms(text: &[u8], local: impl Fn(f64) -> f64) -> Option<f64> {
    let text = text.trim_ascii();
    let (date, rest) = text.split_at_checked(10)?;
    if date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&date[..4])?, digits(&date[5..7])?, digits(&date[8..])?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let midnight = days_from_epoch(year, month, day) * 86_400_000;
    #[expect(clippy::cast_precision_loss, reason = "four-digit years: far below 2^53 ms")]
    let midnight = midnight as f64;
    if rest.is_empty() {
        return Some(local(midnight));
    }
    let (&separator, clock) = rest.split_first()?;
    if !matches!(separator, b'T' | b't' | b' ') {
        return None;
    }
    let (hm, rest) = clock.split_at_checked(5)?;
    if hm[2] != b':' {
        return None;
    }
    let (hour, minute) = (digits(&hm[..2])?, digits(&hm[3..])?);
    let (second_ms, zone) = seconds_ms(rest)?;
    if hour > 23 || minute > 59 {
        return None;
    }
    let offset = zone_minutes(zone)?;
    #[expect(clippy::cast_precision_loss, reason = "minutes of a day and of a zone")]
    let minutes = (hour * 60 + minute - offset.unwrap_or(0)) as f64;
    let time_ms = midnight + minutes * 60_000.0 + second_ms;
    Some(if offset.is_some() { time_ms } else { local(time_ms) })
}

/// Milliseconds of `:54.123`, which may be absent, and what stands behind it.
fn seconds_ms(text: &[u8]) -> Option<(f64, &[u8])> {
    let Some(rest) = text.strip_prefix(b":") else {
        return Some((0.0, text));
    };
    let end = rest
        .iter()
        .position(|byte| !byte.is_ascii_digit() && *byte != b'.')
        .unwrap_or(rest.len());
    let (seconds, zone) = rest.split_at(end);
    let (whole, fraction) = seconds.split_at_checked(2)?;
    let whole = digits(whole)?;
    // 60: a leap second.
    if whole > 60 || !(fraction.is_empty() || fraction.len() > 1 && fraction[0] == b'.') {
        return None;
    }
    let mut ms = 0;
    let mut unit = 100_000;
    for &byte in fraction.iter().skip(1) {
        ms += digits(&[byte])? * unit;
        unit /= 10;
    }
    #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
    let (seconds, micros) = (whole as f64, ms as f64);
    Some((seconds * 1000.0 + micros / 1000.0, zone))
}

/// The offset that a zone says; `Some(None)` when there is none.
fn zone_minutes(zone: &[u8]) -> Option<Option<i64>> {
    let sign = match zone {
        b"" => return Some(None),
        b"Z" | b"z" => return Some(Some(0)),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    let (hours, minutes) = match &zone[1..] {
        [a, b] => (digits(&[*a, *b])?, 0),
        [a, b, c, d] | [a, b, b':', c, d] => (digits(&[*a, *b])?, digits(&[*c, *d])?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(Some(sign * (hours * 60 + minutes)))
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |sum, byte| {
        byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0'))
    })
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01, by counting years from March so that the leap day comes last.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month < 3 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Text;
    use proptest::prelude::*;

    fn says(bytes: &[u8]) -> Found<'_> {
        Found::Text(Text::plain(bytes))
    }

    fn event_time_ms(found: &Found) -> Option<f64> {
        super::event_time_ms(found, &Zone::default(), 0.0)
    }

    #[test]
    fn arrival_time_goes_forward_whatever_the_wall_clock_does() {
        let mut clock = Clock::default();
        for (boot, mono_us, wall_ms, now_us) in [
            (1, 500, 1000, 0),
            (1, 900, 90_000_000, 400),
            (1, 1000, 1000, 500),
            (1, 900, 1000, 500),
            (2, 0, 1001, 1500),
            (2, 10, -5, 1510),
            (3, 0, -500, 1510),
            (3, u64::MAX, 0, u64::MAX),
        ] {
            clock.advance(boot, mono_us, wall_ms);
            assert_eq!(clock.now_us, now_us);
        }
    }

    #[test]
    fn a_clock_set_forward_is_followed_and_one_set_back_is_waited_for_at_half_pace() {
        const DAY: i64 = 86_400_000;
        let mut clock = Clock::default();
        let mut arrived = |seconds: i64, wall_ms: i64| {
            clock.advance(1, u64::try_from(seconds).unwrap() * 1_000_000, wall_ms);
            #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds")]
            let arrived_ms = clock.arrived_ms() as i64;
            arrived_ms
        };
        assert_eq!(arrived(0, 0), 0);
        assert_eq!(arrived(10, 10_000), 10_000);
        assert_eq!(arrived(20, DAY + 20_000), DAY + 20_000);
        assert_eq!(arrived(30, 30_000), DAY + 25_000);
        assert_eq!(arrived(50, 50_000), DAY + 35_000);
        let met = 2 * (DAY / 1000) + 40;
        assert_eq!(arrived(met, met * 1000), met * 1000);
        assert_eq!(arrived(met + 1, met * 1000 + 1000), met * 1000 + 1000);
    }

    #[test]
    fn numbers_are_times_by_their_size() {
        for number in [1.732e9, 1.732e12, 1.732e15, 1.732e18] {
            assert_eq!(event_time_ms(&Found::Number(number)), Some(1.732e12));
        }
        assert_eq!(event_time_ms(&Found::Number(f64::INFINITY)), None);
        assert_eq!(event_time_ms(&says(b"1732000000")), Some(1.732e12));
        assert_eq!(event_time_ms(&Found::Bool(true)), None);
    }

    #[test]
    fn dates_are_read_in_their_usual_forms() {
        for (text, ms) in [
            ("1970-01-01", 0.0),
            ("1970-01-01T00:00Z", 0.0),
            ("2026-11-21T12:43:54.123Z", 1_795_265_034_123.0),
            ("2026-11-21 12:43:54.123456", 1_795_265_034_123.456),
            ("2026-11-21T13:43:54+01:00", 1_795_265_034_000.0),
            ("2026-11-21T13:43:54+0100", 1_795_265_034_000.0),
            ("2000-02-29t00:00:00z", 951_782_400_000.0),
            ("1969-12-31T23:59:59Z", -1000.0),
        ] {
            assert_eq!(event_time_ms(&says(text.as_bytes())), Some(ms), "{text}");
        }
        for text in [
            "2026-02-29",
            "2026-13-01",
            "2026-11-21T24:00",
            "2026-11-21T12:00:00.",
            "2026-11-21X",
            "21.11.2026",
            "",
        ] {
            assert_eq!(event_time_ms(&says(text.as_bytes())), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_four_hundred_years_follows_the_one_before() {
        let mut days = days_from_epoch(1800, 1, 1);
        for year in 1800..2200 {
            for month in 1..=12 {
                for day in 1..=days_in(year, month) {
                    assert_eq!(days_from_epoch(year, month, day), days);
                    days += 1;
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_time_or_not(text in prop::collection::vec(any::<u8>(), 0..40), date in "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.+Z-]{0,20}") {
            let _ = event_time_ms(&says(&text));
            let _ = event_time_ms(&says(date.as_bytes()));
        }
    }
}
