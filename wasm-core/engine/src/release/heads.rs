//! What a release for classes holds beside the linear discriminants: no form of model wins everywhere, so several are
//! published, and each gateway's panel finds the one that fits. Byte form in FORMATS.md section 7.

use crate::cholesky::{Cholesky, packed_length, row_start};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::statistics::{Precision, scatter};

/// Bits of the heads that are there.
const BAYES: u8 = 1;
const OWN: u8 = 2;
const FORK: u8 = 4;

/// Correlations are rounded on their way: this much on their diagonal keeps them invertible.
const ROUNDING: f64 = 1e-5;

/// Standardised coordinates: `x' = (x - centre) · inverse deviation`; 0 for a feature that never varies.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// Per feature its mean.
    pub centre: Vec<f64>,
    /// Per feature one over its standard deviation, or 0.
    pub inverse_deviations: Vec<f64>,
}

/// Weights and precisions of a second-order logistic, for the classes of the release and then for any other class.
/// A gateway's fork goes on learning from here.
#[derive(Clone, Debug, PartialEq)]
pub struct ForkStart {
    /// The coordinates.
    pub reference: Reference,
    /// Per set d + 1 weights, the bias last.
    pub weights: Vec<f64>,
    /// Per set the inverse of the weights' covariance, packed by rows.
    pub precisions: Vec<Vec<f64>>,
    /// How they travel; kept, so that what was read is written as it was.
    pub(crate) carried: Precision,
}

/// The heads beside the discriminants; each may be missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassHeads {
    /// Gaussian naive Bayes: per class d means, d inverse variances, and the log of its share less half the log of the
    /// product of its variances.
    pub bayes: Vec<f64>,
    /// The logistic that depends on no release: per class d weights and an intercept, in the features' own units.
    pub own: Vec<f64>,
    /// The logistic that forks go on from.
    pub fork: Option<ForkStart>,
}

impl Reference {
    /// Writes a row in these coordinates, a 1 for the bias behind it.
    pub fn standardise(&self, x: &[f64], out: &mut Vec<f64>) {
        out.clear();
        out.extend(
            x.iter()
                .zip(&self.centre)
                .zip(&self.inverse_deviations)
                .map(|((x, centre), inverse)| (x - centre) * inverse),
        );
        out.push(1.0);
    }
}

impl ForkStart {
    /// The covariance of a set's weights.
    ///
    /// # Errors
    /// `Singular`.
    pub fn covariance(&self, set: usize) -> Result<Vec<f64>> {
        let precision = &self.precisions[set];
        let m = self.reference.centre.len() + 1;
        let roots: Vec<f64> = (0..m).map(|i| precision[row_start(i) + i].sqrt()).collect();
        let mut matrix = Vec::with_capacity(precision.len());
        for i in 0..m {
            for j in 0..i {
                matrix.push(precision[row_start(i) + j] / roots[i] / roots[j]);
            }
            matrix.push(1.0 + ROUNDING);
        }
        let cholesky = Cholesky::new(m, matrix, 0.0)?;
        let mut inverse = vec![0.0; packed_length(m)];
        let mut column = vec![0.0; m];
        for i in 0..m {
            column.fill(0.0);
            column[i] = 1.0;
            cholesky.solve(&mut column);
            for j in 0..=i {
                inverse[row_start(i) + j] = column[j] / roots[i] / roots[j];
            }
        }
        Ok(inverse)
    }

    /// The weights in the features' own units: per set d and an intercept.
    #[must_use]
    pub fn raw_weights(&self) -> Vec<f64> {
        let m = self.reference.centre.len() + 1;
        let mut raw = Vec::with_capacity(self.weights.len());
        for weights in self.weights.chunks_exact(m) {
            let mut intercept = weights[m - 1];
            let coordinates = self.reference.inverse_deviations.iter().zip(&self.reference.centre);
            for (weight, (inverse, centre)) in weights.iter().zip(coordinates) {
                let weight = weight * inverse;
                intercept -= weight * centre;
                raw.push(weight);
            }
            raw.push(intercept);
        }
        raw
    }
}

impl ClassHeads {
    /// Checks that every number is finite and no precision is negative on its diagonal.
    pub(super) fn check(&self) -> bool {
        let finite = |numbers: &[f64]| numbers.iter().all(|number| number.is_finite());
        let sound = |fork: &ForkStart| {
            let m = fork.reference.centre.len() + 1;
            finite(&fork.weights)
                && finite(&fork.reference.centre)
                && finite(&fork.reference.inverse_deviations)
                && fork
                    .precisions
                    .iter()
                    .all(|precision| finite(precision) && (0..m).all(|i| precision[row_start(i) + i] > 0.0))
        };
        finite(&self.bayes) && finite(&self.own) && self.fork.as_ref().is_none_or(sound)
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        let bit = |there: bool, bit: u8| if there { bit } else { 0 };
        writer.u8(bit(!self.bayes.is_empty(), BAYES) | bit(!self.own.is_empty(), OWN) | bit(self.fork.is_some(), FORK));
        for &number in self.bayes.iter().chain(&self.own) {
            writer.f64(number);
        }
        if let Some(fork) = &self.fork {
            let m = fork.reference.centre.len() + 1;
            let reference = fork.reference.centre.iter().chain(&fork.reference.inverse_deviations);
            for &number in reference.chain(&fork.weights) {
                writer.f64(number);
            }
            if fork.carried != Precision::Float {
                writer.u8(fork.carried.code());
            }
            for precision in &fork.precisions {
                scatter::encode_compact(m, precision, fork.carried, writer);
            }
        }
    }

    /// True when the fork does not travel as version 2 of a model has it.
    pub(super) fn is_coded(&self) -> bool {
        self.fork.as_ref().is_some_and(|fork| fork.carried != Precision::Float)
    }

    /// Reads what `encode` wrote; `coded`: a fork says how its precisions travel.
    pub(super) fn decode(d: usize, classes: usize, coded: bool, reader: &mut Reader) -> Result<Self> {
        let parts = reader.u8()?;
        if parts & !(BAYES | OWN | FORK) != 0 {
            return Err(CoreError::Foreign);
        }
        let mut numbers = |bit: u8, count: usize| {
            if parts & bit == 0 {
                return Ok(Vec::new());
            }
            read(reader, count)
        };
        let bayes = numbers(BAYES, classes * (2 * d + 1))?;
        let own = numbers(OWN, classes * (d + 1))?;
        let fork = if parts & FORK == 0 {
            None
        } else {
            let reference = Reference {
                centre: read(reader, d)?,
                inverse_deviations: read(reader, d)?,
            };
            let weights = read(reader, (classes + 1) * (d + 1))?;
            let carried = if coded {
                Precision::read(classes + 1, d + 1, reader)?
            } else {
                Precision::Float
            };
            Some(ForkStart {
                reference,
                weights,
                precisions: (0..=classes)
                    .map(|_| scatter::decode_compact(d + 1, carried, reader))
                    .collect::<Result<_>>()?,
                carried,
            })
        };
        Ok(Self { bayes, own, fork })
    }
}

/// Takes `count` numbers, checking that they are there before anything is allocated.
fn read(reader: &mut Reader, count: usize) -> Result<Vec<f64>> {
    if reader.remaining() / 8 < count {
        return Err(CoreError::Truncated);
    }
    (0..count).map(|_| reader.f64()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cholesky::dot;

    /// A fork of two classes over three features, and any other class; its precisions are products of numbers of their own.
    fn fork(carried: Precision) -> ForkStart {
        let m = 4;
        let precision = |set: u32| {
            let factor: Vec<Vec<f64>> = (0..m)
                .map(|row| {
                    (0..5)
                        .map(|column| f64::from((set * 31 + row * 7 + column * 13) % 11) - 4.5)
                        .collect()
                })
                .collect();
            let mut packed = Vec::new();
            for i in 0..factor.len() {
                packed.extend((0..=i).map(|j| dot(&factor[i], &factor[j]) + if i == j { 1.0 } else { 0.0 }));
            }
            packed
        };
        ForkStart {
            reference: Reference {
                centre: vec![1.0, -2.0, 3e6],
                inverse_deviations: vec![1.0, 0.5, 0.0],
            },
            weights: (0..3 * m).map(f64::from).collect(),
            precisions: (0..3).map(precision).collect(),
            carried,
        }
    }

    #[test]
    fn what_was_read_is_written_as_it_was() {
        for carried in [
            Precision::Float,
            Precision::Bits(8),
            Precision::Bits(12),
            Precision::Bits(16),
        ] {
            let made = ClassHeads {
                fork: Some(fork(carried)),
                ..ClassHeads::default()
            };
            let mut sent = Writer::new();
            made.encode(&mut sent);
            let read = ClassHeads::decode(3, 2, made.is_coded(), &mut Reader::new(sent.as_slice())).expect("written");
            let mut again = Writer::new();
            read.encode(&mut again);
            assert_eq!(sent.as_slice(), again.as_slice(), "{carried:?}");
            let fork = read.fork.expect("sent");
            assert!((0..3).all(|set| fork.covariance(set).is_ok()));
        }
    }
}
