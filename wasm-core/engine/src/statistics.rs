//! What a gateway knows about its rows in a form that adds up: co-moments for regression, class statistics for
//! classification. Both are centred (Welford), merge by Chan's formula and have one byte form (FORMATS.md section 6).
//! Statistics come from other machines too: `decode` checks the shape, `check` the numbers.

mod class_statistics;
mod co_moments;
mod factor;
mod logistic;
pub(crate) mod scatter;

pub(crate) use class_statistics::Precisions;
pub use class_statistics::{Class, ClassStatistics};
pub use co_moments::CoMoments;
pub use logistic::Logistic;
pub(crate) use scatter::{Precision, SQUARES_MIN};

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

const MAGIC: &[u8; 4] = b"RVST";
/// Version 1 of class statistics had no squares and no logistic, version 2 has its correlations as f32: it is what digests
/// are of. Co-moments are still of version 1.
const VERSION: u16 = 3;
const VERSION_FLOAT: u16 = 2;

/// Form byte of co-moments (and of the ridge made from them).
pub const FORM_CO_MOMENTS: u8 = 1;
/// Form byte of class statistics (and of the LDA made from them).
pub const FORM_CLASSES: u8 = 2;

/// Features in one vector at most: the scatter of 1,024 takes 4 MiB and its Cholesky a fifth of a second.
pub const FEATURES_MAX: usize = 1024;
/// Classes in one set of statistics at most, merged ones included: keeps the means of a wide task within 32 MiB.
pub const CLASSES_MAX: usize = 4096;
/// Largest magnitude of a value that is added: no sum of 2^53 products of two deviations can overflow.
pub const VALUE_ABS_MAX: f64 = 1e100;
/// Rows in one set of statistics at most: beyond it a count in `f64` no longer grows by one.
pub const ROWS_MAX: f64 = 9_007_199_254_740_992.0;

/// Statistics of one task on one gateway, or of many gateways merged.
#[derive(Debug, PartialEq)]
pub enum Statistics {
    /// Features and a numeric target.
    CoMoments(CoMoments),
    /// Features and a class label.
    Classes(ClassStatistics),
}

impl Clone for Statistics {
    fn clone(&self) -> Self {
        match self {
            Self::CoMoments(statistics) => Self::CoMoments(statistics.clone()),
            Self::Classes(statistics) => Self::Classes(statistics.clone()),
        }
    }

    /// In the memory that is there, where the form is the same.
    fn clone_from(&mut self, source: &Self) {
        match (self, source) {
            (Self::CoMoments(mine), Self::CoMoments(theirs)) => mine.clone_from(theirs),
            (mine, theirs) => *mine = theirs.clone(),
        }
    }
}

impl Statistics {
    /// The form byte in FORMATS.md section 6.
    #[must_use]
    pub fn form(&self) -> u8 {
        match self {
            Self::CoMoments(_) => FORM_CO_MOMENTS,
            Self::Classes(_) => FORM_CLASSES,
        }
    }

    /// Features in the vector.
    #[must_use]
    pub fn d(&self) -> usize {
        match self {
            Self::CoMoments(statistics) => statistics.d(),
            Self::Classes(statistics) => statistics.d(),
        }
    }

    /// Rows added so far.
    #[must_use]
    pub fn n(&self) -> f64 {
        match self {
            Self::CoMoments(statistics) => statistics.n(),
            Self::Classes(statistics) => statistics.n(),
        }
    }

    /// Bytes of memory that its numbers take, about.
    #[must_use]
    pub(crate) fn memory_bytes(&self) -> usize {
        let mine = size_of::<Self>();
        match self {
            Self::CoMoments(statistics) => mine + statistics.memory_bytes(),
            Self::Classes(statistics) => mine + statistics.memory_bytes(),
        }
    }

    /// Adds the rows of `other`, as if they had been pushed here.
    ///
    /// # Errors
    /// `SchemaMismatch` for another form or another number of features; nothing is changed then.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.merge_within(other, &mut Vec::new())
    }

    /// As `merge`, in the working memory `deviation`.
    ///
    /// # Errors
    /// As `merge`.
    pub(crate) fn merge_within(&mut self, other: &Self, deviation: &mut Vec<f64>) -> Result<()> {
        match (self, other) {
            (Self::CoMoments(mine), Self::CoMoments(theirs)) if mine.d() == theirs.d() => {
                mine.merge_within(theirs, deviation);
            }
            (Self::Classes(mine), Self::Classes(theirs)) if mine.d() == theirs.d() => mine.merge(theirs),
            _ => return Err(CoreError::SchemaMismatch),
        }
        Ok(())
    }

    /// Without what was learned on top of releases: taking a gateway out of this leaves a fleet that never had it.
    #[must_use]
    pub fn removable(&self) -> Self {
        match self {
            Self::CoMoments(statistics) => Self::CoMoments(statistics.clone()),
            Self::Classes(statistics) => Self::Classes(statistics.with_logistic(statistics.own().cloned(), None)),
        }
    }

    /// True when `removable` leaves something out.
    #[must_use]
    pub fn has_forked_part(&self) -> bool {
        matches!(self, Self::Classes(statistics) if statistics.forked().is_some())
    }

    /// Checks what every honest set of statistics obeys: finite numbers within bounds, counts that are counts, a
    /// scatter that is positive semidefinite up to rounding.
    ///
    /// # Errors
    /// `BadNumbers`.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::CoMoments(statistics) => statistics.check(),
            Self::Classes(statistics) => statistics.check(),
        }
    }

    /// Appends the byte form of FORMATS.md section 6.
    pub fn encode(&self, writer: &mut Writer) {
        match self {
            Self::CoMoments(statistics) => statistics.encode(writer),
            Self::Classes(statistics) => statistics.encode(writer),
        }
    }

    /// Reads the whole of `bytes` as one set of statistics. The numbers are not judged: see `check`.
    ///
    /// # Errors
    /// `Truncated`, `Foreign`, `TooNew`, `Corrupt`, or `Limit` for more features or classes than the bounds above.
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
        let statistics = match form {
            FORM_CO_MOMENTS if version > 1 => return Err(CoreError::TooNew),
            FORM_CO_MOMENTS => Self::CoMoments(CoMoments::decode_fields(d, &mut reader)?),
            FORM_CLASSES => Self::Classes(ClassStatistics::decode_fields(d, version, &mut reader)?),
            _ => return Err(CoreError::Foreign),
        };
        reader.finish()?;
        Ok(statistics)
    }

    /// Appends the byte form behind its length, for a checkpoint.
    pub fn save(&self, writer: &mut Writer) {
        let at = writer.len();
        writer.u32(0);
        self.encode(writer);
        let length = writer.len() - at - 4;
        writer.patch_u32(
            at,
            u32::try_from(length).expect("the bounds keep statistics under 64 MiB"),
        );
    }

    /// Reads what `save` wrote.
    ///
    /// # Errors
    /// As `decode`, and as `check`.
    pub fn load(reader: &mut Reader) -> Result<Self> {
        let statistics = Self::decode(reader.bytes()?)?;
        statistics.check()?;
        Ok(statistics)
    }
}

/// Appends magic, version, form and the number of features.
fn encode_header(writer: &mut Writer, version: u16, form: u8, d: usize) {
    writer.raw(MAGIC);
    writer.u16(version);
    writer.u8(form);
    writer.u8(0);
    writer.u32(u32::try_from(d).expect("d is at most FEATURES_MAX"));
}

/// Takes `count` numbers, checking that they are there before anything is allocated.
fn numbers(reader: &mut Reader, count: usize) -> Result<Vec<f64>> {
    if reader.remaining() / 8 < count {
        return Err(CoreError::Truncated);
    }
    let (numbers, _) = reader.raw(8 * count)?.as_chunks::<8>();
    Ok(numbers.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect())
}

/// Refuses a value that could make a sum overflow; NaN and infinities too.
fn is_value(value: f64) -> bool {
    value.abs() <= VALUE_ABS_MAX
}

/// Refuses what cannot be a number of rows.
fn is_count(n: f64) -> bool {
    (0.0..=ROWS_MAX).contains(&n)
}
