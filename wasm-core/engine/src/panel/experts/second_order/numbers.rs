//! The second-order expert for numbers: recursive least squares with Huber weights, over one map, from one to three bases
//! at once. The bases share the covariance; it counts a row as the base with the least error does.

use super::SecondOrder;
use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::budget::Cost;
use crate::panel::experts::{Expert, NumberExpert, NumberRow, from_base};
use crate::panel::inputs::{Inputs, Map};
use crate::panel::regressor::{BASES_MAX, base_name, huber};

/// Sleeps until its map has inputs.
#[derive(Debug)]
pub struct SecondOrderNumbers {
    map: Map,
    bases: &'static [usize],
    residual: bool,
    prior: f64,
    forgetting: f64,
    model: Option<SecondOrder>,
}

impl SecondOrderNumbers {
    /// Over the inputs of `map`, what is missing to each of `bases`.
    #[must_use]
    pub fn new(
        inputs: &Inputs,
        map: Map,
        bases: &'static [usize],
        prior: f64,
        forgetting: f64,
        residual: bool,
    ) -> Self {
        let mut expert = Self {
            map,
            bases,
            residual,
            prior,
            forgetting,
            model: None,
        };
        expert.begin(inputs, 1);
        expert
    }
}

impl Expert for SecondOrderNumbers {
    fn cost(&self, _: usize) -> Cost {
        let outputs = self.bases.len();
        self.model.as_ref().map_or(Cost::default(), |model| model.cost(outputs))
    }

    fn names(&self) -> Vec<String> {
        let (map, forgetting) = (self.map.name(), self.forgetting);
        let name = |&base: &usize| {
            let base = base_name(base, self.residual);
            format!("second order {map} {forgetting} from {base}")
        };
        self.bases.iter().map(name).collect()
    }

    fn width(&self) -> usize {
        self.bases.len()
    }

    fn map(&self) -> Option<Map> {
        self.model.is_some().then_some(self.map)
    }

    fn started(&self) -> bool {
        self.model.is_some()
    }

    fn begin(&mut self, inputs: &Inputs, _: usize) -> bool {
        let begins = self.model.is_none() && inputs.second_order(self.map);
        if begins {
            let m = inputs.width(self.map);
            self.model = Some(SecondOrder::new(m, self.bases.len(), self.prior, self.forgetting));
        }
        begins
    }

    fn adapt(&mut self) {
        if let Some(model) = &mut self.model {
            model.adapt();
        }
    }

    fn save(&self, writer: &mut Writer) {
        if let Some(model) = &self.model {
            model.save(writer);
        }
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.model.as_mut().map_or(Ok(()), |model| model.load(reader))
    }
}

impl NumberExpert for SecondOrderNumbers {
    fn predict(&mut self, row: &NumberRow, out: &mut [f64]) {
        let Some(model) = &self.model else { return };
        for ((output, &base), out) in self.bases.iter().enumerate().zip(out) {
            *out = from_base(row.bases[base], model.score(output, row.z), row.range);
        }
    }

    fn learn(&mut self, row: &NumberRow, label: f64, errors: &[f64]) {
        let Some(model) = &mut self.model else { return };
        if self.bases.iter().all(|&base| !row.bases[base].is_finite()) {
            return;
        }
        let mut least = f64::INFINITY;
        let mut curvature = 1.0;
        let mut residuals = [0.0; BASES_MAX];
        for (output, &base) in self.bases.iter().enumerate() {
            if row.bases[base].is_finite() {
                let residual = label - row.bases[base] - model.score(output, row.z);
                let weight = huber(residual, errors[output]);
                residuals[output] = weight * residual;
                if errors[output] < least {
                    least = errors[output];
                    curvature = weight;
                }
            }
        }
        model.learn(row.z, row.serial, curvature, residuals.into_iter());
    }
}
