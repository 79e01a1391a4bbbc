//! Whether what was said about certainty is true: of classes how often the answer was right at each probability it was given,
//! of numbers how often the label was within the interval, and how good the interval's two ends are as quantiles.
//!
//! Papers: Guo et al., "On calibration of modern neural networks" (2017) for the expected calibration error; Koenker &
//! Bassett, "Regression quantiles" (1978) for the pinball loss. Memory: 30 numbers.

/// Bins of the served class's probability, of equal width.
pub(super) const BINS: usize = 10;
/// The quantiles that the ends of an interval stand for.
const LEVELS: [f64; 2] = [0.05, 0.95];

/// One bin of probabilities.
#[derive(Clone, Copy, Default)]
pub(super) struct Bin {
    pub(super) rows: f64,
    /// Sums of the probabilities that were served, and of right answers.
    probability: f64,
    right: f64,
}

impl Bin {
    /// Mean probability served and share of right answers; NaN without rows.
    pub(super) fn means(self) -> (f64, f64) {
        (self.probability / self.rows, self.right / self.rows)
    }
}

/// How often the served class was right, by its probability.
#[derive(Default)]
pub(super) struct Reliability {
    pub(super) bins: [Bin; BINS],
}

impl Reliability {
    /// Counts an answer that was given this probability.
    pub(super) fn add(&mut self, probability: f64, right: bool) {
        let place = (probability * BINS as f64) as usize;
        let bin = &mut self.bins[if place < BINS { place } else { BINS - 1 }];
        bin.rows += 1.0;
        bin.probability += probability;
        bin.right += f64::from(u8::from(right));
    }

    /// Expected calibration error: mean distance of probability and share of right answers over the bins, by their rows;
    /// NaN without rows.
    pub(super) fn error(&self) -> f64 {
        let distance = |bin: &Bin| (bin.probability - bin.right).abs();
        let rows: f64 = self.bins.iter().map(|bin| bin.rows).sum();
        self.bins.iter().map(distance).sum::<f64>() / rows
    }
}

/// How often a label was within the interval that was served, and what that took.
#[derive(Default)]
pub(super) struct Coverage {
    rows: f64,
    within: f64,
    width: f64,
    pinball: f64,
}

impl Coverage {
    /// Counts a label and the interval that was served for it.
    pub(super) fn add(&mut self, label: f64, interval: (f64, f64)) {
        self.rows += 1.0;
        self.within += f64::from(u8::from(interval.0 <= label && label <= interval.1));
        self.width += interval.1 - interval.0;
        for (level, quantile) in LEVELS.into_iter().zip([interval.0, interval.1]) {
            let miss = label - quantile;
            self.pinball += miss * if miss > 0.0 { level } else { level - 1.0 } / LEVELS.len() as f64;
        }
    }

    /// Share of labels within the interval, its mean width, mean pinball loss of its two ends; NaN without rows.
    pub(super) fn means(&self) -> [f64; 3] {
        [self.within, self.width, self.pinball].map(|sum| sum / self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_are_as_often_right_as_they_say_have_no_calibration_error() {
        let mut reliability = Reliability::default();
        for place in 0..40 {
            reliability.add(0.75, place % 4 != 0);
            reliability.add(1.0, true);
        }
        assert_eq!(reliability.error(), 0.0);
        assert_eq!(reliability.bins[7].means(), (0.75, 0.75));
        for _ in 0..20 {
            reliability.add(0.95, false);
        }
        assert!((reliability.error() - 0.19).abs() < 1e-12);
    }

    #[test]
    fn an_interval_is_paid_by_its_width_and_by_what_it_misses() {
        let mut coverage = Coverage::default();
        coverage.add(5.0, (0.0, 10.0));
        coverage.add(12.0, (0.0, 10.0));
        let [within, width, pinball] = coverage.means();
        assert_eq!((within, width), (0.5, 10.0));
        // (0.05 · 5 + 0.05 · 5 + 0.05 · 12 + 0.95 · 2) / 2 labels / 2 ends
        assert!((pinball - 0.75).abs() < 1e-12);
    }
}
