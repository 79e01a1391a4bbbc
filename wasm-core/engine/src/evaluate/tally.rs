//! What an evaluation counts: errors and losses of every scored row, and which class was taken for which.

use super::CONFUSION_CLASSES_MAX;
use super::calibration::{Coverage, Reliability};
use crate::codec::Writer;
use crate::learner::Score;

/// The sums over the rows so far.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) rows: u64,
    pub(super) scored: u64,
    pub(super) matured: u64,
    pub(super) error_sum: f64,
    pub(super) square_sum: f64,
    pub(super) baseline_sum: f64,
    pub(super) log_loss_sum: f64,
    pub(super) label_mean: f64,
    pub(super) label_m2: f64,
    pub(super) confusion: Vec<u64>,
    pub(super) per_key_rows: Vec<u64>,
    pub(super) reliability: Reliability,
    pub(super) coverage: Coverage,
}

/// A scored row: a number with the interval that was served, or a class with the class that was served, its probability and
/// that of the true one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Number {
        label: f64,
        interval: (f64, f64),
    },
    Class {
        truth: usize,
        served: usize,
        confidence: f64,
        probability: f64,
    },
}

impl Tally {
    /// Counts a row as it was served.
    pub(super) fn add(&mut self, score: Score, answer: Answer) {
        self.scored += 1;
        self.error_sum += score.error;
        self.square_sum += score.error * score.error;
        self.baseline_sum += score.baseline_error;
        match answer {
            Answer::Class {
                truth,
                served,
                confidence,
                probability,
            } => {
                self.reliability.add(confidence, served == truth);
                let held = if probability > 1e-15 { probability } else { 1e-15 };
                self.log_loss_sum -= libm::log(held);
                if truth < CONFUSION_CLASSES_MAX && served < CONFUSION_CLASSES_MAX {
                    if self.confusion.is_empty() {
                        self.confusion.resize(CONFUSION_CLASSES_MAX * CONFUSION_CLASSES_MAX, 0);
                    }
                    self.confusion[truth * CONFUSION_CLASSES_MAX + served] += 1;
                }
            }
            Answer::Number { label, interval } => {
                self.coverage.add(label, interval);
                let step = label - self.label_mean;
                self.label_mean += step / self.scored as f64;
                self.label_m2 += step * (label - self.label_mean);
            }
        }
    }

    /// Cohen's kappa over the confusion matrix; NaN when chance explains all.
    pub(super) fn kappa(&self, classes: usize) -> f64 {
        if classes > CONFUSION_CLASSES_MAX || self.confusion.is_empty() {
            return f64::NAN;
        }
        let at = |truth: usize, served: usize| self.confusion[truth * CONFUSION_CLASSES_MAX + served] as f64;
        let n = self.scored as f64;
        let mut agreed = 0.0;
        let mut chance = 0.0;
        for class in 0..classes {
            agreed += at(class, class);
            let truths: f64 = (0..classes).map(|other| at(class, other)).sum();
            let served: f64 = (0..classes).map(|other| at(other, class)).sum();
            chance += truths * served;
        }
        let chance = chance / (n * n);
        if chance < 1.0 {
            (agreed / n - chance) / (1.0 - chance)
        } else {
            f64::NAN
        }
    }

    /// Writes the sums that scores are made of.
    pub(super) fn save(&self, writer: &mut Writer) {
        for count in [self.rows, self.scored, self.matured] {
            writer.u64(count);
        }
        for sum in [self.error_sum, self.square_sum, self.baseline_sum, self.log_loss_sum] {
            writer.f64(sum);
        }
    }
}
