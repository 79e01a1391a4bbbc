//! From statistics to a model: ridge regression and linear discriminant analysis, both solved on the correlation
//! matrix, so that the ridge means the same for every unit of measurement.

use crate::cholesky::{Cholesky, row_start};
use crate::error::{CoreError, Result};
use crate::release::{ClassHeads, ReleaseModel};
use crate::statistics::{ClassStatistics, CoMoments, SQUARES_MIN};

use super::solve_logistic::{reference, solve_logistic};

/// Fewer rows than this per feature give no model: coefficients would follow single rows.
const ROWS_PER_FEATURE_MIN: f64 = 2.0;
/// A pivot of the correlation matrix under this is rounding, not information.
const PIVOT_MIN: f64 = 1e-13;
/// A feature whose standard deviation is under this share of its mean is constant: its scatter is rounding.
const DEVIATION_SHARE_MIN: f64 = 1e-12;
/// Added to a class's count for its share, so that a class seen once does not weigh nothing.
const CLASS_PRIOR: f64 = 0.5;
/// As if so many rows of every class had the pooled variances.
const BAYES_ROWS: f64 = 10.0;

/// Ridge regression of the target on the features. `ridge` is relative to the diagonal of the correlation matrix;
/// features that do not vary get coefficient 0. Costs d³/6 multiplications.
///
/// # Errors
/// `BadNumbers` for a ridge that is negative or not finite, or a model that is not finite; `TooFewRows`; `Singular`.
pub fn solve_ridge(statistics: &CoMoments, ridge: f64) -> Result<ReleaseModel> {
    let (d, n, means, scatter) = (statistics.d(), statistics.n(), statistics.means(), statistics.scatter());
    check_call(n, d, ridge)?;
    let squares: Vec<f64> = (0..=d).map(|i| scatter[row_start(i) + i]).collect();
    let used: Vec<usize> = (0..d).filter(|&i| varies(squares[i], means[i], n)).collect();
    let deviations: Vec<f64> = squares.iter().map(|square| square.sqrt()).collect();
    let target = &scatter[row_start(d)..];

    let mut coefficients = vec![0.0; d];
    if varies(squares[d], means[d], n) {
        let cholesky = correlation_factor(&used, scatter, &deviations, ridge, |_| 1.0)?;
        let mut solution: Vec<f64> = used
            .iter()
            .map(|&i| target[i] / deviations[i] / deviations[d])
            .collect();
        cholesky.solve(&mut solution);
        for (&i, b) in used.iter().zip(&solution) {
            coefficients[i] = b * deviations[d] / deviations[i];
        }
    }
    let mut intercept = means[d];
    for (coefficient, mean) in coefficients.iter().zip(means) {
        intercept -= coefficient * mean;
    }
    let rss = residual_squares(&coefficients, scatter, d);
    let freedom = n - 1.0 - used.len() as f64;
    let residual_sd = (rss / if freedom > 1.0 { freedom } else { 1.0 }).sqrt();
    let model = ReleaseModel::Ridge {
        n,
        coefficients,
        intercept,
        residual_sd,
    };
    model.check()?;
    Ok(model)
}

/// Linear discriminant analysis: `W_k = (S/n + ridge · diag T/n)⁻¹ (m_k − m)`, where S is the scatter within classes
/// and T the total one, so that a feature that is constant within every class but tells them apart is a strong one, not
/// a singular one. A feature that never varies gets coefficient 0. Costs d³/6 + K d² multiplications.
///
/// Beside it stand naive Bayes and, where gateways sent its information, the second-order logistic; with `removable`
/// only what depends on no release.
///
/// # Errors
/// As `solve_ridge`.
pub fn solve_lda(statistics: &ClassStatistics, ridge: f64, removable: bool) -> Result<ReleaseModel> {
    let (d, n, classes, scatter) = (
        statistics.d(),
        statistics.n(),
        statistics.classes(),
        statistics.scatter(),
    );
    check_call(n, d, ridge)?;
    let mut centre = vec![0.0; d];
    for class in classes {
        let share = class.n / n;
        for (sum, mean) in centre.iter_mut().zip(&class.means) {
            *sum += share * mean;
        }
    }
    let mut total: Vec<f64> = (0..d).map(|i| scatter[row_start(i) + i]).collect();
    for class in classes {
        for ((square, mean), middle) in total.iter_mut().zip(&class.means).zip(&centre) {
            *square += class.n * (mean - middle) * (mean - middle);
        }
    }
    let used: Vec<usize> = (0..d).filter(|&i| varies(total[i], centre[i], n)).collect();
    let deviations: Vec<f64> = total.iter().map(|square| square.sqrt()).collect();
    let within = |i: usize| scatter[row_start(i) + i] / total[i];
    let cholesky = correlation_factor(&used, scatter, &deviations, ridge, within)?;

    let mut coefficients = vec![0.0; classes.len() * d];
    let mut intercepts = Vec::with_capacity(classes.len());
    let prior_total = n + CLASS_PRIOR * classes.len() as f64;
    for (class, row) in classes.iter().zip(coefficients.chunks_exact_mut(d.max(1))) {
        let mut solution: Vec<f64> = used
            .iter()
            .map(|&i| (class.means[i] - centre[i]) / deviations[i])
            .collect();
        cholesky.solve(&mut solution);
        for (&i, b) in used.iter().zip(&solution) {
            row[i] = b * n / deviations[i];
        }
    }
    for (place, class) in classes.iter().enumerate() {
        let row = &coefficients[place * d..(place + 1) * d];
        let mut intercept = libm::log((class.n + CLASS_PRIOR) / prior_total);
        for i in 0..d {
            // −W·m − ½ W·(m_k − m) = −W · (m + m_k) / 2
            intercept -= row[i] * (centre[i] + class.means[i]) * 0.5;
        }
        intercepts.push(intercept);
    }
    let labels = classes.iter().map(|class| class.label.clone()).collect();
    let model = ReleaseModel::Lda {
        d,
        labels,
        coefficients,
        intercepts,
        heads: heads_of(statistics, removable)?,
    };
    model.check()?;
    Ok(model)
}

/// The models beside the discriminants, as far as the statistics allow.
fn heads_of(statistics: &ClassStatistics, removable: bool) -> Result<ClassHeads> {
    let own = match statistics.own() {
        None => Vec::new(),
        Some(own) => {
            let mut weights = solve_logistic(own, reference(statistics))?.raw_weights();
            weights.truncate(statistics.classes().len() * (statistics.d() + 1));
            weights
        }
    };
    let fork = match statistics.forked().or(statistics.own()) {
        Some(forked) if !removable => Some(solve_logistic(forked, reference(statistics))?),
        _ => None,
    };
    Ok(ClassHeads {
        bayes: solve_bayes(statistics),
        own,
        fork,
    })
}

/// Gaussian naive Bayes: every class with variances of its own, which lean on the pooled ones while its rows are few.
fn solve_bayes(statistics: &ClassStatistics) -> Vec<f64> {
    let (d, n, classes, scatter) = (
        statistics.d(),
        statistics.n(),
        statistics.classes(),
        statistics.scatter(),
    );
    if classes
        .iter()
        .all(|class| class.squares.iter().all(|&square| square == 0.0))
    {
        return Vec::new(); // statistics of an older gateway
    }
    let prior_total = n + CLASS_PRIOR * classes.len() as f64;
    let mut numbers = Vec::with_capacity(classes.len() * (2 * d + 1));
    for class in classes {
        let mut constant = libm::log((class.n + CLASS_PRIOR) / prior_total);
        numbers.extend_from_slice(&class.means);
        for (i, square) in class.squares.iter().enumerate() {
            let pooled = scatter[row_start(i) + i] / n;
            let variance = (square + BAYES_ROWS * pooled) / (class.n + BAYES_ROWS);
            let varies = variance > SQUARES_MIN;
            numbers.push(if varies { 1.0 / variance } else { 0.0 });
            constant -= if varies { 0.5 * libm::log(variance) } else { 0.0 };
        }
        numbers.push(constant);
    }
    numbers
}

fn check_call(n: f64, d: usize, ridge: f64) -> Result<()> {
    if !(ridge >= 0.0 && ridge.is_finite()) {
        return Err(CoreError::BadNumbers);
    }
    if n < ROWS_PER_FEATURE_MIN * d as f64 || n < ROWS_PER_FEATURE_MIN {
        return Err(CoreError::TooFewRows);
    }
    Ok(())
}

fn varies(squares: f64, mean: f64, n: f64) -> bool {
    let noise = mean * DEVIATION_SHARE_MIN;
    squares > SQUARES_MIN && squares > n * noise * noise
}

/// Factors the used rows and columns of `scatter`, scaled by `deviations`, with `diagonal(i) + ridge` on the diagonal.
fn correlation_factor(
    used: &[usize],
    scatter: &[f64],
    deviations: &[f64],
    ridge: f64,
    diagonal: impl Fn(usize) -> f64,
) -> Result<Cholesky> {
    let mut matrix = Vec::with_capacity(row_start(used.len()));
    for (row, &i) in used.iter().enumerate() {
        for &j in &used[..row] {
            matrix.push(scatter[row_start(i) + j] / deviations[i] / deviations[j]);
        }
        matrix.push(diagonal(i) + ridge);
    }
    Cholesky::new(used.len(), matrix, PIVOT_MIN)
}

/// `wᵀ C w − 2 wᵀ c + t` from the last row of the co-moments; never negative.
fn residual_squares(coefficients: &[f64], scatter: &[f64], d: usize) -> f64 {
    let target = &scatter[row_start(d)..];
    let mut rss = target[d];
    for (i, &w) in coefficients.iter().enumerate() {
        let row = &scatter[row_start(i)..];
        let mut product = 0.5 * row[i] * w - target[i];
        for j in 0..i {
            product += row[j] * coefficients[j];
        }
        rss += 2.0 * w * product;
    }
    if rss > 0.0 { rss } else { 0.0 }
}
