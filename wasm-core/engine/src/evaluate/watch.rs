//! A drift detector on the error of an evaluation: in the order in which labels are learned, as a live task would see them.

use std::fmt::Write as _;

use crate::drift::{Detector, Kind, Verdict, new};

/// Alarms whose row is kept; later ones are counted.
const ROWS_MAX: usize = 1000;

/// What to watch the error with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DriftSpec {
    /// The detector.
    pub kind: Kind,
    /// Rows between two false alarms.
    pub run_length: f64,
}

/// The detector and what it said.
pub(super) struct Watch {
    detector: Box<dyn Detector>,
    alarms: u64,
    rows: Vec<u64>,
}

impl Watch {
    pub(super) fn new(spec: DriftSpec) -> Self {
        Self {
            detector: new(spec.kind, spec.run_length),
            alarms: 0,
            rows: Vec::new(),
        }
    }

    /// An error, learned when so many rows had been scored.
    pub(super) fn learned(&mut self, error: f64, scored: u64) {
        if self.detector.update(error) == Verdict::Drift {
            self.alarms += 1;
            if self.rows.len() < ROWS_MAX {
                self.rows.push(scored);
            }
        }
    }

    /// Adds `"drift":{"alarms":n,"rows":[…]}` to a report, behind a comma.
    pub(super) fn report(&self, text: &mut String) {
        let rows: Vec<String> = self.rows.iter().map(u64::to_string).collect();
        let _ = write!(
            text,
            ",\"drift\":{{\"alarms\":{},\"rows\":[{}]}}",
            self.alarms,
            rows.join(",")
        );
    }
}
