//! What is remembered per key: short and long means of every column, and the labels that have arrived. A table of
//! one row per key, grown when a key is first seen and never beyond `keys_max` rows; keys beyond it have no memory.
//!
//! Memory per key: 8 (columns · contexts + 6) bytes.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::panel::linear::{load_numbers, save_numbers};
use crate::parts::Tracked;

/// Rates of the label averages.
const LABEL_RATES: [f64; 2] = [0.2, 0.02];
const HEAD: usize = 6;

/// The table: rows by key. A row is: served rows, labels, last label, the one before, two label averages; then per context (the
/// previous value, then the averages) one number per column, NaN until the column had a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Keys {
    columns: usize,
    contexts: usize,
    keys_max: usize,
    table: Tracked<Box<[f64]>>,
}

impl Keys {
    /// No key seen; `contexts` numbers are kept per column, at least 1 (the previous value).
    #[must_use]
    pub fn new(columns: usize, contexts: usize, keys_max: usize) -> Self {
        Self {
            columns,
            contexts,
            keys_max,
            table: Tracked::default(),
        }
    }

    fn stride(&self) -> usize {
        HEAD + self.columns * self.contexts
    }

    /// The row of a key, made when it is new; none for keys beyond the limit.
    pub fn entry(&mut self, key: u32) -> Option<&mut [f64]> {
        let key = key as usize;
        if key >= self.keys_max {
            return None;
        }
        let stride = self.stride();
        self.table.grow(key + 1, || {
            let mut row = vec![f64::NAN; stride].into_boxed_slice();
            row[..HEAD].fill(0.0);
            row
        });
        Some(&mut self.table[key])
    }

    /// The row of a key that has been seen.
    #[must_use]
    pub fn get(&self, key: u32) -> Option<&[f64]> {
        self.table.get(key as usize).map(|row| &**row)
    }

    /// The labels of a key: how many, the last, the one before, short and long average.
    #[must_use]
    pub fn labels(&self, key: u32) -> [f64; 5] {
        self.get(key)
            .map_or([0.0; 5], |row| [row[1], row[2], row[3], row[4], row[5]])
    }

    /// A label of a key has arrived.
    pub fn arrived(&mut self, key: u32, label: f64) {
        if let Some(row) = self.entry(key) {
            row[1] += 1.0;
            row[3] = if row[1] > 1.0 { row[2] } else { label };
            row[2] = label;
            for (place, rate) in LABEL_RATES.into_iter().enumerate() {
                let rate = if rate > 1.0 / row[1] { rate } else { 1.0 / row[1] };
                row[4 + place] += rate * (label - row[4 + place]);
            }
        }
    }

    /// Counts a served row of a key and returns the count and its contexts.
    pub fn served(&mut self, key: u32) -> Option<(f64, &mut [f64])> {
        let row = self.entry(key)?;
        row[0] += 1.0;
        let (head, contexts) = row.split_at_mut(HEAD);
        Some((head[0], contexts))
    }

    /// Writes the table.
    pub fn save(&self, writer: &mut Writer) {
        writer.u32(u32::try_from(self.table.len()).expect("keys are u32"));
        self.table.save(10, writer, |row, writer| save_numbers(row, writer));
    }

    /// Reads what `save` wrote into a table of the same shape.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(&mut self, reader: &mut Reader) -> Result<()> {
        let keys = reader.count(8 * self.stride())?;
        if keys > self.keys_max {
            return Err(CoreError::Corrupt);
        }
        self.table.clear();
        for _ in 0..keys {
            let mut row = vec![0.0; self.stride()].into_boxed_slice();
            load_numbers(&mut row, reader)?;
            self.table.push(row);
        }
        Ok(())
    }
}
