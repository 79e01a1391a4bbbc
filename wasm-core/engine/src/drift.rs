//! Drift detectors: each watches one number per row (an error, a prediction, a feature) and says when its mean, or its
//! distribution, is no longer what it was. One small file each under one contract.
//!
//! A detector made by [`new`] is set by what a false alarm costs: the values between two of them while nothing changes (the
//! expected run length), not by a threshold that means something else in each. It takes numbers of any unit.

pub mod adwin;
pub mod batches;
pub mod binary;
pub mod cusum;
pub mod ddm;
pub mod eddm;
pub mod hddm_a;
pub mod hddm_w;
pub mod kswin;
mod mean;
pub mod multivariate;
pub mod page_hinkley;
pub mod standard;
pub mod streams;
pub mod watch;

use crate::codec::{Reader, Writer};
use crate::error::Result;

use adwin::Adwin;
use binary::Exceeding;
use cusum::{Cusum, threshold_for};
use ddm::Ddm;
use eddm::Eddm;
use hddm_a::HddmA;
use hddm_w::HddmW;
use kswin::Kswin;
use page_hinkley::PageHinkley;
use standard::Standardised;

/// What a detector says after a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing has changed.
    Stable,
    /// Something may be changing (DDM, EDDM and HDDM only).
    Warning,
    /// It has changed. The detector has begun anew, or keeps what belongs to the new world.
    Drift,
}

/// The contract. State is a few numbers or a bounded window; `update` allocates nothing once that is full.
pub trait Detector: core::fmt::Debug {
    /// Takes the next value. One that is not finite is passed over as `Stable`.
    fn update(&mut self, x: f64) -> Verdict;

    /// After `Drift`, the means of the values before the change and since, where the detector knows them.
    fn means(&self) -> Option<[f64; 2]> {
        None
    }

    /// Forgets what was seen.
    fn reset(&mut self);

    /// Writes the state, in canonical form; not the settings.
    fn save(&self, writer: &mut Writer);

    /// Reads what `save` of a detector with the same settings wrote.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    fn load(&mut self, reader: &mut Reader) -> Result<()>;
}

/// Shortest and longest run length that can be asked for.
pub const RUN_LENGTHS: [f64; 2] = [1e3, 1e7];

/// Larger values count as this: their squares can still be summed.
const VALUE_ABS_MAX: f64 = 1e100;

/// A value as detectors take it; `None` for one that is not finite.
fn usable(x: f64) -> Option<f64> {
    let low = if x > -VALUE_ABS_MAX { x } else { -VALUE_ABS_MAX };
    let held = if low < VALUE_ABS_MAX { low } else { VALUE_ABS_MAX };
    x.is_finite().then_some(held)
}

/// The detectors there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Adaptive windowing.
    Adwin,
    /// The Page-Hinkley test.
    PageHinkley,
    /// Cumulative sums.
    Cusum,
    /// Drift detection method.
    Ddm,
    /// Early drift detection method.
    Eddm,
    /// Hoeffding's bound, plain means.
    HddmA,
    /// McDiarmid's bound, weighted means.
    HddmW,
    /// Kolmogorov-Smirnov windowing.
    Kswin,
}

impl Kind {
    /// All of them with the names they have in plans and reports.
    pub const ALL: [(&'static str, Self); 8] = [
        ("adwin", Self::Adwin),
        ("page_hinkley", Self::PageHinkley),
        ("cusum", Self::Cusum),
        ("ddm", Self::Ddm),
        ("eddm", Self::Eddm),
        ("hddm_a", Self::HddmA),
        ("hddm_w", Self::HddmW),
        ("kswin", Self::Kswin),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|&&(_, kind)| kind == self)
            .map_or("", |(name, _)| name)
    }

    /// The detector of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|&(_, kind)| kind)
    }
}

/// A detector and what a false alarm costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DriftSpec {
    /// The detector.
    pub kind: Kind,
    /// Values between two false alarms, within [`RUN_LENGTHS`].
    pub run_length: f64,
}

/// A detector with about this many values between two false alarms, held to [`RUN_LENGTHS`].
///
/// CUSUM and Page-Hinkley follow Siegmund's approximation. The settings of the others are power laws through run lengths
/// measured on streams 0 and 5 of [`streams`] (errors of 0 and 1 at 20 %, and normal numbers; the less of both for ADWIN
/// and KSWIN, errors alone for those that are made for them), begun anew every 10,000 values: DDM and EDDM alarm mostly in
/// their first hundreds of values and hardly ever later.
#[must_use]
pub fn new(kind: Kind, run_length: f64) -> Box<dyn Detector> {
    let [least, most] = RUN_LENGTHS;
    let run = if run_length > least { run_length } else { least };
    let run = if run < most { run } else { most };
    match kind {
        Kind::Adwin => Box::new(Adwin::new(0.1 * libm::pow(9_000.0 / run, 0.8), 8).scaled()),
        Kind::Cusum => Box::new(Cusum::new(0.125, threshold_for(0.125, run))),
        Kind::PageHinkley => Box::new(Standardised::new(PageHinkley::new(0.1, threshold_for(0.1, run), 1.0))),
        Kind::Ddm => {
            let alarm = 3.0 + 1.15 * (libm::log10(run) - 4.3);
            Box::new(Exceeding::new(Ddm::new(alarm - 1.0, alarm)))
        }
        Kind::Eddm => {
            let alarm = 0.7 - 0.2 * (libm::log10(run) - 4.14);
            Box::new(Exceeding::new(Eddm::new(alarm + 0.05, alarm)))
        }
        Kind::HddmA => Box::new(Exceeding::new(HddmA::new(75.0 / run, 375.0 / run, true))),
        Kind::HddmW => Box::new(Exceeding::new(HddmW::new(12.0 / run, 60.0 / run, 0.05, true))),
        Kind::Kswin => Box::new(Kswin::new(5.6 / run)),
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod watch_laws;
