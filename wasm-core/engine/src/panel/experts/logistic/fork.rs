//! The logistic that goes on learning from the newest release. It asks, learns and tells in the coordinates of the
//! release. What it tells the fleet depends on releases, so it cannot be taken out of them again.

use crate::cholesky::packed_length;
use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::budget::Cost;
use crate::panel::experts::{Cells, ClassExpert, ClassRow, Expert, Truth};
use crate::release::{Reference, ReleaseModel};

use super::{Filters, Information, NUMBERS_MAX, WIDTH, cost, fill, names};

/// Should a covariance have to begin anew: as narrow as one release knows.
const PRIOR: f64 = 0.01;

/// Sleeps until a release comes that can be gone on from.
#[derive(Clone, Debug, Default)]
pub struct Fork {
    d: usize,
    learning: Option<Learning>,
    x: Vec<f64>,
}

#[derive(Clone, Debug)]
struct Learning {
    reference: Reference,
    filters: Filters,
    information: Information,
}

impl Fork {
    /// One for rows of `d` features.
    #[must_use]
    pub fn new(d: usize) -> Self {
        Self { d, ..Self::default() }
    }
}

impl Expert for Fork {
    fn cost(&self, outputs: usize) -> Cost {
        self.learning
            .as_ref()
            .map_or(Cost::default(), |_| cost(self.d, outputs))
    }

    fn names(&self) -> Vec<String> {
        names("release, learning on")
    }

    fn width(&self) -> usize {
        WIDTH
    }

    fn started(&self) -> bool {
        false
    }

    fn save(&self, writer: &mut Writer) {
        writer.bool(self.learning.is_some());
        if let Some(learning) = &self.learning {
            let reference = &learning.reference;
            for &number in reference.centre.iter().chain(&reference.inverse_deviations) {
                writer.f64(number);
            }
            learning.filters.save(writer);
            learning.information.save(writer);
        }
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.learning = None;
        if reader.bool()? {
            let mut numbers = || (0..self.d).map(|_| reader.f64()).collect::<Result<Vec<f64>>>();
            let reference = Reference {
                centre: numbers()?,
                inverse_deviations: numbers()?,
            };
            self.learning = Some(Learning {
                reference,
                filters: Filters::load(self.d + 1, PRIOR, reader)?,
                information: Information::load(self.d, reader)?,
            });
        }
        Ok(())
    }
}

impl ClassExpert for Fork {
    fn grow(&mut self, classes: usize) {
        if (classes + 1) * packed_length(self.d + 1) > NUMBERS_MAX {
            self.learning = None;
        }
        if let Some(learning) = &mut self.learning {
            learning.filters.grow(classes);
            learning.information.grow(classes);
        }
    }

    fn predict(&mut self, row: &ClassRow, cells: &mut Cells) -> bool {
        let Some(learning) = &mut self.learning else {
            return false;
        };
        row.filled(&mut self.x);
        let filled = std::mem::take(&mut self.x);
        learning.reference.standardise(&filled, &mut self.x);
        fill(&learning.filters.scores(&self.x)[..cells.classes()], cells);
        true
    }

    fn learn(&mut self, row: &ClassRow, truth: Truth) {
        if let Some(learning) = &mut self.learning {
            if row.x.iter().any(|x| !x.is_finite()) {
                return; // nothing to tell the fleet, and a mean is no news
            }
            learning.reference.standardise(row.x, &mut self.x);
            let information = &mut learning.information;
            learning.filters.learn(&self.x, truth.class, false, |place, working| {
                information.push(place, row.x, working)
            });
        }
    }

    fn forget_information(&mut self) {
        if let Some(learning) = &mut self.learning {
            learning.information = Information::new(self.d, learning.filters.classes());
        }
    }

    fn information(&self) -> Option<&Information> {
        self.learning.as_ref().map(|learning| &learning.information)
    }

    fn install(
        &mut self,
        (release, known): (&ReleaseModel, &[u32]),
        classes: usize,
        own: Option<&Information>,
        continues: bool,
    ) {
        let told = self.learning.take().map(|learning| learning.information);
        // Up to the first release there was nothing to fork from: the rows so far are told as this gateway's own. They are
        // again when a line has ended: what was told on top of its releases is bent by whatever was taken out of them.
        let told = told.filter(|_| continues).or_else(|| own.cloned());
        let (Some(start), Some(mut information)) = (release.heads().and_then(|heads| heads.fork.as_ref()), told) else {
            return;
        };
        let m = self.d + 1;
        let labels = known.len();
        let set = |class: usize| {
            let place = known.iter().position(|&of| of as usize == class).unwrap_or(labels);
            let covariance = start.covariance(place).ok()?;
            Some((start.weights[place * m..(place + 1) * m].to_vec(), covariance))
        };
        let Some(parts) = (0..=classes).map(set).collect::<Option<Vec<_>>>() else {
            return;
        };
        information.grow(classes);
        self.learning = Some(Learning {
            reference: start.reference.clone(),
            filters: Filters::from_parts(m, PRIOR, parts),
            information,
        });
    }
}
