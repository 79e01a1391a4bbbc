//! The second-order expert for classes: an extended Kalman filter on the logistic or softmax likelihood, over one map.

use super::SecondOrder;
use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::budget::Cost;
use crate::panel::experts::{Cells, ClassExpert, ClassRow, Expert, Truth, outputs};
use crate::panel::inputs::{Inputs, Map};
use crate::panel::number::{sigmoid, soften};

/// Sleeps until its map has inputs.
#[derive(Debug)]
pub struct SecondOrderClasses {
    map: Map,
    prior: f64,
    forgetting: f64,
    model: Option<SecondOrder>,
    scores: Vec<f64>,
}

impl SecondOrderClasses {
    /// Over the inputs of `map`.
    #[must_use]
    pub fn new(inputs: &Inputs, map: Map, prior: f64, forgetting: f64) -> Self {
        let mut expert = Self {
            map,
            prior,
            forgetting,
            model: None,
            scores: Vec::new(),
        };
        expert.begin(inputs, 1);
        expert
    }
}

impl SecondOrderClasses {
    /// The weights, output by output; none while it sleeps.
    #[must_use]
    pub fn weights(&self) -> Option<&[f64]> {
        self.model.as_ref().map(SecondOrder::weights)
    }

    /// Forgets everything.
    pub fn restart(&mut self) {
        if let Some(model) = &mut self.model {
            model.restart();
        }
    }

    /// Learns the class of the inputs `z` of a row.
    pub fn teach(&mut self, z: &[f64], serial: u64, truth: Truth) {
        let Some(model) = &mut self.model else { return };
        let factor = SecondOrder::moderation(model.uncertainty(z, serial));
        let scores = &mut self.scores;
        scores.clear();
        scores.extend((0..truth.outputs()).map(|output| model.score(output, z) * factor));
        if let [score] = &mut scores[..] {
            *score = sigmoid(*score);
        } else {
            soften(scores);
        }
        let mut curvature = 0.0;
        for &p in scores.iter() {
            let h = p * (1.0 - p);
            curvature = if h > curvature { h } else { curvature };
        }
        let residuals = scores.iter().enumerate().map(|(output, p)| truth.of(output) - p);
        model.learn(z, serial, curvature, residuals);
    }
}

impl Expert for SecondOrderClasses {
    fn cost(&self, outputs: usize) -> Cost {
        self.model.as_ref().map_or(Cost::default(), |model| model.cost(outputs))
    }

    fn names(&self) -> Vec<String> {
        vec![format!("second order {} {}", self.map.name(), self.forgetting)]
    }

    fn map(&self) -> Option<Map> {
        self.model.is_some().then_some(self.map)
    }

    fn started(&self) -> bool {
        self.model.is_some()
    }

    fn begin(&mut self, inputs: &Inputs, outputs: usize) -> bool {
        let begins = self.model.is_none() && inputs.second_order(self.map);
        if begins {
            let m = inputs.width(self.map);
            self.model = Some(SecondOrder::new(m, outputs, self.prior, self.forgetting));
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

impl ClassExpert for SecondOrderClasses {
    fn grow(&mut self, classes: usize) {
        if let Some(model) = &mut self.model {
            model.grow(outputs(classes));
        }
    }

    fn predict(&mut self, row: &ClassRow, cells: &mut Cells) -> bool {
        let Some(model) = &mut self.model else { return false };
        let factor = SecondOrder::moderation(model.uncertainty(row.z, row.serial));
        cells.fill_scores(|output| model.score(output, row.z) * factor);
        true
    }

    fn learn(&mut self, row: &ClassRow, truth: Truth) {
        self.teach(row.z, row.serial, truth);
    }
}
