//! The sequence of states: readings that differ from the one before. The last 16 are kept, and how many changes there were.

use super::Part;
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

/// States that are kept.
pub const STATES_MAX: usize = 16;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// The last states with the time of their first reading, the latest last.
    states: Vec<(f64, f64)>,
    /// The first state.
    first: f64,
    changes: u64,
}

impl Changes {
    pub(super) fn new() -> Self {
        Self {
            states: Vec::new(),
            first: f64::NAN,
            changes: 0,
        }
    }

    pub(super) fn load(reader: &mut Reader) -> Result<Self> {
        let states: Vec<(f64, f64)> = (0..reader.count(16)?)
            .map(|_| Ok((reader.f64()?, reader.f64()?)))
            .collect::<Result<_>>()?;
        if states.len() > STATES_MAX {
            return Err(CoreError::Corrupt);
        }
        Ok(Self {
            states,
            first: reader.f64()?,
            changes: reader.counter()?,
        })
    }

    /// How often the state changed.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.changes
    }

    /// The last states with the time of their first reading, the latest first.
    pub fn latest(&self) -> impl Iterator<Item = (f64, f64)> {
        self.states.iter().rev().copied()
    }

    fn push(&mut self, state: (f64, f64)) {
        if self.states.len() == STATES_MAX {
            self.states.remove(0);
        }
        self.states.push(state);
    }
}

impl Part for Changes {
    fn add(&mut self, time_ms: f64, value: f64) {
        match self.states.last() {
            Some(&(last, _)) if last == value => return,
            Some(_) => self.changes += 1,
            None => self.first = value,
        }
        self.push((value, time_ms));
    }

    fn merge(&mut self, later: &Self) {
        let Some(&(last, _)) = self.states.last() else {
            self.clone_from(later);
            return;
        };
        if later.states.is_empty() {
            return;
        }
        let goes_on = later.first == last;
        self.changes += later.changes + u64::from(!goes_on);
        // The first state of the later ones may have been pushed out already; then it is none of the last.
        let is_first = later.changes < STATES_MAX as u64;
        let skipped = usize::from(goes_on && is_first);
        later.states.iter().skip(skipped).for_each(|&state| self.push(state));
    }

    fn save(&self, writer: &mut Writer) {
        writer.u32(u32::try_from(self.states.len()).expect("at most STATES_MAX"));
        for &(value, since_ms) in &self.states {
            writer.f64(value);
            writer.f64(since_ms);
        }
        writer.f64(self.first);
        writer.u64(self.changes);
    }
}
