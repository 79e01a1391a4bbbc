//! Change of a whole row at once: means that move together, and columns that no longer go together though each alone is
//! what it was. The squared Mahalanobis distance of the mean of a few rows from the mean so far (Hotelling's T²), in the
//! metric of the co-moments so far, is one number for a detector of numbers; it grows by a move of any columns and by a
//! change of how they hang together.
//!
//! Rows wider than `WIDTH_MAX` are first sketched: standardised columns are summed with random signs into that many
//! numbers (Achlioptas 2003), which keeps distances between rows up to a few percent.
//!
//! Papers: Hotelling, "Multivariate quality control" (1947); Achlioptas, "Database-friendly random projections" (2003).
//! Memory: 8 w² bytes for width w. Cost: w² / 2 multiplications per row (and d additions of w numbers where sketched), a
//! factoring of w³ / 6 at each power of two of batches.

use crate::cholesky::{Cholesky, packed_length, row_start};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

/// Widest row that is measured as it is; wider ones are sketched to this.
const WIDTH_MAX: usize = 32;
/// Rows whose mean is measured.
const BATCH: u32 = 16;
/// Batches before the first measure, and how many rows there are for each number in one.
const FIRST_METRIC: u64 = 32;
const ROWS_PER_NUMBER: u64 = 8;
/// Inputs are held to this many deviations: one outlier is no drift.
const HELD: f64 = 4.0;
/// Added to the diagonal, in units of it: columns that say the same are no reason to fail.
const RIDGE: f64 = 1e-3;

/// Running mean and deviation of a column.
#[derive(Clone, Copy, Debug, Default)]
struct Column {
    n: f64,
    mean: f64,
    squares: f64,
}

impl Column {
    /// The value in deviations from the mean of those before it; 0 for a missing one.
    fn measure(&mut self, x: f64) -> f64 {
        let Some(x) = super::usable(x) else { return 0.0 };
        let off = x - self.mean;
        let deviation = if self.n > 1.0 {
            (self.squares / (self.n - 1.0)).sqrt()
        } else {
            0.0
        };
        self.n += 1.0;
        self.mean += off / self.n;
        let squares = self.squares + off * (x - self.mean);
        self.squares = if squares.is_finite() { squares } else { self.squares };
        if off == 0.0 {
            return 0.0;
        }
        let z = off / deviation; // infinite where a constant leaves its value
        let z = if z > -HELD { z } else { -HELD };
        if z < HELD { z } else { HELD }
    }
}

/// The measure: rows in, one number per batch of them out.
#[derive(Debug)]
pub struct Hotelling {
    columns: Vec<Column>,
    width: usize,
    /// Rows since it began, and the sum of those of the open batch.
    rows: u64,
    sum: Vec<f64>,
    /// Means and centred co-moments of the rows since it began.
    means: Vec<f64>,
    scatter: Vec<f64>,
    /// Where distances are measured from and in which metric; none before the first is due.
    center: Vec<f64>,
    factor: Option<Cholesky>,
    /// Batches after which the metric was made.
    metric_at: u64,
    /// Working memory, never state.
    z: Vec<f64>,
    deviation: Vec<f64>,
}

impl Hotelling {
    /// A measure of rows of `d` numbers.
    #[must_use]
    pub fn new(d: usize) -> Self {
        let width = d.min(WIDTH_MAX);
        Self {
            columns: vec![Column::default(); d],
            width,
            rows: 0,
            sum: vec![0.0; width],
            means: vec![0.0; width],
            scatter: vec![0.0; packed_length(width)],
            center: Vec::new(),
            factor: None,
            metric_at: 0,
            z: Vec::new(),
            deviation: vec![0.0; width],
        }
    }

    /// Forgets what rows were like, but for the scale of the columns.
    pub fn begin(&mut self) {
        let columns = core::mem::take(&mut self.columns);
        *self = Self {
            columns: Vec::new(),
            ..Self::new(columns.len())
        };
        self.columns = columns;
    }

    /// Takes a row; the distance of its batch, when that is full and there is a metric: 1 on average while nothing changes.
    pub fn push(&mut self, x: &[f64]) -> Option<f64> {
        if self.width == 0 {
            return None;
        }
        self.standardise(x);
        self.rows += 1;
        let n = self.rows as f64;
        for at in 0..self.width {
            let off = self.z[at] - self.means[at];
            self.means[at] += off / n;
            self.deviation[at] = off;
            self.sum[at] += self.z[at];
        }
        let share = (n - 1.0) / n;
        for row in 0..self.width {
            let scale = share * self.deviation[row];
            let cells = &mut self.scatter[row_start(row)..][..=row];
            for (cell, &other) in cells.iter_mut().zip(&self.deviation) {
                *cell += scale * other;
            }
        }
        if !self.rows.is_multiple_of(u64::from(BATCH)) {
            return None;
        }
        let distance = self.distance();
        self.sum.fill(0.0);
        let batches = self.rows / u64::from(BATCH);
        let enough = batches >= FIRST_METRIC && self.rows >= ROWS_PER_NUMBER * self.width as u64;
        if enough && batches.is_power_of_two() {
            self.metric_at = batches;
            self.center.clone_from(&self.means);
            self.factor = self.metric(n);
        }
        distance
    }

    fn standardise(&mut self, x: &[f64]) {
        self.z.clear();
        if self.columns.len() <= WIDTH_MAX {
            let columns = self.columns.iter_mut().zip(x);
            self.z.extend(columns.map(|(column, &x)| column.measure(x)));
            self.z.resize(self.width, 0.0);
            return;
        }
        self.z.resize(self.width, 0.0);
        for (place, (column, &x)) in self.columns.iter_mut().zip(x).enumerate() {
            let z = column.measure(x);
            let signs = signs(place as u64);
            for (at, sum) in self.z.iter_mut().enumerate() {
                *sum += if signs >> at & 1 == 0 { z } else { -z };
            }
        }
    }

    /// Distance of the open batch, per number in a row.
    fn distance(&mut self) -> Option<f64> {
        let factor = self.factor.as_ref()?;
        let scale = 1.0 / f64::from(BATCH);
        for (at, off) in self.deviation.iter_mut().enumerate() {
            *off = self.sum[at] * scale - self.center[at];
        }
        factor.whiten(&mut self.deviation);
        let length = crate::cholesky::dot(&self.deviation, &self.deviation);
        Some(f64::from(BATCH) * length / self.width as f64)
    }

    /// The covariance so far, factored.
    fn metric(&self, n: f64) -> Option<Cholesky> {
        let mut covariance: Vec<f64> = self.scatter.iter().map(|sum| sum / n).collect();
        for row in 0..self.width {
            let diagonal = &mut covariance[row_start(row) + row];
            *diagonal += RIDGE * (1.0 + *diagonal);
        }
        Cholesky::new(self.width, covariance, 1e-12).ok()
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        for column in &self.columns {
            for number in [column.n, column.mean, column.squares] {
                writer.f64(number);
            }
        }
        writer.u64(self.rows);
        for &number in self.sum.iter().chain(&self.means).chain(&self.scatter) {
            writer.f64(number);
        }
        writer.u64(self.metric_at);
        writer.f64s(&self.center);
        writer.bool(self.factor.is_some());
        if let Some(factor) = &self.factor {
            for &number in factor.packed() {
                writer.f64(number);
            }
        }
    }

    /// Reads what `save` of a measure of as many columns wrote.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(&mut self, reader: &mut Reader) -> Result<()> {
        for column in &mut self.columns {
            for number in [&mut column.n, &mut column.mean, &mut column.squares] {
                *number = reader.f64()?;
            }
            if column.n < 0.0 || column.squares.is_nan() || column.squares < 0.0 {
                return Err(CoreError::Corrupt);
            }
        }
        self.rows = reader.counter()?;
        for number in self.sum.iter_mut().chain(&mut self.means).chain(&mut self.scatter) {
            *number = reader.f64()?;
        }
        self.metric_at = reader.counter()?;
        self.center = reader.f64s()?;
        self.factor = None;
        if reader.bool()? {
            let packed = (0..packed_length(self.width)).map(|_| reader.f64());
            self.factor = Some(Cholesky::from_packed(self.width, packed.collect::<Result<_>>()?)?);
        }
        let measured = self.metric_at > 0;
        if self.center.len() == if measured { self.width } else { 0 } && (measured || self.factor.is_none()) {
            Ok(())
        } else {
            Err(CoreError::Corrupt)
        }
    }
}

/// The signs with which a column goes into the numbers of a sketch: splitmix64 of its place.
fn signs(place: u64) -> u64 {
    let z = place.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
