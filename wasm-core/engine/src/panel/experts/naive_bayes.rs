//! Gaussian naive Bayes: per class the mean and variance of every column, categories by their counts, as if columns did not
//! depend on each other given the class. It knows something after a handful of rows, and missing values cost it nothing.
//! Columns do depend on each other, so it is too sure of itself; beside what it says stand
//! the same scores times a temperature that is learned.
//!
//! Papers: Chan, Golub & LeVeque, "Algorithms for computing the sample variance" (1983) for the running moments; Hand & Yu,
//! "Idiot's Bayes: not so stupid after all?" (2001); Guo et al., "On calibration of modern neural networks" (2017) for the
//! temperature. Cost: 8 d flops and d / 16 logarithms per class to serve. Memory: 32 d bytes per class, 8 per value of a category.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::panel::budget::Cost;
use crate::panel::experts::{Cells, ClassExpert, ClassRow, Expert, Truth};
use crate::panel::inputs::{Inputs, VALUE_ABS_MAX};
use crate::panel::moments::Moments;
use crate::panel::number::{exp, hold, ln};

/// Values of a category that are counted; others say nothing.
const VALUES_MAX: usize = 64;
/// A class begins with so many rows of the variance of all.
const PRIOR_ROWS: f64 = 1.0;
/// A variance within a class is held to this part of that of all rows, and to its inverse.
const RATIO_MIN: f64 = 1e-6;
/// Ratios of so many columns are multiplied before their logarithm is taken.
const COLUMNS_AT_ONCE: usize = 16;
/// A score is at most so far below that of the likeliest class.
const SCORE_REACH: f64 = 1e3;
/// Uncertainty of the temperature to begin with, and how much of it comes back per label.
const TEMPERATURE_PRIOR: f64 = 0.1;
const TEMPERATURE_FORGETTING: f64 = 1e-3;
const TEMPERATURES: (f64, f64) = (0.02, 2.0);

/// What is known of one class.
#[derive(Clone, Debug, Default, PartialEq)]
struct ClassMoments {
    /// Per column; empty before the first row of the class.
    numbers: Vec<Moments>,
    /// Per column of categories how often each value came, the columns in order.
    values: Vec<Vec<f64>>,
}

/// Moments per class.
#[derive(Debug)]
pub struct NaiveBayes {
    categorical: Vec<bool>,
    classes: Vec<ClassMoments>,
    temperature: f64,
    variance: f64,
    /// Scores of the row that was asked about last, if nothing was learned since: not state, only saved work.
    scores: Vec<f64>,
    scores_of: u64,
}

impl NaiveBayes {
    /// Nothing known of two classes.
    #[must_use]
    pub fn new(inputs: &Inputs) -> Self {
        Self {
            categorical: inputs.categorical().to_vec(),
            classes: vec![ClassMoments::default(); 2],
            temperature: 1.0,
            variance: TEMPERATURE_PRIOR,
            scores: Vec::new(),
            scores_of: 0,
        }
    }

    /// Logarithm of the class's share and density, less what is the same for all classes.
    fn score(&self, class: usize, row: &ClassRow) -> f64 {
        let ClassMoments { numbers, values } = &self.classes[class];
        let mut score = ln(row.prior.share(class));
        if numbers.is_empty() {
            // Nothing is known: as likely as a row at two deviations in one column.
            return score - 2.0;
        }
        let mut values = values.iter();
        let (mut ratios, mut multiplied) = (1.0, 0);
        for (column, (&x, &categorical)) in row.x.iter().zip(&self.categorical).enumerate() {
            if categorical {
                let counts = values.next().map_or(&[][..], |counts| counts);
                if let Some(value) = value_of(x) {
                    let n: f64 = counts.iter().sum();
                    let known = counts.len() as f64 + 1.0;
                    score += ln((counts.get(value).copied().unwrap_or(0.0) + 1.0) / (n + known));
                }
                continue;
            }
            let inverse = row.inputs.column(column).inverse_deviation();
            if x.is_nan() || inverse == 0.0 {
                continue;
            }
            let moments = &numbers[column];
            let n = moments.n();
            let own = moments.variance() * inverse * inverse;
            let ratio = hold((n * own + PRIOR_ROWS) / (n + PRIOR_ROWS), RATIO_MIN, 1.0 / RATIO_MIN);
            let mean = if n > 0.0 {
                moments.mean()
            } else {
                row.inputs.column_mean(column)
            };
            let distance = (hold(x, -VALUE_ABS_MAX, VALUE_ABS_MAX) - mean) * inverse;
            score -= 0.5 * hold(distance * distance / ratio, 0.0, SCORE_REACH);
            ratios *= ratio;
            multiplied += 1;
            if multiplied == COLUMNS_AT_ONCE {
                score -= 0.5 * ln(ratios);
                (ratios, multiplied) = (1.0, 0);
            }
        }
        score - 0.5 * ln(ratios)
    }

    /// Scores of all classes into `scores`, below 0 by how much less likely each is than the likeliest.
    fn scores(&mut self, row: &ClassRow, classes: usize) {
        if self.scores_of == row.serial && self.scores.len() == classes {
            return;
        }
        self.scores_of = row.serial;
        let mut scores = std::mem::take(&mut self.scores);
        scores.clear();
        scores.extend((0..classes).map(|class| self.score(class, row)));
        let most = scores
            .iter()
            .copied()
            .fold(f64::MIN, |most, s| if s > most { s } else { most });
        scores
            .iter_mut()
            .for_each(|score| *score = hold(*score - most, -SCORE_REACH, 0.0));
        self.scores = scores;
    }

    /// One step of a second-order expert with a single weight, on the likelihood of the class.
    fn learn_temperature(&mut self, class: usize) {
        let (mut sum, mut mean, mut square) = (0.0, 0.0, 0.0);
        for &score in &self.scores {
            let share = exp(self.temperature * score);
            sum += share;
            mean += share * score;
            square += share * score * score;
        }
        mean /= sum;
        let curvature = square / sum - mean * mean;
        self.variance += TEMPERATURE_FORGETTING * (TEMPERATURE_PRIOR - self.variance);
        self.variance /= 1.0 + self.variance * if curvature > 0.0 { curvature } else { 0.0 };
        let step = self.variance * (self.scores[class] - mean);
        self.temperature = hold(self.temperature + step, TEMPERATURES.0, TEMPERATURES.1);
    }
}

/// The index of a category that is counted.
fn value_of(x: f64) -> Option<usize> {
    (x >= 0.0 && x < VALUES_MAX as f64).then_some(x as usize)
}

impl Expert for NaiveBayes {
    fn cost(&self, outputs: usize) -> Cost {
        let cells = (self.categorical.len() * (outputs.max(2))) as f64;
        Cost {
            ns: 200.0 + 45.0 * outputs as f64 + 12.0 * cells,
            bytes: 32.0 * cells,
        }
    }

    fn names(&self) -> Vec<String> {
        ["naive bayes", "naive bayes tempered"].map(str::to_owned).into()
    }

    fn width(&self) -> usize {
        2
    }

    fn save(&self, writer: &mut Writer) {
        writer.f64(self.temperature);
        writer.f64(self.variance);
        for class in &self.classes {
            writer.bool(!class.numbers.is_empty());
            class.numbers.iter().for_each(|moments| moments.save(writer));
            class.values.iter().for_each(|counts| writer.f64s(counts));
        }
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.temperature = reader.f64()?;
        self.variance = reader.f64()?;
        let counted = self.categorical.iter().filter(|&&categorical| categorical).count();
        for class in &mut self.classes {
            *class = ClassMoments::default();
            if reader.bool()? {
                for _ in 0..self.categorical.len() {
                    class.numbers.push(Moments::load(reader)?);
                }
                for _ in 0..counted {
                    let counts = reader.f64s()?;
                    if counts.len() > VALUES_MAX {
                        return Err(CoreError::Corrupt);
                    }
                    class.values.push(counts);
                }
            }
        }
        Ok(())
    }
}

impl ClassExpert for NaiveBayes {
    fn grow(&mut self, classes: usize) {
        self.classes.resize(classes, ClassMoments::default());
    }

    fn predict(&mut self, row: &ClassRow, cells: &mut Cells) -> bool {
        self.scores(row, cells.classes());
        for (place, temperature) in [1.0, self.temperature].into_iter().enumerate() {
            cells.fill_softmax(place, temperature, 0.0, &self.scores);
        }
        true
    }

    fn learn(&mut self, row: &ClassRow, truth: Truth) {
        self.scores(row, truth.classes);
        self.learn_temperature(truth.class);
        self.scores_of = 0;
        let class = &mut self.classes[truth.class];
        if class.numbers.is_empty() {
            class.numbers.resize(self.categorical.len(), Moments::default());
            class.values.resize(
                self.categorical.iter().filter(|&&categorical| categorical).count(),
                Vec::new(),
            );
        }
        let mut values = class.values.iter_mut();
        for ((&x, &categorical), moments) in row.x.iter().zip(&self.categorical).zip(&mut class.numbers) {
            if categorical {
                if let (Some(counts), Some(value)) = (values.next(), value_of(x)) {
                    if counts.len() <= value {
                        counts.resize(value + 1, 0.0);
                    }
                    counts[value] += 1.0;
                }
            } else if !x.is_nan() {
                moments.push(hold(x, -VALUE_ABS_MAX, VALUE_ABS_MAX), f64::NAN);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panel::experts::prior::Prior;

    /// What the expert says of a row after these, plain and tempered.
    fn after(rows: &[(f64, f64, usize)], x: [f64; 2]) -> [[f64; 2]; 2] {
        let mut inputs = Inputs::new(vec![false, true], 1, false);
        let (mut expert, mut prior) = (NaiveBayes::new(&inputs), Prior::new(2));
        let mut z = Vec::new();
        for &(number, category, class) in rows {
            inputs.serve(0, &[number, category], &mut z);
            expert.learn(&seen(&[number, category], &prior, &inputs), Truth { class, classes: 2 });
            prior.learn(None, class);
        }
        let mut cells = [0.0; 4];
        assert!(expert.predict(&seen(&x, &prior, &inputs), &mut Cells::new(&mut cells, 2, 0, 2)));
        [[cells[0], cells[2]], [cells[1], cells[3]]]
    }

    fn seen<'a>(x: &'a [f64; 2], prior: &'a Prior, inputs: &'a Inputs) -> ClassRow<'a> {
        ClassRow {
            z: &[],
            x,
            serial: 1,
            last: None,
            prior,
            inputs,
            release: None,
        }
    }

    const ROWS: [(f64, f64, usize); 6] = [
        (6.0, 0.0, 0),
        (5.92, 0.0, 0),
        (5.58, 1.0, 0),
        (5.0, 1.0, 1),
        (5.5, 1.0, 1),
        (5.42, 2.0, 1),
    ];

    /// Shares, normal densities and counts of values written out; three rows per class.
    fn by_hand(height: f64, category: f64) -> f64 {
        let all: Vec<f64> = ROWS.iter().map(|row| row.0).collect();
        let moments = |values: &[f64]| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let square: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
            (mean, square / values.len() as f64)
        };
        let (_, pooled) = moments(&all);
        let numerator = |class: usize| {
            let rows = ROWS.iter().filter(|row| row.2 == class);
            let (mean, own) = moments(&rows.clone().map(|row| row.0).collect::<Vec<_>>());
            let variance = (3.0 * own + pooled) / 4.0;
            let known = rows.clone().map(|row| row.1 as usize + 1).max().unwrap_or(0) as f64 + 1.0;
            let same = rows.filter(|row| row.1 == category).count() as f64;
            let distance = height - mean;
            0.5 * libm::exp(-distance * distance / (2.0 * variance)) / libm::sqrt(variance) * (same + 1.0)
                / (3.0 + known)
        };
        numerator(1) / (numerator(0) + numerator(1))
    }

    #[test]
    fn it_says_what_shares_densities_and_counts_say() {
        for (height, category) in [(5.8, 0.0), (5.3, 1.0), (5.5, 2.0), (6.4, 1.0)] {
            let [plain, _] = after(&ROWS, [height, category]);
            let truth = by_hand(height, category);
            assert!((plain[1] - truth).abs() < 1e-12, "{} for {truth}", plain[1]);
            assert!((plain[0] + plain[1] - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn what_is_missing_or_was_never_counted_says_nothing() {
        let [plain, _] = after(&ROWS, [f64::NAN, f64::NAN]);
        assert!((plain[1] - 0.5).abs() < 1e-12, "{plain:?}");
        let [nothing, tempered] = after(&[], [1.0, 63.0]);
        assert_eq!((nothing, tempered), ([0.5, 0.5], [0.5, 0.5]));
    }

    #[test]
    fn it_is_tempered_where_columns_say_the_same_twice_or_the_labels_are_noise() {
        let noise: Vec<(f64, f64, usize)> = (0..400)
            .map(|at| (f64::from(at % 17), f64::from(at % 3), (at * 7 % 13 % 2) as usize))
            .collect();
        let [plain, tempered] = after(&noise, [16.0, 0.0]);
        assert!(
            (tempered[1] - 0.5).abs() < (plain[1] - 0.5).abs(),
            "{tempered:?} {plain:?}"
        );
    }
}
