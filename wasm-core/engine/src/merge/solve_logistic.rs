//! From the information of a fleet's second-order logistics to one model: per class a weighted ridge of the working
//! response on the standardised features, `Λ = diag(1 / (PRIOR s²)) + Σ h x xᵀ` with s the spread of the feature (`spread.rs`), `w = Λ⁻¹ Σ h t x`, the bias as a column.

use crate::cholesky::{Cholesky, packed_length, row_start};
use crate::error::{CoreError, Result};
use crate::release::{ForkStart, Reference};
use crate::spread::spreads;
use crate::statistics::{ClassStatistics, CoMoments, Logistic, Precision, SQUARES_MIN};

/// Prior variance of a standardised coefficient, in the mean over the features.
const PRIOR: f64 = 1.0;
/// How the precisions that a fork begins with travel: they say how far to trust the weights, not what these are.
const CARRIED: Precision = Precision::Bits(12);
/// Smallest pivot, relative to the diagonal.
const PIVOT_MIN: f64 = 1e-13;

/// Where the standardised coordinates of a fleet are: mean and standard deviation of each feature over all rows.
#[must_use]
pub(super) fn reference(statistics: &ClassStatistics) -> Reference {
    let (d, n, scatter) = (statistics.d(), statistics.n(), statistics.scatter());
    let mut centre = vec![0.0; d];
    for class in statistics.classes() {
        let share = class.n / n;
        for (sum, mean) in centre.iter_mut().zip(&class.means) {
            *sum += share * mean;
        }
    }
    let mut squares: Vec<f64> = (0..d).map(|i| scatter[row_start(i) + i]).collect();
    for class in statistics.classes() {
        for ((square, mean), middle) in squares.iter_mut().zip(&class.means).zip(&centre) {
            *square += class.n * (mean - middle) * (mean - middle);
        }
    }
    let inverse = |square: f64| {
        if square > SQUARES_MIN { (n / square).sqrt() } else { 0.0 }
    };
    Reference {
        inverse_deviations: squares.into_iter().map(inverse).collect(),
        centre,
    }
}

/// Solves every set of `logistic` in the coordinates of `reference`.
///
/// # Errors
/// `Singular`, or `BadNumbers` for a model that is not finite.
pub(super) fn solve_logistic(logistic: &Logistic, reference: Reference) -> Result<ForkStart> {
    let (sets, order) = (logistic.classes().len() + 1, reference.centre.len() + 1);
    let (mut weights, mut precisions) = (Vec::new(), Vec::new());
    let deviation = |&inverse: &f64| if inverse > 0.0 { 1.0 / inverse } else { 0.0 };
    let spread = spreads(reference.inverse_deviations.iter().map(deviation));
    let prior: Vec<f64> = spread.iter().map(|spread| 1.0 / (PRIOR * spread * spread)).collect();
    for set in logistic.sets() {
        let (precision, target) = information(set, &reference, &prior);
        weights.extend(solved(&precision, target)?);
        precisions.push(precision);
    }
    if !weights.iter().all(|weight| weight.is_finite()) {
        return Err(CoreError::BadNumbers);
    }
    Ok(ForkStart {
        reference,
        weights,
        precisions,
        carried: CARRIED.within(sets, order),
    })
}

/// What a model of `sent` in place of `exact` loses on the rows that both are of, in nats a row: the quadratic around the
/// optimum, ½ (ŵ − w)ᵀ Λ (ŵ − w), summed over the classes. None when one of the two cannot be solved.
pub(super) fn loss_of(exact: &Logistic, sent: &Logistic, statistics: &ClassStatistics) -> Option<f64> {
    let reference = reference(statistics);
    let deviation = |&inverse: &f64| if inverse > 0.0 { 1.0 / inverse } else { 0.0 };
    let spread = spreads(reference.inverse_deviations.iter().map(deviation));
    let prior: Vec<f64> = spread.iter().map(|spread| 1.0 / (PRIOR * spread * spread)).collect();
    let mut loss = 0.0;
    for (exact, sent) in exact.sets().zip(sent.sets()) {
        let (precision, target) = information(exact, &reference, &prior);
        let wanted = solved(&precision, target).ok()?;
        let (theirs, target) = information(sent, &reference, &prior);
        let difference: Vec<f64> = solved(&theirs, target)
            .ok()?
            .iter()
            .zip(&wanted)
            .map(|(sent, wanted)| sent - wanted)
            .collect();
        for (i, left) in difference.iter().enumerate() {
            for (j, right) in difference[..=i].iter().enumerate() {
                let twice = if i == j { 0.5 } else { 1.0 };
                loss += twice * precision[row_start(i) + j] * left * right;
            }
        }
    }
    Some(loss / statistics.n())
}

/// Λ and η of one set: features first, each with its prior precision, the bias last.
fn information(set: &CoMoments, reference: &Reference, prior: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (d, n, means, scatter) = (set.d(), set.n(), set.means(), set.scatter());
    let scale = &reference.inverse_deviations;
    let middle: Vec<f64> = (0..d).map(|i| (means[i] - reference.centre[i]) * scale[i]).collect();
    let mut precision = Vec::with_capacity(packed_length(d + 1));
    for i in 0..d {
        for j in 0..=i {
            let within = scatter[row_start(i) + j] * scale[i] * scale[j];
            precision.push(within + n * middle[i] * middle[j] + if i == j { prior[i] } else { 0.0 });
        }
    }
    precision.extend(middle.iter().map(|middle| n * middle));
    precision.push(n + 1.0 / PRIOR);
    let response = &scatter[row_start(d)..];
    let mut target: Vec<f64> = (0..d)
        .map(|i| response[i] * scale[i] + n * middle[i] * means[d])
        .collect();
    target.push(n * means[d]);
    (precision, target)
}

/// Solves on the correlation matrix.
fn solved(precision: &[f64], mut target: Vec<f64>) -> Result<Vec<f64>> {
    let m = target.len();
    let roots: Vec<f64> = (0..m).map(|i| precision[row_start(i) + i].sqrt()).collect();
    let mut matrix = Vec::with_capacity(precision.len());
    for i in 0..m {
        for j in 0..=i {
            matrix.push(precision[row_start(i) + j] / roots[i] / roots[j]);
        }
    }
    let cholesky = Cholesky::new(m, matrix, PIVOT_MIN)?;
    for (value, root) in target.iter_mut().zip(&roots) {
        *value /= root;
    }
    cholesky.solve(&mut target);
    for (value, root) in target.iter_mut().zip(&roots) {
        *value /= root;
    }
    Ok(target)
}
