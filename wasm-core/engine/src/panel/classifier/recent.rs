//! The newest labelled rows of a panel for classes. A model that comes from outside is asked about them before it has a say
//! here: it enters with the weight that it would have earned on them, neither with an equal share, which one bad release
//! would take from all others, nor with none, so that a good one helps from the first row on.
//!
//! Memory: at most `ROWS_MAX` rows and `NUMBERS_MAX` numbers.

use super::mixing::LANE_COUNT;
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::parts::Tracked;

/// Rows kept: by as many, fixed share has forgotten what it knew when the world was another one.
const ROWS_MAX: usize = 128;
/// Features kept, over all rows.
const NUMBERS_MAX: usize = 65_536;

/// One labelled row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Seen {
    /// The raw features; NaN is missing.
    pub(super) x: Vec<f64>,
    /// Its class.
    pub(super) class: u32,
    /// Per lane the likelihood of the class, to the power of the lane's rate, by all that does not come from the fleet.
    pub(super) others: [f64; LANE_COUNT],
}

/// A ring of labelled rows.
#[derive(Debug)]
pub(super) struct Recent {
    rows_max: usize,
    rows: Tracked<Seen>,
    /// Where the next row goes: the oldest one's place once the ring is full.
    next: usize,
}

impl Recent {
    /// No rows yet, of `d` features.
    pub(super) fn new(d: usize) -> Self {
        Self {
            rows_max: (NUMBERS_MAX / d.max(1)).clamp(1, ROWS_MAX),
            rows: Tracked::default(),
            next: 0,
        }
    }

    /// Keeps a row in place of the oldest one.
    pub(super) fn push(&mut self, x: &[f64], class: usize, others: [f64; LANE_COUNT]) {
        if self.rows.len() <= self.next {
            self.rows.push(Seen::default());
        }
        let seen = &mut self.rows[self.next];
        seen.x.clear();
        seen.x.extend_from_slice(x);
        seen.class = class as u32;
        seen.others = others;
        self.next = (self.next + 1) % self.rows_max;
    }

    /// The rows, the oldest first.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Seen> {
        let oldest = if self.rows.len() < self.rows_max { 0 } else { self.next };
        self.rows[oldest..].iter().chain(&self.rows[..oldest])
    }

    /// The weights in a lane that newcomers would have by now, had each begun with an equal share, `begin`, before the oldest
    /// row. `said`: per row and newcomer the likelihood of the class, to the power of the lane's rate. Whoever was there
    /// counts as one, since the newcomers change nothing among those.
    pub(super) fn earned(&self, said: &[f64], newcomers: usize, (lane, share): (usize, f64), begin: f64) -> Vec<f64> {
        let mut weights = vec![begin; newcomers];
        let mut rest = 1.0 - begin * newcomers as f64;
        for (seen, said) in self.rows().zip(said.chunks_exact(newcomers)) {
            rest *= seen.others[lane];
            let mut sum = rest;
            for (weight, said) in weights.iter_mut().zip(said) {
                *weight *= said;
                sum += *weight;
            }
            let scale = if sum > 0.0 { (1.0 - share) / sum } else { 0.0 };
            rest = rest * scale + share * (1.0 - begin * newcomers as f64);
            for weight in &mut weights {
                *weight = *weight * scale + share * begin;
            }
        }
        weights
    }

    /// Writes the rows.
    pub(super) fn save(&self, writer: &mut Writer) {
        writer.u32(self.next as u32);
        writer.u32(self.rows.len() as u32);
        self.rows.save(12, writer, |seen, writer| {
            writer.f64s(&seen.x);
            writer.u32(seen.class);
            for &likelihood in &seen.others {
                writer.f64(likelihood);
            }
        });
    }

    /// Reads what `save` wrote, of rows of `d` features in `classes` classes.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub(super) fn load(&mut self, d: usize, classes: usize, reader: &mut Reader) -> Result<()> {
        self.next = reader.u32()? as usize;
        self.rows = Tracked::default();
        for _ in 0..reader.count(8 + 8 * LANE_COUNT)? {
            let mut seen = Seen {
                x: reader.f64s()?,
                class: reader.u32()?,
                ..Seen::default()
            };
            for likelihood in &mut seen.others {
                *likelihood = reader.f64()?;
            }
            let known = seen.x.len() == d && (seen.class as usize) < classes;
            if !known || seen.others.iter().any(|likelihood| !(0.0..=1.001).contains(likelihood)) {
                return Err(CoreError::Corrupt);
            }
            self.rows.push(seen);
        }
        let full = self.rows.len() == self.rows_max;
        let sound = if full {
            self.next < self.rows_max
        } else {
            self.next == self.rows.len()
        };
        if sound && self.rows.len() <= self.rows_max {
            Ok(())
        } else {
            Err(CoreError::Corrupt)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(rows: usize) -> Recent {
        let mut recent = Recent::new(1);
        for row in 0..rows {
            recent.push(&[row as f64], row % 2, [0.5; LANE_COUNT]);
        }
        recent
    }

    #[test]
    fn newcomers_enter_with_what_they_would_have_earned() {
        let recent = filled(60);
        let said: Vec<f64> = recent.rows().flat_map(|_| [0.9, 0.5, 0.1]).collect();
        let [right, equal, wrong] = recent.earned(&said, 3, (0, 1e-3), 0.05)[..] else {
            panic!("one weight for each of three");
        };
        assert!(right > 0.99 && right < 1.0, "{right}");
        assert!(equal < 1e-3 && wrong < 1e-4, "{equal} {wrong}");
        assert!(wrong > 0.0, "fixed share leaves everybody a way back");
    }

    #[test]
    fn without_rows_newcomers_have_an_equal_share() {
        assert_eq!(Recent::new(3).earned(&[], 2, (0, 1e-3), 0.1), [0.1, 0.1]);
    }

    #[test]
    fn the_oldest_row_makes_way_and_what_was_saved_comes_back() {
        for rows in [0, 5, ROWS_MAX, ROWS_MAX + 3, 3 * ROWS_MAX] {
            let recent = filled(rows);
            let kept = rows.min(ROWS_MAX);
            let oldest = recent.rows().next().map(|seen| seen.x[0]);
            assert_eq!(oldest, (rows > 0).then_some((rows - kept) as f64));
            assert_eq!(recent.rows().count(), kept);
            let mut writer = Writer::new();
            recent.save(&mut writer);
            let bytes = writer.into_vec();
            let mut again = Recent::new(1);
            again.load(1, 2, &mut Reader::new(&bytes)).expect("it was saved");
            assert!(again.rows().eq(recent.rows()));
            for cut in 0..bytes.len() {
                assert!(Recent::new(1).load(1, 2, &mut Reader::new(&bytes[..cut])).is_err());
            }
            let classes = Recent::new(1).load(1, 1, &mut Reader::new(&bytes));
            assert_eq!(classes.is_err(), rows > 1, "a class that is not known");
        }
    }
}
