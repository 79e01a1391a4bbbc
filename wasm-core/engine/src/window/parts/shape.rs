//! Third and fourth central moments, for skew and kurtosis. P. Pébay, "Formulas for Robust, One-Pass Parallel Computation
//! of Covariances and Arbitrary-Order Statistical Moments", SAND2008-6212: no difference of large sums anywhere.

use super::{Part, number};
use crate::codec::{Reader, Writer};
use crate::error::Result;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    count: u64,
    mean: f64,
    m2: f64,
    m3: f64,
    m4: f64,
}

impl Shape {
    pub(super) fn new() -> Self {
        Self {
            count: 0,
            mean: 0.0,
            m2: 0.0,
            m3: 0.0,
            m4: 0.0,
        }
    }

    pub(super) fn load(reader: &mut Reader) -> Result<Self> {
        Ok(Self {
            count: reader.counter()?,
            mean: reader.f64()?,
            m2: reader.f64()?,
            m3: reader.f64()?,
            m4: reader.f64()?,
        })
    }

    /// Skewness of the readings as a population; NaN when all are the same.
    #[must_use]
    pub fn skew(&self) -> f64 {
        number(self.count).sqrt() * self.m3 / (self.m2 * self.m2.sqrt())
    }

    /// Excess kurtosis of the readings as a population (a normal distribution has 0); NaN when all are the same.
    #[must_use]
    pub fn kurtosis(&self) -> f64 {
        number(self.count) * self.m4 / (self.m2 * self.m2) - 3.0
    }
}

impl Part for Shape {
    fn add(&mut self, _time_ms: f64, value: f64) {
        self.merge(&Self {
            count: 1,
            mean: value,
            ..Self::new()
        });
    }

    fn merge(&mut self, later: &Self) {
        if self.count == 0 || later.count == 0 {
            if self.count == 0 {
                self.clone_from(later);
            }
            return;
        }
        let (a, b) = (number(self.count), number(later.count));
        let n = a + b;
        let step = later.mean - self.mean;
        let (share, product) = (step / n, a * b);
        self.m4 += later.m4
            + step * share * share * share * product * (a * a - product + b * b)
            + 6.0 * share * share * (a * a * later.m2 + b * b * self.m2)
            + 4.0 * share * (a * later.m3 - b * self.m3);
        self.m3 += later.m3 + step * share * share * product * (a - b) + 3.0 * share * (a * later.m2 - b * self.m2);
        self.m2 += later.m2 + step * share * product;
        self.mean += share * b;
        self.count += later.count;
    }

    fn save(&self, writer: &mut Writer) {
        writer.u64(self.count);
        for value in [self.mean, self.m2, self.m3, self.m4] {
            writer.f64(value);
        }
    }
}
