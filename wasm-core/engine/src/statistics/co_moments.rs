//! Co-moments of features and a numeric target: count, means and centred sums of products (Welford 1962; merge by
//! Chan, Golub and LeVeque 1979). All a linear regression needs to know of its rows.

use crate::cholesky::packed_length;
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

use super::{FORM_CO_MOMENTS, encode_header, is_count, is_value, numbers, scatter};

/// Count, means and centred co-moments of `d` features and the target, which comes last.
#[derive(Clone, Debug, PartialEq)]
pub struct CoMoments {
    d: usize,
    n: f64,
    means: Vec<f64>,
    scatter: Vec<f64>,
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

    /// Adds the rows of `other`, which has the same number of features.
    pub fn merge(&mut self, other: &Self) {
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
        let mut deviation = Vec::with_capacity(self.d + 1);
        for (mean, &theirs) in self.means.iter_mut().zip(&other.means) {
            let difference = theirs - *mean;
            *mean += difference * share;
            deviation.push(difference);
        }
        scatter::add(&mut self.scatter, &other.scatter);
        scatter::add_square(&mut self.scatter, &deviation, self.n * share);
        self.n = n;
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
        encode_header(writer, FORM_CO_MOMENTS, self.d);
        writer.f64(self.n);
        for &number in self.means.iter().chain(&self.scatter) {
            writer.f64(number);
        }
    }

    /// Reads the fields behind the header.
    pub(super) fn decode_fields(d: usize, reader: &mut Reader) -> Result<Self> {
        let n = reader.f64()?;
        let means = numbers(reader, d + 1)?;
        let scatter = numbers(reader, packed_length(d + 1))?;
        Ok(Self { d, n, means, scatter })
    }
}
