//! Class statistics: per class a count and the means of the features, and one scatter within classes for all of them.
//! All that linear discriminant analysis needs to know of its rows. Classes stand in byte order of their labels and
//! may appear at any time.

use crate::cholesky::{packed_length, row_start};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};

use super::scatter::Precision;
use super::{
    CLASSES_MAX, FORM_CLASSES, Logistic, VERSION, VERSION_FLOAT, encode_header, is_count, is_value, numbers, scatter,
};

/// Bits of the parts behind the scatter.
const OWN: u8 = 1;
const FORKED: u8 = 2;
/// The forked part is the own one, and is sent once (version 3).
const FORKED_IS_OWN: u8 = 4;
/// How much more than the pooled scatter a class's own squares may be by rounding.
const SQUARES_SLACK: f64 = 1e-9;

/// How the correlations of the two logistics travel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Precisions {
    /// Of the one that was made without any release.
    pub own: Precision,
    /// Of the one that was made on top of releases.
    pub forked: Precision,
}

/// One class: how often it came and the means of its features.
#[derive(Clone, Debug, PartialEq)]
pub struct Class {
    /// The label as it was published.
    pub label: String,
    /// Rows with this label; at least one.
    pub n: f64,
    /// Means of the features over those rows.
    pub means: Vec<f64>,
    /// Sums of squared deviations from those means.
    pub squares: Vec<f64>,
}

/// Counts and means by class, and the pooled scatter within classes, of `d` features.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassStatistics {
    d: usize,
    classes: Vec<Class>,
    scatter: Vec<f64>,
    own: Option<Logistic>,
    forked: Option<Logistic>,
}

impl ClassStatistics {
    /// No rows of `d` features.
    #[must_use]
    pub fn new(d: usize) -> Self {
        Self {
            d,
            classes: Vec::new(),
            scatter: vec![0.0; packed_length(d)],
            own: None,
            forked: None,
        }
    }

    /// The same with the information of the second-order logistic: `own` was made without any release, `forked` on top of
    /// releases. Both hold one set per class, in the order of `classes`.
    #[must_use]
    pub fn with_logistic(&self, own: Option<Logistic>, forked: Option<Logistic>) -> Self {
        Self {
            own,
            forked,
            ..self.clone()
        }
    }

    /// Information that depends on no release: taking a gateway out of it leaves a fleet that never had it.
    #[must_use]
    pub fn own(&self) -> Option<&Logistic> {
        self.own.as_ref()
    }

    /// Information gathered by experts that were forked from releases.
    #[must_use]
    pub fn forked(&self) -> Option<&Logistic> {
        self.forked.as_ref()
    }

    /// Adds one row. Costs d²/2 multiplications. A row with a value that is not finite, or larger than
    /// `VALUE_ABS_MAX`, or with a new label beyond `CLASSES_MAX`, is not added, and the answer is false.
    pub fn push(&mut self, x: &[f64], label: &str) -> bool {
        assert_eq!(x.len(), self.d, "a row has one value per feature");
        if !x.iter().copied().all(is_value) {
            return false;
        }
        let place = match self.find(label) {
            Ok(place) => place,
            Err(_) if self.classes.len() >= CLASSES_MAX => return false,
            Err(place) => {
                self.classes.insert(
                    place,
                    Class {
                        label: label.to_owned(),
                        n: 0.0,
                        means: vec![0.0; self.d],
                        squares: vec![0.0; self.d],
                    },
                );
                place
            }
        };
        let class = &mut self.classes[place];
        let n = class.n + 1.0;
        let mut deviation = Vec::with_capacity(self.d);
        let share = class.n / n;
        for ((mean, square), &value) in class.means.iter_mut().zip(&mut class.squares).zip(x) {
            let difference = value - *mean;
            *mean += difference / n;
            *square += difference * difference * share;
            deviation.push(difference);
        }
        scatter::add_square(&mut self.scatter, &deviation, share);
        class.n = n;
        true
    }

    /// Bytes of memory behind it, about.
    pub(super) fn memory_bytes(&self) -> usize {
        let classes: usize = self.classes.iter().map(|class| 16 * self.d + class.label.len()).sum();
        let logistics: usize = self.own.iter().chain(&self.forked).map(Logistic::memory_bytes).sum();
        classes + 8 * self.scatter.len() + logistics
    }

    /// Adds the rows of `other`, which has the same number of features. Classes are met in byte order of their labels.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.d, other.d, "class statistics of one schema are merged");
        let own = merged_logistic(self, &self.own, other, &other.own);
        let forked = merged_logistic(self, &self.forked, other, &other.forked);
        scatter::add(&mut self.scatter, &other.scatter);
        let mut deviation = vec![0.0; self.d];
        for theirs in &other.classes {
            let mine = match self.find(&theirs.label) {
                Ok(place) => &mut self.classes[place],
                Err(place) => {
                    self.classes.insert(place, theirs.clone());
                    continue;
                }
            };
            let n = mine.n + theirs.n;
            let share = theirs.n / n;
            for ((mean, &their_mean), difference) in mine.means.iter_mut().zip(&theirs.means).zip(&mut deviation) {
                *difference = their_mean - *mean;
                *mean += *difference * share;
            }
            for ((square, &more), difference) in mine.squares.iter_mut().zip(&theirs.squares).zip(&deviation) {
                *square += more + difference * difference * (mine.n * share);
            }
            scatter::add_square(&mut self.scatter, &deviation, mine.n * share);
            mine.n = n;
        }
        self.own = own;
        self.forked = forked;
    }

    /// Features in the vector.
    #[must_use]
    pub fn d(&self) -> usize {
        self.d
    }

    /// Rows added so far, over all classes.
    #[must_use]
    pub fn n(&self) -> f64 {
        self.classes.iter().fold(0.0, |sum, class| sum + class.n)
    }

    /// The classes in byte order of their labels.
    #[must_use]
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// Pooled scatter within classes: packed lower triangle by rows.
    #[must_use]
    pub fn scatter(&self) -> &[f64] {
        &self.scatter
    }

    /// Checks what honest class statistics obey.
    ///
    /// # Errors
    /// `BadNumbers`.
    pub fn check(&self) -> Result<()> {
        let fits = |class: &Class| {
            is_count(class.n) && class.n > 0.0 && class.means.iter().copied().all(is_value) && self.squares_fit(class)
        };
        if !self.classes.iter().all(fits) || !is_count(self.n()) {
            return Err(CoreError::BadNumbers);
        }
        for logistic in self.own.iter().chain(&self.forked) {
            logistic.check()?;
        }
        scatter::check(self.d, &self.scatter, self.n())
    }

    /// A class varies no more than all of them together.
    fn squares_fit(&self, class: &Class) -> bool {
        class.squares.iter().enumerate().all(|(i, &square)| {
            let pooled = self.scatter[row_start(i) + i];
            square >= 0.0 && square <= pooled * (1.0 + SQUARES_SLACK) + scatter::SQUARES_MIN
        })
    }

    /// Appends the byte form of FORMATS.md section 6, version 2.
    pub fn encode(&self, writer: &mut Writer) {
        encode_header(writer, VERSION_FLOAT, FORM_CLASSES, self.d);
        self.encode_classes(writer);
        writer.u8(u8::from(self.own.is_some()) * OWN + u8::from(self.forked.is_some()) * FORKED);
        for logistic in self.own.iter().chain(&self.forked) {
            logistic.encode(Precision::Float, writer);
        }
    }

    /// Appends version 3, which is for the way to the coordinator: logistics in fewer bits, and one that is there twice once.
    pub(crate) fn encode_sent(&self, precisions: &Precisions, writer: &mut Writer) {
        encode_header(writer, VERSION, FORM_CLASSES, self.d);
        self.encode_classes(writer);
        let same = self.forked.is_some() && self.own == self.forked;
        let forked = if same { None } else { self.forked.as_ref() };
        writer.u8(u8::from(self.own.is_some()) * OWN
            + u8::from(forked.is_some()) * FORKED
            + u8::from(same) * FORKED_IS_OWN);
        let parts = [(self.own.as_ref(), precisions.own), (forked, precisions.forked)];
        for (logistic, precision) in parts {
            let Some(logistic) = logistic else { continue };
            writer.u8(precision.code());
            logistic.encode(precision, writer);
        }
    }

    /// All that stands before the logistics.
    fn encode_classes(&self, writer: &mut Writer) {
        writer.u32(u32::try_from(self.classes.len()).expect("there are at most CLASSES_MAX classes"));
        for class in &self.classes {
            writer.str(&class.label);
            writer.f64(class.n);
            for &number in class.means.iter().chain(&class.squares) {
                writer.f64(number);
            }
        }
        for &number in &self.scatter {
            writer.f64(number);
        }
    }

    /// Reads the fields behind the header.
    pub(super) fn decode_fields(d: usize, version: u16, reader: &mut Reader) -> Result<Self> {
        let count = reader.count(12 + 8 * d)?;
        if count > CLASSES_MAX {
            return Err(CoreError::Limit);
        }
        let mut classes: Vec<Class> = Vec::with_capacity(count);
        for _ in 0..count {
            let label = reader.str()?.to_owned();
            if classes.last().is_some_and(|previous| previous.label >= label) {
                return Err(CoreError::Corrupt);
            }
            let n = reader.f64()?;
            let means = numbers(reader, d)?;
            let squares = if version == 1 {
                vec![0.0; d]
            } else {
                numbers(reader, d)?
            };
            classes.push(Class {
                label,
                n,
                means,
                squares,
            });
        }
        let scatter = numbers(reader, packed_length(d))?;
        let parts = if version == 1 { 0 } else { reader.u8()? };
        let floats = version <= VERSION_FLOAT;
        let known = if floats {
            OWN | FORKED
        } else {
            OWN | FORKED | FORKED_IS_OWN
        };
        if parts & !known != 0 || (parts & FORKED_IS_OWN != 0 && parts & (OWN | FORKED) != OWN) {
            return Err(CoreError::Foreign);
        }
        let mut part = |bit: u8| -> Result<Option<Logistic>> {
            if parts & bit == 0 {
                return Ok(None);
            }
            let precision = if floats {
                Precision::Float
            } else {
                Precision::read(classes.len() + 1, d + 1, reader)?
            };
            Logistic::decode(d, classes.len(), precision, reader).map(Some)
        };
        let (own, forked) = (part(OWN)?, part(FORKED)?);
        let forked = if parts & FORKED_IS_OWN == 0 {
            forked
        } else {
            own.clone()
        };
        Ok(Self {
            d,
            classes,
            scatter,
            own,
            forked,
        })
    }

    fn find(&self, label: &str) -> core::result::Result<usize, usize> {
        self.classes.binary_search_by(|class| class.label.as_str().cmp(label))
    }
}

/// The information of both, over the classes of both; of one alone where the other sent none.
fn merged_logistic(
    mine: &ClassStatistics,
    own: &Option<Logistic>,
    theirs: &ClassStatistics,
    other: &Option<Logistic>,
) -> Option<Logistic> {
    let (known, their_known) = (labels_of(mine), labels_of(theirs));
    let mut labels: Vec<&str> = known.iter().chain(&their_known).copied().collect();
    labels.sort_unstable();
    labels.dedup();
    let spread = own.as_ref().map(|logistic| logistic.spread(&known, &labels));
    let Some(other) = other else { return spread };
    let other = other.spread(&their_known, &labels);
    Some(match spread {
        None => other,
        Some(mut merged) => {
            merged.merge(&other);
            merged
        }
    })
}

fn labels_of(statistics: &ClassStatistics) -> Vec<&str> {
    statistics.classes.iter().map(|class| class.label.as_str()).collect()
}
