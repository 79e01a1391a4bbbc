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

/// One expert's record.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Record {
    /// Number of the newest row that was served without it.
    since: u64,
    /// Labels of rows served with it.
    labels: f64,
    /// Mean loss as people read it: absolute error, or the share of wrong answers.
    loss: f64,
    /// Recent mean of what it is judged by: absolute error, or log loss.
    recent: f64,
}

/// The records of all experts.
#[derive(Clone, Debug, PartialEq)]
pub struct Standings {
    records: Vec<Record>,
    /// The recent means once more, side by side.
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
            records: vec![Record::default(); experts],
            recent: vec![0.0; experts],
            labels: 0,
            leader: 0,
            leads_since: 0,
        }
    }

    /// An expert begins, or begins anew, after the row of this number.
    pub fn begin(&mut self, expert: usize, serial: u64) {
        self.recent[expert] = 0.0;
        self.records[expert] = Record {
            since: serial,
            ..Record::default()
        };
    }

    /// Counts the label of a row: what the expert lost, as people read it and as it is judged by.
    pub fn learn(&mut self, expert: usize, serial: u64, loss: f64, judged: f64) {
        let record = &mut self.records[expert];
        if serial <= record.since {
            return;
        }
        record.labels += 1.0;
        let rate = 1.0 / record.labels;
        record.loss += (loss - record.loss) * rate;
        let rate = if rate > RECENT_RATE { rate } else { RECENT_RATE };
        record.recent += (judged - record.recent) * rate;
        self.recent[expert] = record.recent;
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

    /// Labels and mean loss of an expert; NaN of what has no record, a stack.
    #[must_use]
    pub fn record(&self, expert: usize) -> (f64, f64) {
        let record = self.records.get(expert);
        record.map_or((f64::NAN, f64::NAN), |record| (record.labels, record.loss))
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
        retain(&mut self.records, kept);
        retain(&mut self.recent, kept);
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        for record in &self.records {
            writer.u64(record.since);
            save_numbers(&[record.labels, record.loss, record.recent], writer);
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
        for (record, recent) in self.records.iter_mut().zip(&mut self.recent) {
            record.since = reader.counter()?;
            let mut numbers = [0.0; 3];
            load_numbers(&mut numbers, reader)?;
            [record.labels, record.loss, record.recent] = numbers;
            *recent = record.recent;
        }
        self.labels = reader.counter()?;
        self.leader = reader.u32()?;
        self.leads_since = reader.counter()?;
        Ok(())
    }
}

/// The entries whose place is kept.
pub fn retain<T>(entries: &mut Vec<T>, kept: &[bool]) {
    let mut places = kept.iter();
    entries.retain(|_| places.next().copied().unwrap_or(true));
}
