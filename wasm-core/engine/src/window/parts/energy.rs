//! Energy of a vibration in a band of frequencies: the mean square of what of the signal lies in the band. Readings are cut
//! into segments of 128, each taken as evenly spaced between its first and last time; a segment is freed of its mean,
//! tapered by Hann's window, and its bins inside the band are added up (P. D. Welch, 1967, without overlap; bins by
//! G. Goertzel, 1958). Segments do not cross from one slice of a window to the next.

use super::{Part, number};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use core::f64::consts::TAU;

/// Readings of a segment: 64 bins up to half the rate of the readings.
const SEGMENT: usize = 128;
const SEGMENT_F: f64 = 128.0;
/// Mean square of Hann's window, 3/8: what the taper takes away.
const HANN_POWER: f64 = 0.375;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Energy {
    from_hz: f64,
    to_hz: f64,
    segments: u64,
    /// Sum over the segments.
    energy: f64,
    /// Times of the first and last reading of the segment at hand, and its readings.
    first_ms: f64,
    last_ms: f64,
    segment: Vec<f64>,
}

impl Energy {
    pub(super) fn new(from_hz: f64, to_hz: f64) -> Self {
        Self {
            from_hz,
            to_hz,
            segments: 0,
            energy: 0.0,
            first_ms: 0.0,
            last_ms: 0.0,
            segment: Vec::new(),
        }
    }

    pub(super) fn load(from_hz: f64, to_hz: f64, reader: &mut Reader) -> Result<Self> {
        let part = Self {
            from_hz,
            to_hz,
            segments: reader.counter()?,
            energy: reader.f64()?,
            first_ms: reader.f64()?,
            last_ms: reader.f64()?,
            segment: reader.f64s()?,
        };
        if part.segment.len() >= SEGMENT {
            return Err(CoreError::Corrupt);
        }
        Ok(part)
    }

    /// Mean over the segments; NaN before the first is whole.
    #[must_use]
    pub fn mean_square(&self) -> f64 {
        self.energy / number(self.segments)
    }

    /// Adds up the bins of a whole segment.
    fn finish(&mut self) {
        let passed_s = (self.last_ms - self.first_ms) / 1000.0;
        if passed_s > 0.0 {
            let mean = self.segment.iter().sum::<f64>() / SEGMENT_F;
            for (at, value) in self.segment.iter_mut().enumerate() {
                let turn = TAU * number(at as u64) / SEGMENT_F;
                *value = (*value - mean) * 0.5 * (1.0 - libm::cos(turn));
            }
            let rate_hz = (SEGMENT_F - 1.0) / passed_s;
            for bin in 1..SEGMENT / 2 {
                let bin = number(bin as u64);
                let hz = bin * rate_hz / SEGMENT_F;
                if hz >= self.from_hz && hz < self.to_hz {
                    // Both halves of the spectrum, by Parseval's theorem.
                    self.energy += 2.0 * power(&self.segment, bin) / (SEGMENT_F * SEGMENT_F * HANN_POWER);
                }
            }
            self.segments += 1;
        }
        self.segment.clear();
    }
}

/// Squared magnitude of one bin of the discrete Fourier transform.
fn power(segment: &[f64], bin: f64) -> f64 {
    let turn = 2.0 * libm::cos(TAU * bin / SEGMENT_F);
    let (mut before, mut last) = (0.0, 0.0);
    for &value in segment {
        (before, last) = (last, value + turn * last - before);
    }
    before * before + last * last - turn * before * last
}

impl Part for Energy {
    fn add(&mut self, time_ms: f64, value: f64) {
        if self.segment.is_empty() {
            self.first_ms = time_ms;
        }
        self.last_ms = time_ms;
        self.segment.push(value);
        if self.segment.len() == SEGMENT {
            self.finish();
        }
    }

    fn merge(&mut self, later: &Self) {
        self.segments += later.segments;
        self.energy += later.energy;
        self.segment.clone_from(&later.segment);
        (self.first_ms, self.last_ms) = (later.first_ms, later.last_ms);
    }

    fn save(&self, writer: &mut Writer) {
        writer.u64(self.segments);
        for value in [self.energy, self.first_ms, self.last_ms] {
            writer.f64(value);
        }
        writer.f64s(&self.segment);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_has_half_its_squared_amplitude_in_its_band_and_nothing_elsewhere() {
        let (mut inside, mut outside) = (Energy::new(20.0, 80.0), Energy::new(100.0, 400.0));
        for n in 0..1000_u32 {
            let value = 3.0 * libm::sin(TAU * 50.0 * f64::from(n) / 1000.0) + 7.0;
            inside.add(f64::from(n), value);
            outside.add(f64::from(n), value);
        }
        assert!((inside.mean_square() - 4.5).abs() < 0.05, "{}", inside.mean_square());
        assert!(outside.mean_square() < 1e-3);
    }
}
