//! How the experts of a panel have done, each over the labels of rows that it was asked about, and which one leads.
//!
//! Cost: 4 flops per expert and label. Memory: 32 bytes per expert.

use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::linear::{load_numbers, save_numbers};

/// Slowest rate of the recent means.
const RECENT_RATE: f64 = 0.01;
/// Labels from one look at who leads to the next.
const LOOK: u64 = 16;

/// The records of all experts, each kind of number side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Standings {
    /// Number of the newest row that was served without the expert, and the greatest of these.
    since: Vec<u64>,
    newest: u64,
    /// Labels of rows served with it.
    counts: Vec<f64>,
    /// Mean loss as people read it: absolute error, or the share of wrong answers.
    losses: Vec<f64>,
    /// Recent mean of what it is judged by: absolute error, or log loss.
    recent: Vec<f64>,
    labels: u64,
    leader: u32,
    leads_since: u64,
}

impl Standings {
    /// Nobody has been asked.
    #[must_use]
    pub fn new(experts: usize) -> Self {
        Self {
            since: vec![0; experts],
            newest: 0,
            counts: vec![0.0; experts],
            losses: vec![0.0; experts],
            recent: vec![0.0; experts],
            labels: 0,
            leader: 0,
            leads_since: 0,
        }
    }

    /// An expert begins, or begins anew, after the row of this number.
    pub fn begin(&mut self, expert: usize, serial: u64) {
        self.since[expert] = serial;
        self.newest = self.newest.max(serial);
        for numbers in [&mut self.counts, &mut self.losses, &mut self.recent] {
            numbers[expert] = 0.0;
        }
    }

    /// Counts the label of a row: per expert what it lost, as people read it and as it is judged by.
    pub fn learn(&mut self, serial: u64, losses: &[f64], judged: &[f64]) {
        if serial > self.newest {
            // All were asked: no branch keeps this from becoming SIMD.
            for (count, (known, loss)) in self.counts.iter_mut().zip(self.losses.iter_mut().zip(losses)) {
                *count += 1.0;
                *known += (loss - *known) * (1.0 / *count);
            }
            for (count, (known, judged)) in self.counts.iter().zip(self.recent.iter_mut().zip(judged)) {
                *known += (judged - *known) * recent_rate(*count);
            }
            return;
        }
        for expert in 0..self.since.len() {
            if serial > self.since[expert] {
                let count = self.counts[expert] + 1.0;
                self.counts[expert] = count;
                self.losses[expert] += (losses[expert] - self.losses[expert]) * (1.0 / count);
                self.recent[expert] += (judged[expert] - self.recent[expert]) * recent_rate(count);
            }
        }
    }

    /// A label has come; looks now and then who leads by the weights of today.
    pub fn look(&mut self, weights: impl Iterator<Item = f64>) {
        self.labels += 1;
        if !self.labels.is_multiple_of(LOOK) {
            return;
        }
        let (mut leader, mut most) = (self.leader, 0.0);
        for (place, weight) in weights.enumerate() {
            if weight > most {
                (leader, most) = (place as u32, weight);
            }
        }
        if leader != self.leader {
            self.leader = leader;
            self.leads_since = self.labels;
        }
    }

    /// Place of the leader among the weights, and the label since which it leads, of how many.
    #[must_use]
    pub fn leader(&self) -> (usize, u64, u64) {
        (self.leader as usize, self.leads_since, self.labels)
    }

    /// Recent means of what the experts are judged by.
    #[must_use]
    pub fn recent(&self) -> &[f64] {
        &self.recent
    }

    /// Labels of each expert.
    #[must_use]
    pub fn labels(&self) -> &[f64] {
        &self.counts
    }

    /// Labels and mean loss of an expert; NaN of what has no record, a stack.
    #[must_use]
    pub fn record(&self, expert: usize) -> (f64, f64) {
        let records = self.counts.get(expert).zip(self.losses.get(expert));
        records.map_or((f64::NAN, f64::NAN), |(&labels, &loss)| (labels, loss))
    }

    /// Only these experts stay.
    pub fn keep(&mut self, kept: &[bool]) {
        let leader = self.leader as usize;
        let leader_stays = kept.get(leader).is_none_or(|&kept| kept);
        let gone = kept.iter().take(leader).filter(|&&kept| !kept).count();
        self.leader = (leader - gone) as u32;
        if !leader_stays {
            (self.leader, self.leads_since) = (0, self.labels);
        }
        retain(&mut self.since, kept);
        for numbers in [&mut self.counts, &mut self.losses, &mut self.recent] {
            retain(numbers, kept);
        }
        self.newest = self.since.iter().copied().max().unwrap_or(0);
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        for (expert, &since) in self.since.iter().enumerate() {
            writer.u64(since);
            save_numbers(&[self.counts[expert], self.losses[expert], self.recent[expert]], writer);
        }
        writer.u64(self.labels);
        writer.u32(self.leader);
        writer.u64(self.leads_since);
    }

    /// Reads what `save` wrote for as many experts.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn load(&mut self, reader: &mut Reader) -> Result<()> {
        for expert in 0..self.since.len() {
            self.since[expert] = reader.counter()?;
            let mut numbers = [0.0; 3];
            load_numbers(&mut numbers, reader)?;
            [self.counts[expert], self.losses[expert], self.recent[expert]] = numbers;
        }
        self.newest = self.since.iter().copied().max().unwrap_or(0);
        self.labels = reader.counter()?;
        self.leader = reader.u32()?;
        self.leads_since = reader.counter()?;
        Ok(())
    }
}

/// The rate of the recent mean with so many labels.
#[inline]
fn recent_rate(labels: f64) -> f64 {
    let rate = 1.0 / labels;
    if rate > RECENT_RATE { rate } else { RECENT_RATE }
}

/// The entries whose place is kept.
pub fn retain<T>(entries: &mut Vec<T>, kept: &[bool]) {
    let mut places = kept.iter();
    entries.retain(|_| places.next().copied().unwrap_or(true));
}
