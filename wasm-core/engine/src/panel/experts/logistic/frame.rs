//! The coordinates of a gateway's own logistic: each feature about its mean, in standard deviations times its spread among
//! the features (`spread.rs`), as they were when its first values had come, and never again otherwise. A filter whose coordinates move with the running moments loses
//! what its first rows taught it (Synthetic IID: 77 % right for 89 %).

use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::experts::ClassRow;
use crate::panel::inputs::{Inputs, Map};
use crate::panel::linear::{load_numbers, save_numbers};
use crate::panel::number::hold;
use crate::spread::spreads;

/// Values of a feature before its place and scale are settled.
const SETTLED_ROWS: f64 = 10.0;
/// A settled input is held to this, so that no outlier overflows a covariance.
const INPUT_ABS_MAX: f64 = 1e3;

/// Per feature its centre and its spread over its deviation; 0 while it is not settled.
#[derive(Clone, Debug)]
pub struct Frame {
    centre: Vec<f64>,
    inverse: Vec<f64>,
    unsettled: bool,
}

impl Frame {
    /// Nothing is settled.
    #[must_use]
    pub fn new(d: usize) -> Self {
        Self {
            centre: vec![0.0; d],
            inverse: vec![0.0; d],
            unsettled: true,
        }
    }

    /// Settles the features of which enough values have come, and not all the same.
    pub fn settle(&mut self, inputs: &Inputs) {
        if !self.unsettled {
            return;
        }
        self.unsettled = false;
        let mut spread = Vec::new();
        for (column, (centre, inverse)) in self.centre.iter_mut().zip(&mut self.inverse).enumerate() {
            if *inverse == 0.0 {
                let moments = inputs.column(column);
                if moments.n() >= SETTLED_ROWS && moments.inverse_deviation() > 0.0 {
                    if spread.is_empty() {
                        spread = spreads((0..inputs.width(Map::Columns) - 1).map(|column| deviation(inputs, column)));
                    }
                    (*centre, *inverse) = (moments.mean(), spread[column] * moments.inverse_deviation());
                }
                self.unsettled |= *inverse == 0.0;
            }
        }
    }

    /// False for the first rows, which are predicted by the bias alone: what they would tell the fleet, around scores as far off
    /// as these and with a certainty that is not there, is worse than nothing (Synthetic IID: 1.4 points).
    #[must_use]
    pub fn any_settled(&self) -> bool {
        self.inverse.iter().any(|&inverse| inverse > 0.0)
    }

    /// A row in these coordinates, with a 1 for the bias behind it; what is missing or not settled is 0.
    pub fn inputs(&self, row: &ClassRow, out: &mut Vec<f64>) {
        out.clear();
        out.extend(
            row.x
                .iter()
                .zip(&self.centre)
                .zip(&self.inverse)
                .map(|((x, centre), inverse)| {
                    let z = (x - centre) * inverse;
                    if z.is_nan() {
                        0.0
                    } else {
                        hold(z, -INPUT_ABS_MAX, INPUT_ABS_MAX)
                    }
                }),
        );
        out.push(1.0);
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        save_numbers(&self.centre, writer);
        save_numbers(&self.inverse, writer);
        writer.bool(self.unsettled);
    }

    /// Reads what `save` wrote for as many features.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(&mut self, reader: &mut Reader) -> Result<()> {
        load_numbers(&mut self.centre, reader)?;
        load_numbers(&mut self.inverse, reader)?;
        self.unsettled = reader.bool()?;
        Ok(())
    }
}

/// Standard deviation of a column so far; 0 when it has not varied.
fn deviation(inputs: &Inputs, column: usize) -> f64 {
    let inverse = inputs.column(column).inverse_deviation();
    if inverse > 0.0 { 1.0 / inverse } else { 0.0 }
}
