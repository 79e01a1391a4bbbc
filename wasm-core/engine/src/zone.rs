//! A time zone as the plan writes it: the offsets that were or will be in force, so that the core needs no data of its own.
//! For device clocks that say a local time without a zone.

use crate::error::{CoreError, Result};
use crate::json::Value;
use crate::plan::list;

/// Changes of offset in one zone: two a year over two hundred years.
const CHANGES_MAX: usize = 400;
/// Largest offset: local time lines run from -12:00 to +14:00.
const OFFSET_MINUTES_MAX: f64 = 24.0 * 60.0;

/// A time zone; without changes it is UTC.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Zone {
    changes: Vec<Change>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Change {
    /// Since when, epoch milliseconds; the first offset also holds for all time before.
    from_ms: f64,
    offset_ms: f64,
}

impl Zone {
    /// Reads `[[from_ms,minutes],…]` of a plan's member `zone`; UTC without it.
    ///
    /// # Errors
    /// `BadPlan` for changes that are not in order, or for an offset of more than a day.
    pub fn parse(value: &Value) -> Result<Self> {
        if value.get("zone").is_none() {
            return Ok(Self::default());
        }
        let mut changes: Vec<Change> = Vec::new();
        for change in list(value, "zone", CHANGES_MAX)? {
            let Some([Value::Number(from_ms), Value::Number(minutes)]) = change.as_list() else {
                return Err(CoreError::BadPlan);
            };
            if minutes.abs() > OFFSET_MINUTES_MAX || changes.last().is_some_and(|last| last.from_ms >= *from_ms) {
                return Err(CoreError::BadPlan);
            }
            changes.push(Change {
                from_ms: *from_ms,
                offset_ms: minutes * 60_000.0,
            });
        }
        Ok(Self { changes })
    }

    /// The epoch milliseconds of a local time. Of the two times that a clock set back shows twice it is the one nearer to
    /// `wall_ms`; one that a clock set forward leaves out counts from before the change.
    #[must_use]
    pub fn utc_ms(&self, local_ms: f64, wall_ms: f64) -> f64 {
        // Offsets are at most a day, so only changes near the local time taken for UTC can matter.
        let behind = self.changes.partition_point(|change| change.from_ms <= local_ms);
        let near = behind.saturating_sub(3)..self.changes.len().min(behind + 3);
        let mut best: Option<f64> = None;
        let mut left_out = None;
        for index in near {
            let Change { from_ms, offset_ms } = self.changes[index];
            let utc_ms = local_ms - offset_ms;
            let ends_ms = self.changes.get(index + 1).map_or(f64::INFINITY, |next| next.from_ms);
            if utc_ms >= ends_ms {
                left_out = Some(utc_ms);
            } else if (index == 0 || utc_ms >= from_ms)
                && best.is_none_or(|best| (utc_ms - wall_ms).abs() < (best - wall_ms).abs())
            {
                best = Some(utc_ms);
            }
        }
        best.or(left_out).unwrap_or(local_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn zone(text: &str) -> Result<Zone> {
        Zone::parse(&json::parse(format!("{{\"zone\":{text}}}").as_bytes()).unwrap())
    }

    const HOUR: f64 = 3_600_000.0;
    /// Europe/Berlin around 2026: 29 March 01:00 UTC, 25 October 01:00 UTC.
    const BERLIN: &str = "[[1761440400000,60],[1774746000000,120],[1792890000000,60]]";

    #[test]
    fn offsets_are_those_in_force() {
        let berlin = zone(BERLIN).unwrap();
        let winter = 1_768_478_400_000.0; // 2026-01-15T12:00
        let summer = 1_784_116_800_000.0; // 2026-07-15T12:00
        assert_eq!(berlin.utc_ms(winter, 0.0).to_bits(), (winter - HOUR).to_bits());
        assert_eq!(berlin.utc_ms(summer, 0.0).to_bits(), (summer - 2.0 * HOUR).to_bits());
        assert_eq!(berlin.utc_ms(0.0, 0.0).to_bits(), (-HOUR).to_bits());
        assert_eq!(Zone::default().utc_ms(summer, 0.0).to_bits(), summer.to_bits());
    }

    #[test]
    fn a_time_shown_twice_is_the_one_near_to_arrival_and_one_left_out_counts_from_before() {
        let berlin = zone(BERLIN).unwrap();
        let twice = 1_792_890_000_000.0 + 1.5 * HOUR; // 02:30 on 25 October
        for utc in [twice - 2.0 * HOUR, twice - HOUR] {
            assert_eq!(berlin.utc_ms(twice, utc + 5000.0).to_bits(), utc.to_bits());
        }
        let left_out = 1_774_746_000_000.0 + 1.5 * HOUR; // 02:30 on 29 March
        assert_eq!(berlin.utc_ms(left_out, 0.0).to_bits(), (left_out - HOUR).to_bits());
    }

    #[test]
    fn malformed_zones_are_refused() {
        for text in ["1", "[1]", "[[1]]", "[[1,2,3]]", "[[1,60],[1,120]]", "[[0,1441]]"] {
            assert!(zone(text).is_err(), "{text}");
        }
        assert!(zone("[[0,-720]]").is_ok());
    }
}
