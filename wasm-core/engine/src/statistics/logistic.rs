//! The information form of a one-pass second-order logistic regression: per class the rows as weighted co-moments of the
//! features and the working response `t = z + (y - p) / h`, each with weight `h = p (1 - p)`, less where the score was
//! uncertain (FORMATS.md section 6). That is the quadratic around the score z that the row was predicted with (McCullagh &
//! Nelder 1989, 2.5), centred and merged by Chan's formula: a release is then one weighted ridge per class.
//!
//! A class that a gateway has never met was "no" in all of its rows, and that is knowledge too. So one more set stands
//! for any class not known here; in a merge it speaks for the classes that only others know.

use crate::codec::{Reader, Writer};
use crate::error::Result;

use super::CoMoments;
use super::scatter::Precision;

/// One set per class, in the order of the class statistics beside it, and one for any other class.
#[derive(Clone, Debug, PartialEq)]
pub struct Logistic {
    classes: Vec<CoMoments>,
    other: CoMoments,
}

impl Logistic {
    /// From sets that were made elsewhere; all of one number of features.
    #[must_use]
    pub fn new(classes: Vec<CoMoments>, other: CoMoments) -> Self {
        Self { classes, other }
    }

    /// One set per class.
    #[must_use]
    pub fn classes(&self) -> &[CoMoments] {
        &self.classes
    }

    /// The set of any class that is not listed.
    #[must_use]
    pub fn other(&self) -> &CoMoments {
        &self.other
    }

    /// The sets of the classes `labels`, of which these are `known` (both in byte order).
    #[must_use]
    pub(super) fn spread(&self, known: &[&str], labels: &[&str]) -> Self {
        let set = |label: &&str| {
            known
                .binary_search(label)
                .map_or(&self.other, |at| &self.classes[at])
                .clone()
        };
        Self {
            classes: labels.iter().map(set).collect(),
            other: self.other.clone(),
        }
    }

    /// Adds sets of the same classes.
    pub(super) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.classes.iter_mut().zip(&other.classes) {
            mine.merge(theirs);
        }
        self.other.merge(&other.other);
    }

    /// Bytes of memory behind it.
    pub(super) fn memory_bytes(&self) -> usize {
        (self.classes.len() + 1) * self.other.memory_bytes()
    }

    /// Checks each set.
    pub(super) fn check(&self) -> Result<()> {
        self.sets().try_for_each(CoMoments::check_compact)
    }

    /// Its sets, that of any other class last.
    pub(crate) fn sets(&self) -> impl Iterator<Item = &CoMoments> {
        self.classes.iter().chain(core::iter::once(&self.other))
    }

    pub(crate) fn encode(&self, precision: Precision, writer: &mut Writer) {
        for set in self.sets() {
            set.encode_compact(precision, writer);
        }
    }

    pub(crate) fn decode(d: usize, classes: usize, precision: Precision, reader: &mut Reader) -> Result<Self> {
        let classes = (0..classes)
            .map(|_| CoMoments::decode_compact(d, precision, reader))
            .collect::<Result<_>>()?;
        Ok(Self {
            classes,
            other: CoMoments::decode_compact(d, precision, reader)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ClassStatistics, Statistics};
    use super::*;

    /// Rows of one feature; the response is `slope` times it.
    fn set(rows: u32, slope: f64) -> CoMoments {
        let mut set = CoMoments::new(1);
        for row in 0..rows {
            let x = f64::from(row % 5);
            set.push_weighted(&[x], slope * x, 0.25, &mut Vec::new());
        }
        set
    }

    fn statistics(labels: &[&str], slope: f64) -> ClassStatistics {
        let mut statistics = ClassStatistics::new(1);
        for row in 0..10_u32 {
            for label in labels {
                statistics.push(&[f64::from(row)], label);
            }
        }
        let sets = labels.iter().map(|_| set(10, slope)).collect();
        statistics.with_logistic(Some(Logistic::new(sets, set(20, -1.0))), None)
    }

    #[test]
    fn a_class_that_one_side_never_met_was_no_in_all_of_its_rows() {
        let mut merged = statistics(&["a", "c"], 2.0);
        merged.merge(&statistics(&["b", "c"], 3.0));
        let own = merged.own().expect("both sent theirs");
        let weights: Vec<f64> = own.classes().iter().map(CoMoments::n).collect();
        assert_eq!(
            weights,
            [7.5, 7.5, 5.0],
            "a and b with the other's rows, c with both its own"
        );
        let mut of_a = set(10, 2.0);
        of_a.merge(&set(20, -1.0));
        assert_eq!(own.classes()[0], of_a);
        assert_eq!(own.other().n(), 10.0);
    }

    #[test]
    fn the_byte_form_keeps_all_but_the_last_bits_of_correlations() {
        let sent = Statistics::Classes(statistics(&["a", "b"], 2.0));
        let mut writer = Writer::new();
        sent.encode(&mut writer);
        let Ok(Statistics::Classes(read)) = Statistics::decode(writer.as_slice()) else {
            panic!("what was written can be read");
        };
        assert_eq!(read.check(), Ok(()));
        let (read, sent) = (&read.own().expect("sent").classes()[0], set(10, 2.0));
        assert_eq!(read.means(), sent.means());
        for (read, sent) in read.scatter().iter().zip(sent.scatter()) {
            assert!((read - sent).abs() <= 1e-6 * sent.abs(), "{read} for {sent}");
        }
        for length in 0..writer.len() {
            assert!(Statistics::decode(&writer.as_slice()[..length]).is_err());
        }
    }
}
