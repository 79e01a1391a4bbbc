//! A global model: a ridge regression or a linear discriminant analysis, both linear in the features as they are
//! served. Byte form in FORMATS.md section 7.

use super::ClassHeads;
use crate::cholesky::dot;
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::statistics::{CLASSES_MAX, FEATURES_MAX, FORM_CLASSES, FORM_CO_MOMENTS};

const MAGIC: &[u8; 4] = b"RVRM";
/// Version 1 of models for classes had no heads beside the discriminants, version 2 has the precisions of a fork as f32. A
/// ridge is still of version 1.
const VERSION: u16 = 3;
const VERSION_FLOAT: u16 = 2;

/// A model that the fleet's statistics gave. All its numbers are finite.
#[derive(Clone, Debug, PartialEq)]
pub enum ReleaseModel {
    /// Ridge regression.
    Ridge {
        /// Rows it was made from.
        n: f64,
        /// One coefficient per feature, in the feature's own unit.
        coefficients: Vec<f64>,
        /// Value at all features zero.
        intercept: f64,
        /// Standard deviation of the residuals over those rows.
        residual_sd: f64,
    },
    /// Linear discriminant analysis.
    Lda {
        /// Features in the vector.
        d: usize,
        /// Labels in byte order.
        labels: Vec<String>,
        /// Per class, `d` coefficients.
        coefficients: Vec<f64>,
        /// Per class, the score at all features zero; the log of the class's share is in it.
        intercepts: Vec<f64>,
        /// The models beside it.
        heads: ClassHeads,
    },
}

impl ReleaseModel {
    /// Features in the vector.
    #[must_use]
    pub fn d(&self) -> usize {
        match self {
            Self::Ridge { coefficients, .. } => coefficients.len(),
            Self::Lda { d, .. } => *d,
        }
    }

    /// The labels of an LDA in byte order; none for a ridge.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        match self {
            Self::Ridge { .. } => &[],
            Self::Lda { labels, .. } => labels,
        }
    }

    /// What a ridge predicts for the features `x` (NaN in, NaN out). For a forecast it is the change against the
    /// current value. NaN for an LDA.
    #[must_use]
    pub fn value(&self, x: &[f64]) -> f64 {
        match self {
            Self::Ridge {
                coefficients,
                intercept,
                ..
            } => intercept + dot(coefficients, x),
            Self::Lda { .. } => f64::NAN,
        }
    }

    /// The models beside an LDA; none for a ridge.
    #[must_use]
    pub fn heads(&self) -> Option<&ClassHeads> {
        match self {
            Self::Ridge { .. } => None,
            Self::Lda { heads, .. } => Some(heads),
        }
    }

    /// Writes the score of each class of an LDA for the features `x` into `out`: log-probabilities up to a constant
    /// that all classes share. `out` has one place per label.
    pub fn class_scores(&self, x: &[f64], out: &mut [f64]) {
        let Self::Lda {
            d,
            coefficients,
            intercepts,
            ..
        } = self
        else {
            out.fill(f64::NAN);
            return;
        };
        assert_eq!(out.len(), intercepts.len(), "one score per class");
        for (class, score) in out.iter_mut().enumerate() {
            *score = intercepts[class] + dot(&coefficients[class * d..(class + 1) * d], x);
        }
    }

    /// Appends the byte form of FORMATS.md section 7.
    pub fn encode(&self, writer: &mut Writer) {
        writer.raw(MAGIC);
        writer.u16(match self {
            Self::Ridge { .. } => 1,
            Self::Lda { heads, .. } if heads.is_coded() => VERSION,
            Self::Lda { .. } => VERSION_FLOAT,
        });
        writer.u8(match self {
            Self::Ridge { .. } => FORM_CO_MOMENTS,
            Self::Lda { .. } => FORM_CLASSES,
        });
        writer.u8(0);
        writer.u32(u32::try_from(self.d()).expect("d is at most FEATURES_MAX"));
        match self {
            Self::Ridge {
                n,
                coefficients,
                intercept,
                residual_sd,
            } => {
                writer.f64(*n);
                for &coefficient in coefficients {
                    writer.f64(coefficient);
                }
                writer.f64(*intercept);
                writer.f64(*residual_sd);
            }
            Self::Lda {
                d,
                labels,
                coefficients,
                intercepts,
                heads,
            } => {
                writer.u32(u32::try_from(labels.len()).expect("there are at most CLASSES_MAX classes"));
                for (class, label) in labels.iter().enumerate() {
                    writer.str(label);
                    for &coefficient in &coefficients[class * d..(class + 1) * d] {
                        writer.f64(coefficient);
                    }
                    writer.f64(intercepts[class]);
                }
                heads.encode(writer);
            }
        }
    }

    /// Reads the whole of `bytes` as one model.
    ///
    /// # Errors
    /// `Truncated`, `Foreign`, `TooNew`, `Corrupt`, `Limit` for too many features or classes, `BadNumbers` for a
    /// number that is not finite.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let version = reader.magic(MAGIC, VERSION)?;
        let form = reader.u8()?;
        if reader.u8()? != 0 {
            return Err(CoreError::Corrupt);
        }
        let d = reader.u32()? as usize;
        if d > FEATURES_MAX {
            return Err(CoreError::Limit);
        }
        let model = match form {
            FORM_CO_MOMENTS if version > 1 => return Err(CoreError::TooNew),
            FORM_CO_MOMENTS => Self::decode_ridge(d, &mut reader)?,
            FORM_CLASSES => Self::decode_lda(d, version, &mut reader)?,
            _ => return Err(CoreError::Foreign),
        };
        reader.finish()?;
        model.check()?;
        Ok(model)
    }

    /// Checks that every number is finite and what must not be negative is not.
    ///
    /// # Errors
    /// `BadNumbers`.
    pub fn check(&self) -> Result<()> {
        let finite = |numbers: &[f64]| numbers.iter().all(|number| number.is_finite());
        let sound = match self {
            Self::Ridge {
                n,
                coefficients,
                intercept,
                residual_sd,
            } => finite(coefficients) && finite(&[*n, *intercept, *residual_sd]) && *n >= 0.0 && *residual_sd >= 0.0,
            Self::Lda {
                coefficients,
                intercepts,
                heads,
                ..
            } => finite(coefficients) && finite(intercepts) && heads.check(),
        };
        if sound { Ok(()) } else { Err(CoreError::BadNumbers) }
    }

    fn decode_ridge(d: usize, reader: &mut Reader) -> Result<Self> {
        let n = reader.f64()?;
        let coefficients = (0..d).map(|_| reader.f64()).collect::<Result<_>>()?;
        Ok(Self::Ridge {
            n,
            coefficients,
            intercept: reader.f64()?,
            residual_sd: reader.f64()?,
        })
    }

    fn decode_lda(d: usize, version: u16, reader: &mut Reader) -> Result<Self> {
        let count = reader.count(12 + 8 * d)?;
        if count > CLASSES_MAX {
            return Err(CoreError::Limit);
        }
        let mut labels: Vec<String> = Vec::with_capacity(count);
        let mut coefficients = Vec::with_capacity(count * d);
        let mut intercepts = Vec::with_capacity(count);
        for _ in 0..count {
            let label = reader.str()?.to_owned();
            if labels.last().is_some_and(|previous| *previous >= label) {
                return Err(CoreError::Corrupt);
            }
            labels.push(label);
            for _ in 0..d {
                coefficients.push(reader.f64()?);
            }
            intercepts.push(reader.f64()?);
        }
        let heads = if version == 1 {
            ClassHeads::default()
        } else {
            ClassHeads::decode(d, labels.len(), version > VERSION_FLOAT, reader)?
        };
        Ok(Self::Lda {
            d,
            labels,
            coefficients,
            intercepts,
            heads,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ridge() -> ReleaseModel {
        ReleaseModel::Ridge {
            n: 10.0,
            coefficients: vec![2.0, -1.0],
            intercept: 0.5,
            residual_sd: 0.25,
        }
    }

    fn lda() -> ReleaseModel {
        ReleaseModel::Lda {
            d: 2,
            labels: vec!["a".into(), "b".into()],
            coefficients: vec![1.0, 0.0, 0.0, 2.0],
            intercepts: vec![-1.0, 1.0],
            heads: ClassHeads::default(),
        }
    }

    fn bytes(model: &ReleaseModel) -> Vec<u8> {
        let mut writer = Writer::new();
        model.encode(&mut writer);
        writer.into_vec()
    }

    #[test]
    fn models_survive_their_byte_form() {
        for model in [ridge(), lda()] {
            assert_eq!(ReleaseModel::decode(&bytes(&model)), Ok(model));
        }
    }

    #[test]
    fn models_predict_linearly() {
        assert_eq!(ridge().value(&[3.0, 4.0]), 2.5);
        let mut scores = [0.0; 2];
        lda().class_scores(&[3.0, 4.0], &mut scores);
        assert_eq!(scores, [2.0, 9.0]);
    }

    #[test]
    fn a_model_cut_anywhere_is_truncated() {
        for model in [ridge(), lda()] {
            let whole = bytes(&model);
            for length in 0..whole.len() {
                assert_eq!(
                    ReleaseModel::decode(&whole[..length]),
                    Err(CoreError::Truncated),
                    "cut at {length}"
                );
            }
        }
    }

    #[test]
    fn a_model_with_a_number_that_is_not_finite_is_refused() {
        let mut poisoned = bytes(&ridge());
        poisoned[20..28].copy_from_slice(&f64::INFINITY.to_le_bytes());
        assert_eq!(ReleaseModel::decode(&poisoned), Err(CoreError::BadNumbers));
    }

    #[test]
    fn labels_out_of_order_are_corrupt() {
        let ReleaseModel::Lda {
            d,
            coefficients,
            intercepts,
            ..
        } = lda()
        else {
            unreachable!()
        };
        let swapped = ReleaseModel::Lda {
            d,
            labels: vec!["b".into(), "a".into()],
            coefficients,
            intercepts,
            heads: ClassHeads::default(),
        };
        assert_eq!(ReleaseModel::decode(&bytes(&swapped)), Err(CoreError::Corrupt));
    }
}
