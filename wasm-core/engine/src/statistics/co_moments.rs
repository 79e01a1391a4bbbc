//! Co-moments of features and a numeric target: count, means and centred sums of products (Welford 1962; merge by
//! Chan, Golub and LeVeque 1979). All a linear regression needs to know of its rows.

use crate::cholesky::packed_length;
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

use super::scatter::Precision;
use super::{FORM_CO_MOMENTS, encode_header, is_count, is_value, numbers, scatter};

/// Count, means and centred co-moments of `d` features and the target, which comes last.
#[derive(Debug, PartialEq)]
pub struct CoMoments {
    d: usize,
    n: f64,
    means: Vec<f64>,
    scatter: Vec<f64>,
}

impl Clone for CoMoments {
    fn clone(&self) -> Self {
        Self {
            means: self.means.clone(),
            scatter: self.scatter.clone(),
            ..*self
        }
    }

    /// In the memory that is there.
    fn clone_from(&mut self, source: &Self) {
        (self.d, self.n) = (source.d, source.n);
        self.means.clone_from(&source.means);
        self.scatter.clone_from(&source.scatter);
    }
}

impl CoMoments {
    /// No rows of `d` features.
    #[must_use]
    pub fn new(d: usize) -> Self {
        Self {
            d,
            n: 0.0,
            means: vec![0.0; d + 1],
            scatter: vec![0.0; packed_length(d + 1)],
        }
    }

    /// Adds one row. Costs (d+1)²/2 multiplications. A row with a value that is not finite, or larger than
    /// `VALUE_ABS_MAX`, is not added, and the answer is false.
    pub fn push(&mut self, x: &[f64], y: f64) -> bool {
        assert_eq!(x.len(), self.d, "a row has one value per feature");
        if !is_value(y) || !x.iter().copied().all(is_value) {
            return false;
        }
        let n = self.n + 1.0;
        let mut deviation = Vec::with_capacity(self.d + 1);
        for (mean, &value) in self.means.iter_mut().zip(x.iter().chain(core::iter::once(&y))) {
            let difference = value - *mean;
            *mean += difference / n;
            deviation.push(difference);
        }
        scatter::add_square(&mut self.scatter, &deviation, self.n / n);
        self.n = n;
        true
    }

    /// Adds one row that counts as `weight` rows (above 0). `deviation` is working memory. Otherwise as `push`.
    pub fn push_weighted(&mut self, x: &[f64], y: f64, weight: f64, deviation: &mut Vec<f64>) -> bool {
        assert_eq!(x.len(), self.d, "a row has one value per feature");
        if !is_value(y) || !x.iter().copied().all(is_value) {
            return false;
        }
        let n = self.n + weight;
        let share = weight / n;
        deviation.clear();
        for (mean, &value) in self.means.iter_mut().zip(x.iter().chain(core::iter::once(&y))) {
            let difference = value - *mean;
            *mean += difference * share;
            deviation.push(difference);
        }
        scatter::add_square(&mut self.scatter, deviation, self.n * share);
        self.n = n;
        true
    }

    /// Adds the rows of `other`, which has the same number of features.
    pub fn merge(&mut self, other: &Self) {
        self.merge_within(other, &mut Vec::new());
    }

    /// As `merge`, in the working memory `deviation`.
    pub(super) fn merge_within(&mut self, other: &Self, deviation: &mut Vec<f64>) {
        assert_eq!(self.d, other.d, "co-moments of one schema are merged");
        if other.n == 0.0 {
            return;
        }
        if self.n == 0.0 {
            self.clone_from(other);
            return;
        }
        let n = self.n + other.n;
        let share = other.n / n;
        deviation.clear();
        deviation.extend(self.means.iter_mut().zip(&other.means).map(|(mean, &theirs)| {
            let difference = theirs - *mean;
            *mean += difference * share;
            difference
        }));
        scatter::add_both(&mut self.scatter, &other.scatter, deviation, self.n * share);
        self.n = n;
    }

    /// Bytes of memory behind it.
    pub(super) fn memory_bytes(&self) -> usize {
        8 * (self.means.len() + self.scatter.len())
    }

    /// Features in the vector.
    #[must_use]
    pub fn d(&self) -> usize {
        self.d
    }

    /// Rows added so far.
    #[must_use]
    pub fn n(&self) -> f64 {
        self.n
    }

    /// Means of the features, then of the target.
    #[must_use]
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// Centred co-moments of the features and, in the last row, the target: packed lower triangle by rows.
    #[must_use]
    pub fn scatter(&self) -> &[f64] {
        &self.scatter
    }

    /// Checks what honest co-moments obey.
    ///
    /// # Errors
    /// `BadNumbers`.
    pub fn check(&self) -> Result<()> {
        let empty = self.n == 0.0;
        let means_fit = self.means.iter().all(|&mean| is_value(mean) && (!empty || mean == 0.0));
        if !is_count(self.n) || !means_fit {
            return Err(CoreError::BadNumbers);
        }
        scatter::check(self.d + 1, &self.scatter, self.n)
    }

    /// Appends the byte form of FORMATS.md section 6.
    pub fn encode(&self, writer: &mut Writer) {
        encode_header(writer, 1, FORM_CO_MOMENTS, self.d);
        writer.f64(self.n);
        for &number in self.means.iter().chain(&self.scatter) {
            writer.f64(number);
        }
    }

    /// Checks what honest co-moments of weighted rows obey, whose correlations were rounded to 32 bits on the way.
    ///
    /// # Errors
    /// `BadNumbers`.
    pub(super) fn check_compact(&self) -> Result<()> {
        if !is_count(self.n) || !self.means.iter().copied().all(is_value) {
            return Err(CoreError::BadNumbers);
        }
        scatter::check_within(self.d + 1, &self.scatter, self.n, scatter::COMPACT_TOLERANCE)
    }

    /// Appends weight, means and the scatter as deviations (f64) and correlations.
    pub(super) fn encode_compact(&self, precision: Precision, writer: &mut Writer) {
        writer.f64(self.n);
        for &mean in &self.means {
            writer.f64(mean);
        }
        scatter::encode_compact(self.d + 1, &self.scatter, precision, writer);
    }

    /// Reads what `encode_compact` wrote.
    pub(super) fn decode_compact(d: usize, precision: Precision, reader: &mut Reader) -> Result<Self> {
        let n = reader.f64()?;
        let means = numbers(reader, d + 1)?;
        let scatter = scatter::decode_compact(d + 1, precision, reader)?;
        Ok(Self { d, n, means, scatter })
    }

    /// Appends every bit, for a checkpoint.
    pub fn save(&self, writer: &mut Writer) {
        for &number in core::iter::once(&self.n).chain(&self.means).chain(&self.scatter) {
            writer.f64(number);
        }
    }

    /// Reads what `save` wrote of `d` features.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn load(d: usize, reader: &mut Reader) -> Result<Self> {
        Self::decode_fields(d, reader)
    }

    /// Reads the fields behind the header.
    pub(super) fn decode_fields(d: usize, reader: &mut Reader) -> Result<Self> {
        let n = reader.f64()?;
        let means = numbers(reader, d + 1)?;
        let scatter = numbers(reader, packed_length(d + 1))?;
        Ok(Self { d, n, means, scatter })
    }
}
