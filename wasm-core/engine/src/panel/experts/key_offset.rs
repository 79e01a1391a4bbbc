//! What each key adds of its own: how far its labels lie from a base on average, drawn towards nothing while there are few of them.
//! Two ways: from the mean of all labels (so that it is the key's own mean), and from the nearest column or, for a forecast, from no change.
//! Keys that have much in common need no model of their own then.
//!
//! Paper: Robinson, "That BLUP is a good thing: the estimation of random effects" (1991), with a variance ratio of 1. Cost: 10
//! flops. Memory: 32 bytes per key, at most 4,096 keys.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::panel::budget::Cost;
use crate::panel::experts::{Expert, NumberExpert, NumberRow, from_base};
use crate::panel::regressor::base_name;

/// Keys beyond these have no offset.
const KEYS_MAX: usize = 4096;
/// So many labels without an offset are taken for granted.
const PRIOR_LABELS: f64 = 1.0;
/// Labels after which an offset becomes a moving average.
const MEMORY_LABELS: f64 = 200.0;

/// Offsets of keys from two bases.
#[derive(Debug)]
pub struct KeyOffset {
    bases: [usize; 2],
    residual: bool,
    /// Per key and base: labels, and their mean distance.
    keys: Vec<[[f64; 2]; 2]>,
}

impl KeyOffset {
    /// No key known; from the bases at these places.
    #[must_use]
    pub fn new(bases: [usize; 2], residual: bool) -> Self {
        Self {
            bases,
            residual,
            keys: Vec::new(),
        }
    }
}

impl Expert for KeyOffset {
    fn cost(&self, _: usize) -> Cost {
        Cost {
            ns: 25.0,
            bytes: 32.0 * self.keys.len() as f64,
        }
    }

    fn names(&self) -> Vec<String> {
        let name = |base| format!("key offset from {}", base_name(base, self.residual));
        self.bases.map(name).into()
    }

    fn width(&self) -> usize {
        2
    }

    fn save(&self, writer: &mut Writer) {
        writer.f64s(self.keys.as_flattened().as_flattened());
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        let numbers = reader.f64s()?;
        let (keys, rest) = numbers.as_chunks::<4>();
        if !rest.is_empty() || keys.len() > KEYS_MAX {
            return Err(CoreError::Corrupt);
        }
        self.keys = keys.iter().map(|&[n, one, m, other]| [[n, one], [m, other]]).collect();
        Ok(())
    }
}

impl NumberExpert for KeyOffset {
    fn predict(&mut self, row: &NumberRow, out: &mut [f64]) {
        let known = self.keys.get(row.key as usize).copied().unwrap_or_default();
        for ((out, base), [n, mean]) in out.iter_mut().zip(self.bases).zip(known) {
            *out = from_base(row.bases[base], mean * n / (n + PRIOR_LABELS), row.range);
        }
    }

    fn learn(&mut self, row: &NumberRow, label: f64, _: &[f64]) {
        let key = row.key as usize;
        if key >= KEYS_MAX {
            return;
        }
        if key >= self.keys.len() {
            self.keys.resize(key + 1, Default::default());
        }
        for (base, [n, mean]) in self.bases.into_iter().zip(&mut self.keys[key]) {
            let distance = label - row.bases[base];
            if distance.is_finite() {
                *n = if *n < MEMORY_LABELS { *n + 1.0 } else { MEMORY_LABELS };
                *mean += (distance - *mean) / *n;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::inputs::Inputs;

    #[test]
    fn a_key_has_its_mean_distance_drawn_towards_nothing() {
        let inputs = Inputs::new(vec![false], 4, false);
        let mut expert = KeyOffset::new([0, 2], false);
        let row = |key, bases: &'static [f64]| NumberRow {
            z: &[],
            x: &[],
            serial: 1,
            key,
            bases,
            range: (-1e9, 1e9),
            inputs: &inputs,
            release: None,
        };
        for label in [13.0, 15.0, 14.0] {
            expert.learn(&row(3, &[10.0, 0.0, f64::NAN]), label, &[]);
        }
        let mut out = [f64::NAN; 2];
        expert.predict(&row(3, &[10.0, 0.0, 20.0]), &mut out);
        // Three labels of 4 more than the base, and one of nothing: 3 more. No label had the other base.
        assert_eq!(out, [13.0, 20.0]);
        for other in [2, 4000, 5000, u32::MAX] {
            expert.learn(&row(u32::MAX, &[0.0, 0.0, 0.0]), 7.0, &[]);
            expert.predict(&row(other, &[10.0, 0.0, f64::NAN]), &mut out);
            assert!(out[0] == 10.0 && out[1].is_nan(), "{out:?}");
        }
        assert_eq!(expert.keys.len(), 4);
    }
}
