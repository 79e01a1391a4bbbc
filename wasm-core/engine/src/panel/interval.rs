//! An honest interval around a served number: the 5 % and 95 % quantiles of its errors, in units of the key's recent mean
//! error, followed by stochastic gradient steps on the pinball loss. No distribution is assumed.
//!
//! Paper: Gibbs & Candès, "Adaptive conformal inference under distribution shift" (2021), in its quantile-tracking form.
//! Cost: 10 flops. Memory: 16 bytes per key, at most `keys_max` keys.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::panel::linear::{load_numbers, save_numbers};
use crate::panel::number::believed;
use crate::parts::Tracked;

const LEVELS: [f64; 2] = [0.05, 0.95];
/// Step of the quantiles, in mean errors.
const STEP: f64 = 0.05;
/// Rate of the mean error.
const RATE: f64 = 0.02;
/// Where the quantiles start: those of a normal error, in mean errors.
const START: [f64; 2] = [-2.06, 2.06];

/// Quantiles of the relative error and mean errors per key; entry 0 is over all keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    keys_max: usize,
    quantiles: [f64; 2],
    /// Per key: labels, mean absolute error.
    scales: Tracked<[f64; 2]>,
}

impl Interval {
    /// No error seen.
    #[must_use]
    pub fn new(keys_max: usize) -> Self {
        Self {
            keys_max,
            quantiles: START,
            scales: vec![[0.0; 2]].into(),
        }
    }

    fn scale(&self, key: u32) -> f64 {
        match self.scales.get(key as usize + 1) {
            Some(&[n, scale]) if n >= 8.0 => scale,
            _ => self.scales[0][1],
        }
    }

    /// The interval around a value to be served.
    #[must_use]
    pub fn around(&self, key: u32, value: f64) -> (f64, f64) {
        let scale = self.scale(key);
        (value + self.quantiles[0] * scale, value + self.quantiles[1] * scale)
    }

    /// Learns the error (label minus value) of a served row.
    pub fn learn(&mut self, key: u32, error: f64) {
        let scale = self.scale(key);
        if scale > 0.0 {
            let relative = error / scale;
            for (quantile, level) in self.quantiles.iter_mut().zip(LEVELS) {
                *quantile += STEP * (level - f64::from(u8::from(relative < *quantile)));
            }
            if self.quantiles[0] > 0.0 {
                self.quantiles[0] = 0.0;
            }
            if self.quantiles[1] < 0.0 {
                self.quantiles[1] = 0.0;
            }
        }
        let entry = key as usize + 1;
        if (key as usize) < self.keys_max {
            self.scales.grow(entry + 1, || [0.0; 2]);
        }
        follow(&mut self.scales[0], error);
        if let Some(scale) = self.scales.get_mut(entry) {
            follow(scale, error);
        }
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        save_numbers(&self.quantiles, writer);
        writer.u32(u32::try_from(self.scales.len()).expect("keys are u32"));
        self.scales
            .save(11, writer, |scale, writer| save_numbers(scale, writer));
    }

    /// Reads what `save` wrote for the same number of keys at most.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(&mut self, reader: &mut Reader) -> Result<()> {
        load_numbers(&mut self.quantiles, reader)?;
        let count = reader.count(16)?;
        if count == 0 || count > self.keys_max.saturating_add(1) {
            return Err(CoreError::Corrupt);
        }
        let mut scales = vec![[0.0; 2]; count];
        load_numbers(scales.as_flattened_mut(), reader)?;
        self.scales = scales.into();
        Ok(())
    }
}

fn follow(scale: &mut [f64; 2], error: f64) {
    let [n, mean] = scale;
    *n += 1.0;
    let rate = if RATE > 1.0 / *n { RATE } else { 1.0 / *n };
    *mean += rate * (believed(error.abs(), *mean, *n) - *mean);
}
