//! Correlation of the readings with those a number of readings earlier (Pearson's, of the pairs), from centred co-moments
//! (T. Chan, G. Golub, R. LeVeque, 1979).

use super::{Part, number};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

/// Readings back at most.
pub const LAG_MAX: usize = 64;

/// Centred co-moments of pairs.
#[derive(Clone, Debug, Default, PartialEq)]
struct Pairs {
    count: u64,
    a: f64,
    b: f64,
    aa: f64,
    bb: f64,
    ab: f64,
}

impl Pairs {
    fn merge(&mut self, other: &Self) {
        if self.count == 0 || other.count == 0 {
            if self.count == 0 {
                self.clone_from(other);
            }
            return;
        }
        let (mine, theirs) = (number(self.count), number(other.count));
        let (a, b, share) = (other.a - self.a, other.b - self.b, theirs / (mine + theirs));
        self.aa += other.aa + a * a * mine * share;
        self.bb += other.bb + b * b * mine * share;
        self.ab += other.ab + a * b * mine * share;
        self.a += a * share;
        self.b += b * share;
        self.count += other.count;
    }

    fn add(&mut self, a: f64, b: f64) {
        self.merge(&Self {
            count: 1,
            a,
            b,
            ..Self::default()
        });
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Autocorrelation {
    lag: usize,
    pairs: Pairs,
    /// The first and the last readings, at most `lag` each, in order.
    head: Vec<f64>,
    tail: Vec<f64>,
}

impl Autocorrelation {
    pub(super) fn new(lag: usize) -> Self {
        Self {
            lag,
            pairs: Pairs::default(),
            head: Vec::new(),
            tail: Vec::new(),
        }
    }

    pub(super) fn load(lag: usize, reader: &mut Reader) -> Result<Self> {
        let pairs = Pairs {
            count: reader.counter()?,
            a: reader.f64()?,
            b: reader.f64()?,
            aa: reader.f64()?,
            bb: reader.f64()?,
            ab: reader.f64()?,
        };
        let (head, tail) = (reader.f64s()?, reader.f64s()?);
        if head.len() > lag || tail.len() != head.len() {
            return Err(CoreError::Corrupt);
        }
        Ok(Self { lag, pairs, head, tail })
    }

    /// From -1 to 1; NaN when it is not defined.
    #[must_use]
    pub fn correlation(&self) -> f64 {
        self.pairs.ab / (self.pairs.aa * self.pairs.bb).sqrt()
    }
}

impl Part for Autocorrelation {
    fn add(&mut self, _time_ms: f64, value: f64) {
        if self.head.len() < self.lag {
            self.head.push(value);
        }
        if self.tail.len() == self.lag {
            let before = self.tail.remove(0);
            self.pairs.add(before, value);
        }
        self.tail.push(value);
    }

    fn merge(&mut self, later: &Self) {
        // The pairs across the border are those that the later head completes.
        later.head.iter().for_each(|&value| self.add(0.0, value));
        if later.head.len() == self.lag {
            self.pairs.merge(&later.pairs);
            self.tail.clone_from(&later.tail);
        }
    }

    fn save(&self, writer: &mut Writer) {
        let Pairs {
            count,
            a,
            b,
            aa,
            bb,
            ab,
        } = self.pairs;
        writer.u64(count);
        for value in [a, b, aa, bb, ab] {
            writer.f64(value);
        }
        writer.f64s(&self.head);
        writer.f64s(&self.tail);
    }
}
