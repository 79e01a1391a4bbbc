//! A served row as the panel keeps it until its label comes: inputs, every expert's prediction and every mix of them.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::panel::number::ln;

/// Bounds of a saved row's vectors, far above what the panel makes.
const NUMBERS_MAX: usize = 1 << 24;

/// What was seen and served.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PanelRow {
    /// Number of the row among all served, from 1.
    pub serial: u64,
    /// Classes known when it was served; 1 for regression.
    pub outputs: usize,
    /// The inputs of the experts.
    pub inputs: Vec<f64>,
    /// Per output, the experts' predictions.
    pub predictions: Vec<f64>,
    /// Their logarithms (classes only, and where stacks need them); not saved, since they follow from the predictions.
    pub logs: Vec<f64>,
    /// Per mix, one number per output.
    pub mixes: Vec<f64>,
    /// What regression experts add their prediction to; NaN where it did not exist yet.
    pub bases: [f64; 4],
    /// What was served per output: the value, or the probability of each class.
    pub served: Vec<f64>,
    /// Label the key had last (a class index or a number); NaN if none.
    pub last: f64,
}

impl PanelRow {
    /// Numbers that it holds, or would hold with its logarithms: whether it has them depends on whether it was restored.
    #[must_use]
    pub fn numbers(&self) -> usize {
        let logs = if self.outputs > 1 { self.predictions.len() } else { 0 };
        let lists = [&self.inputs, &self.predictions, &self.mixes, &self.served];
        logs + lists.iter().map(|list| list.len()).sum::<usize>()
    }

    /// Only these experts stay.
    pub fn keep(&mut self, kept: &[bool]) {
        for numbers in [&mut self.predictions, &mut self.logs] {
            let mut place = 0;
            numbers.retain(|_| {
                place += 1;
                kept[(place - 1) % kept.len()]
            });
        }
    }

    /// Writes the row.
    pub fn save(&self, writer: &mut Writer) {
        writer.u64(self.serial);
        writer.u32(self.outputs as u32);
        for numbers in [&self.inputs, &self.predictions, &self.mixes, &self.served] {
            writer.f64s(numbers);
        }
        for &base in &self.bases {
            writer.f64(base);
        }
        writer.f64(self.last);
    }

    /// Reads what `save` wrote.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(reader: &mut Reader) -> Result<Self> {
        let serial = reader.counter()?;
        let outputs = reader.u32()? as usize;
        let (inputs, predictions, mixes, served) = (reader.f64s()?, reader.f64s()?, reader.f64s()?, reader.f64s()?);
        if outputs > NUMBERS_MAX || inputs.len() > NUMBERS_MAX || served.len() != outputs {
            return Err(CoreError::Corrupt);
        }
        let mut bases = [0.0; 4];
        for base in &mut bases {
            *base = reader.f64()?;
        }
        let logs = if outputs > 1 {
            predictions.iter().map(|&p| ln(p)).collect()
        } else {
            Vec::new()
        };
        Ok(Self {
            serial,
            outputs,
            inputs,
            predictions,
            logs,
            mixes,
            bases,
            served,
            last: reader.f64()?,
        })
    }
}

/// The inputs of a map, brought together from their two ranges.
pub fn gather<'a>(inputs: &'a [f64], ranges: [std::ops::Range<usize>; 2], scratch: &'a mut Vec<f64>) -> &'a [f64] {
    let [first, second] = ranges;
    if second.is_empty() {
        return &inputs[first];
    }
    scratch.clear();
    scratch.extend_from_slice(&inputs[first]);
    scratch.extend_from_slice(&inputs[second]);
    scratch
}
