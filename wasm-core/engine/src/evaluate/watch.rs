//! A drift detector on the error of an evaluation: in the order in which labels are learned, as a live task would see them.

use std::fmt::Write as _;

use crate::drift::DriftSpec;
use crate::drift::watch::Line;

/// Alarms whose row is kept; later ones are counted.
const ROWS_MAX: usize = 1000;

/// The detector and what it said.
pub(super) struct Watch {
    line: Line,
    alarms: u64,
    rows: Vec<u64>,
}

impl Watch {
    pub(super) fn new(spec: DriftSpec) -> Self {
        Self {
            line: Line::new(spec, true),
            alarms: 0,
            rows: Vec::new(),
        }
    }

    /// An error, learned when so many rows had been scored.
    pub(super) fn learned(&mut self, error: f64, scored: u64) {
        if self.line.push(error).is_some() {
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
