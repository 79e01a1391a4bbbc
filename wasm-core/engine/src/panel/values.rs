//! Columns with few distinct values, found online: their one-hot inputs and their memory of labels per value. During
//! the first `TYPING_ROWS` rows the distinct values of every column are collected; then it is decided once which
//! columns get one-hot inputs and which a memory. A memory that meets too many values later falls silent.
//!
//! Memory: `VALUES_MAX` values of 32 bytes per remembered column, at most `COLUMNS_MAX` columns.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

/// Rows after which columns are typed: enough to see a value repeat, few enough to help a short stream.
const TYPING_ROWS: u32 = 64;
/// Distinct values among those rows with which a column still counts as one of few values: every eighth row repeats one.
const DISTINCT_MAX: usize = 56;
/// Distinct values up to which a column also gets one-hot inputs.
const ONE_HOT_VALUES_MAX: usize = 6;
/// One-hot inputs in all: they enter a second-order expert, whose cost is their square.
const ONE_HOT_MAX: usize = 32;
/// Columns with a memory per value: two inputs each.
const COLUMNS_MAX: usize = 8;
/// Values one column's memory holds.
const VALUES_MAX: usize = 256;

#[derive(Clone, Debug, PartialEq)]
struct OneHot {
    column: u32,
    value: f64,
    frequency: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Remembered {
    value: f64,
    n: f64,
    mean: f64,
    last: f64,
}

#[derive(Clone, Debug, PartialEq)]
struct Memory {
    column: u32,
    silent: bool,
    /// Sorted by value.
    values: Vec<Remembered>,
    /// Running mean of |label - last label of the value|.
    error: f64,
    scored: f64,
}

/// One-hot inputs and label memories.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    rows: u32,
    /// Per column, how few distinct values are too few: a number with two is a line's business already, a category is not.
    /// It is not state.
    least: Vec<usize>,
    /// Per column, sorted; empty when typed.
    seen: Vec<Vec<f64>>,
    one_hot: Vec<OneHot>,
    memories: Vec<Memory>,
}

impl Values {
    /// Nothing seen of these columns, of which some are indexes of categories.
    #[must_use]
    pub fn new(categorical: &[bool]) -> Self {
        Self {
            rows: 0,
            least: categorical
                .iter()
                .map(|&categorical| if categorical { 2 } else { 3 })
                .collect(),
            seen: vec![Vec::new(); categorical.len()],
            one_hot: Vec::new(),
            memories: Vec::new(),
        }
    }

    /// Looks at a served row; true when the types have just been decided.
    pub fn observe(&mut self, x: &[f64]) -> bool {
        if self.rows < TYPING_ROWS {
            for (seen, &value) in self.seen.iter_mut().zip(x) {
                if !value.is_nan()
                    && seen.len() <= DISTINCT_MAX
                    && let Err(at) = seen.binary_search_by(|other| other.total_cmp(&value))
                {
                    seen.insert(at, value);
                }
            }
            self.rows += 1;
            if self.rows == TYPING_ROWS {
                self.decide();
                return true;
            }
        }
        for hot in &mut self.one_hot {
            let hit = f64::from(u8::from(x[hot.column as usize] == hot.value));
            hot.frequency += 0.01 * (hit - hot.frequency);
        }
        false
    }

    fn decide(&mut self) {
        let mut by_size: Vec<usize> = (0..self.seen.len()).filter(|&c| self.seen[c].len() > 1).collect();
        by_size.sort_by_key(|&column| (self.seen[column].len(), column));
        for column in by_size {
            let values = &self.seen[column];
            if values.len() > DISTINCT_MAX {
                break;
            }
            let few = values.len() >= self.least[column] && values.len() <= ONE_HOT_VALUES_MAX;
            if few && self.one_hot.len() + values.len() <= ONE_HOT_MAX {
                let frequency = 1.0 / values.len() as f64;
                self.one_hot.extend(values.iter().map(|&value| OneHot {
                    column: column as u32,
                    value,
                    frequency,
                }));
            }
            if values.len() > 2 && self.memories.len() < COLUMNS_MAX {
                let column = column as u32;
                self.memories.push(Memory {
                    column,
                    silent: false,
                    values: Vec::new(),
                    error: 0.0,
                    scored: 0.0,
                });
            }
        }
        self.seen = Vec::new();
    }

    /// True once the columns are typed.
    #[must_use]
    pub fn typed(&self) -> bool {
        self.rows == TYPING_ROWS
    }

    /// Number of one-hot inputs, 0 before the columns are typed.
    #[must_use]
    pub fn one_hot_len(&self) -> usize {
        self.one_hot.len()
    }

    /// Number of memory inputs, 0 before the columns are typed.
    #[must_use]
    pub fn memory_len(&self) -> usize {
        2 * self.memories.len()
    }

    /// Writes the one-hot inputs, then per remembered column the mean label of the row's value (shrunk by one label of
    /// the overall mean) and its last one, both against `mean` in units of 1 / `scale`.
    pub fn inputs(&self, x: &[f64], mean: f64, scale: f64, out: &mut [f64]) {
        let (hot_out, memory_out) = out.split_at_mut(self.one_hot.len());
        for (hot, out) in self.one_hot.iter().zip(hot_out) {
            *out = 2.0 * (f64::from(u8::from(x[hot.column as usize] == hot.value)) - hot.frequency);
        }
        for (memory, out) in self.memories.iter().zip(memory_out.as_chunks_mut::<2>().0) {
            *out = match memory.find(x) {
                Some(found) => {
                    let shrunk = found.n / (found.n + 1.0);
                    [(found.mean - mean) * shrunk * scale, (found.last - mean) * scale]
                }
                None => [0.0, 0.0],
            };
        }
    }

    /// The last label of the row's value in the column whose last labels have been the best guesses; NaN if none.
    #[must_use]
    pub fn best_last(&self, x: &[f64]) -> f64 {
        let mut best = f64::NAN;
        let mut least = f64::INFINITY;
        for memory in &self.memories {
            if memory.scored > 0.0
                && memory.error < least
                && let Some(found) = memory.find(x)
            {
                least = memory.error;
                best = found.last;
            }
        }
        best
    }

    /// Remembers the label of a row.
    pub fn arrived(&mut self, x: &[f64], label: f64) {
        for memory in &mut self.memories {
            memory.arrived(x[memory.column as usize], label);
        }
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.u32(self.rows);
        writer.u32(self.seen.len() as u32);
        for seen in &self.seen {
            writer.f64s(seen);
        }
        writer.u32(self.one_hot.len() as u32);
        for hot in &self.one_hot {
            writer.u32(hot.column);
            writer.f64(hot.value);
            writer.f64(hot.frequency);
        }
        writer.u32(self.memories.len() as u32);
        for memory in &self.memories {
            memory.save(writer);
        }
    }

    /// Reads what `save` wrote for the same columns.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(&mut self, reader: &mut Reader) -> Result<()> {
        let columns = self.least.len();
        let rows = reader.u32()?;
        let mut seen = Vec::new();
        for _ in 0..reader.count(4)? {
            seen.push(reader.f64s()?);
        }
        if rows > TYPING_ROWS || seen.len() != if rows < TYPING_ROWS { columns } else { 0 } {
            return Err(CoreError::Corrupt);
        }
        let column = |reader: &mut Reader| match reader.u32()? {
            column if (column as usize) < columns => Ok(column),
            _ => Err(CoreError::Corrupt),
        };
        let mut one_hot = Vec::new();
        for _ in 0..reader.count(20)? {
            one_hot.push(OneHot {
                column: column(reader)?,
                value: reader.f64()?,
                frequency: reader.f64()?,
            });
        }
        let mut memories = Vec::new();
        for _ in 0..reader.count(25)? {
            let column = column(reader)?;
            memories.push(Memory::load(column, reader)?);
        }
        if one_hot.len() > ONE_HOT_MAX || memories.len() > COLUMNS_MAX {
            return Err(CoreError::Corrupt);
        }
        (self.rows, self.seen, self.one_hot, self.memories) = (rows, seen, one_hot, memories);
        Ok(())
    }
}

impl Memory {
    fn find(&self, x: &[f64]) -> Option<&Remembered> {
        let value = x[self.column as usize];
        if self.silent || value.is_nan() {
            return None;
        }
        let at = self
            .values
            .binary_search_by(|other| other.value.total_cmp(&value))
            .ok()?;
        self.values.get(at)
    }

    fn arrived(&mut self, value: f64, label: f64) {
        if self.silent || value.is_nan() {
            return;
        }
        match self.values.binary_search_by(|other| other.value.total_cmp(&value)) {
            Ok(at) => {
                let found = &mut self.values[at];
                self.scored += 1.0;
                self.error += ((label - found.last).abs() - self.error) / self.scored;
                found.n += 1.0;
                found.mean += (label - found.mean) / found.n;
                found.last = label;
            }
            Err(at) if self.values.len() < VALUES_MAX => {
                self.values.insert(
                    at,
                    Remembered {
                        value,
                        n: 1.0,
                        mean: label,
                        last: label,
                    },
                );
            }
            Err(_) => {
                self.silent = true;
                self.values = Vec::new();
            }
        }
    }

    fn save(&self, writer: &mut Writer) {
        writer.u32(self.column);
        writer.bool(self.silent);
        writer.f64(self.error);
        writer.f64(self.scored);
        writer.u32(self.values.len() as u32);
        for remembered in &self.values {
            for number in [remembered.value, remembered.n, remembered.mean, remembered.last] {
                writer.f64(number);
            }
        }
    }

    fn load(column: u32, reader: &mut Reader) -> Result<Self> {
        let (silent, error, scored) = (reader.bool()?, reader.f64()?, reader.f64()?);
        let mut values = Vec::new();
        for _ in 0..reader.count(32)? {
            let (value, n, mean, last) = (reader.f64()?, reader.f64()?, reader.f64()?, reader.f64()?);
            values.push(Remembered { value, n, mean, last });
        }
        Ok(Self {
            column,
            silent,
            values,
            error,
            scored,
        })
    }
}
