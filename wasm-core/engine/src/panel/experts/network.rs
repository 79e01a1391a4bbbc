//! A network with one hidden layer. A task may ask for what keeps it from forgetting: each label teaches one of the newest rows again, by
//! preference one that was predicted badly (experience replay); and when the error of the task has risen, the weights that mattered are held
//! (EWC), or the hidden units are frozen as a column and new ones begin beside them (progressive columns).
//!
//! Papers: Rumelhart, Hinton & Williams, "Learning representations by back-propagating errors" (1986); Lin (1992) and Schaul et al.,
//! "Prioritized experience replay" (2016); Kirkpatrick et al., "Overcoming catastrophic forgetting in neural networks" (2017) and Schwarz et
//! al., "Progress & compress" (2018) for the running importance; Rusu et al., "Progressive neural networks" (2016), here with lateral
//! connections at the output. Rates are per unit, as in Zhang et al., "Adam-mini" (2024).
//! Cost: per row and unit 6 m flops, twice with replay. Memory: 40 bytes per weight, 8 m per row that is remembered.

mod layer;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::panel::budget::Cost;
use crate::panel::experts::anchors::Memory;
use crate::panel::experts::descent::Unit;
use crate::panel::experts::{Cells, ClassExpert, ClassRow, Expert, NumberExpert, NumberRow, Truth, from_base, outputs};
use crate::panel::inputs::{Inputs, Map};
use crate::panel::linear::{load_numbers, save_numbers};
use crate::panel::number::{hold, sigmoid, soften};
use layer::Layer;

/// Units of a column, and columns at most.
const UNITS: usize = 16;
const COLUMNS_MAX: usize = 4;
/// What a unit below 0 still says (leaky rectifier).
const LEAK: f64 = 0.01;
/// Rows that are remembered, and how many are looked at for the one that is taught again.
const ROWS: usize = 256;
const CANDIDATES: usize = 4;
/// Labels between two snapshots; what is held is the older of two, from before the error rose.
const SNAPSHOT_EVERY: u64 = 128;
const SCORE_MAX: f64 = 30.0;

/// What keeps a network from forgetting, each for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Rows are taught again.
    pub replay: bool,
    /// Of some candidates the one that was predicted worst is.
    pub prioritised: bool,
    /// Weights that mattered are held.
    pub hold: bool,
    /// Hidden units are frozen and new ones begin.
    pub columns: bool,
}

impl Parts {
    /// What a task has asked for.
    #[must_use]
    pub fn of(memory: Memory) -> Self {
        Self {
            replay: memory.replay,
            prioritised: memory.replay,
            hold: memory.hold,
            columns: memory.columns,
        }
    }
}

/// A row that is remembered: what it should have said, as a class or as a distance from the base.
#[derive(Clone, Debug)]
struct Remembered {
    z: Vec<f64>,
    label: f64,
    loss: f64,
}

/// The network.
#[derive(Debug)]
pub struct Network {
    map: Map,
    base: usize,
    parts: Parts,
    m: usize,
    outputs: usize,
    unit: Unit,
    labels: u64,
    draws: u64,
    /// One per column, the newest last: that one learns.
    hidden: Vec<Layer>,
    /// From all hidden units and a constant.
    out: Layer,
    rows: VecDeque<Remembered>,
    /// Working memory, never state: what the hidden units say, and the scores.
    said: Vec<f64>,
    scores: Vec<f64>,
    back: Vec<f64>,
}

impl Network {
    /// Over the widest inputs there are few enough of; numbers start from the base at this place. `None` for rows that are too wide.
    #[must_use]
    pub fn new(inputs: &Inputs, base: usize, parts: Parts) -> Option<Self> {
        let map = [Map::Full, Map::Label]
            .into_iter()
            .find(|&map| inputs.second_order(map))?;
        let m = inputs.width(map);
        Some(Self {
            map,
            base,
            parts,
            m,
            outputs: 1,
            unit: Unit::default(),
            labels: 0,
            draws: 0,
            hidden: vec![Layer::drawn(m, UNITS, 0)],
            out: Layer::zero(UNITS + 1, 1),
            rows: VecDeque::new(),
            said: Vec::new(),
            scores: Vec::new(),
            back: Vec::new(),
        })
    }

    /// What it says of some inputs, into `scores`.
    fn forward(&mut self, z: &[f64]) {
        self.said.clear();
        self.said.push(1.0);
        for layer in &self.hidden {
            let scores = layer.scores(z);
            self.said
                .extend(scores.map(|score| if score > 0.0 { score } else { LEAK * score }));
        }
        self.scores.clear();
        let scores = self.out.scores(&self.said);
        self.scores
            .extend(scores.map(|score| hold(score, -SCORE_MAX, SCORE_MAX)));
    }

    /// Turns scores into what they should have been less: gradients per output; answers with the loss.
    fn judge(&mut self, label: f64, error: f64) -> f64 {
        if error > 0.0 {
            let gradient = self.unit.gradient(self.scores[0], label, error);
            self.scores[0] = gradient;
            return gradient.abs();
        }
        if self.outputs == 1 {
            self.scores[0] = sigmoid(self.scores[0]) - label;
            return self.scores[0].abs();
        }
        // A damaged state may have rows of classes that are none.
        let class = (label as usize).min(self.outputs - 1);
        soften(&mut self.scores);
        self.scores[class] -= 1.0;
        -self.scores[class]
    }

    /// One step of the rows' own inputs; answers with the loss before it.
    fn step(&mut self, z: &[f64], label: f64, error: f64) -> f64 {
        self.forward(z);
        let loss = self.judge(label, error);
        // Only the newest column learns; its part of what came back is behind that of the others.
        let first = self.said.len() - UNITS;
        self.back.clear();
        self.back.extend((first..first + UNITS).map(|unit| {
            let slope = if self.said[unit] > 0.0 { 1.0 } else { LEAK };
            slope * self.out.back(unit, &self.scores)
        }));
        self.out.step(&self.said, &self.scores);
        if let Some(layer) = self.hidden.last_mut() {
            layer.step(z, &self.back);
        }
        loss
    }

    /// Learns a row, and one of those before it again. `error` is 0 for classes, else the mean error of numbers.
    fn learn_row(&mut self, z: &[f64], label: f64, error: f64) {
        let loss = self.step(z, label, error);
        self.labels += 1;
        if self.parts.replay {
            self.replay(error);
            let mut row = if self.rows.len() < ROWS {
                Remembered {
                    z: Vec::with_capacity(self.m),
                    label,
                    loss,
                }
            } else {
                self.rows.pop_front().expect("as many rows as there can be are there")
            };
            row.z.clear();
            row.z.extend_from_slice(z);
            (row.label, row.loss) = (label, loss);
            self.rows.push_back(row);
        }
        if self.parts.hold && self.labels.is_multiple_of(SNAPSHOT_EVERY) {
            for layer in self.hidden.iter_mut().chain([&mut self.out]) {
                layer.remember();
            }
        }
    }

    fn draw(&mut self, below: usize) -> usize {
        self.draws = self.draws.wrapping_add(0x9E37_79B9_7F4A_7C15);
        (layer::mixed(self.draws) % below.max(1) as u64) as usize
    }

    fn replay(&mut self, error: f64) {
        if self.rows.is_empty() {
            return;
        }
        let mut chosen = self.draw(self.rows.len());
        if self.parts.prioritised {
            for _ in 1..CANDIDATES {
                let other = self.draw(self.rows.len());
                if self.rows[other].loss > self.rows[chosen].loss {
                    chosen = other;
                }
            }
        }
        let z = std::mem::take(&mut self.rows[chosen].z);
        let label = self.rows[chosen].label;
        let loss = self.step(&z, label, error);
        let row = &mut self.rows[chosen];
        row.z = z;
        row.loss = loss;
    }
}

impl Expert for Network {
    fn cost(&self, outputs: usize) -> Cost {
        let units = (self.hidden.len() * UNITS) as f64;
        let steps = if self.parts.replay { 2.0 } else { 1.0 };
        let weights = units * (self.m + outputs) as f64;
        Cost {
            ns: 150.0 + weights * (0.5 + 2.2 * steps),
            bytes: 48.0 * weights + 8.0 * (self.m * ROWS) as f64,
        }
    }

    fn names(&self) -> Vec<String> {
        vec![format!("network {}", self.map.name())]
    }

    fn map(&self) -> Option<Map> {
        Some(self.map)
    }

    fn changed(&mut self) {
        if self.parts.hold {
            for layer in self.hidden.iter_mut().chain([&mut self.out]) {
                layer.hold();
            }
        }
        if self.parts.columns && self.hidden.len() < COLUMNS_MAX {
            self.hidden.push(Layer::drawn(self.m, UNITS, self.hidden.len() as u64));
            self.out.widen(UNITS);
        }
    }

    fn save(&self, writer: &mut Writer) {
        self.unit.save(writer);
        writer.u64(self.labels);
        writer.u64(self.draws);
        writer.u8(self.hidden.len() as u8);
        for layer in self.hidden.iter().chain([&self.out]) {
            layer.save(writer);
        }
        writer.u32(self.rows.len() as u32);
        for row in &self.rows {
            save_numbers(&row.z, writer);
            writer.f64(row.label);
            writer.f64(row.loss);
        }
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.unit = Unit::load(reader)?;
        self.labels = reader.counter()?;
        self.draws = reader.u64()?;
        let columns = reader.u8()? as usize;
        if columns == 0 || columns > COLUMNS_MAX {
            return Err(CoreError::Corrupt);
        }
        self.hidden = (0..columns)
            .map(|column| Layer::drawn(self.m, UNITS, column as u64))
            .collect();
        self.out = Layer::zero(columns * UNITS + 1, self.outputs);
        for layer in self.hidden.iter_mut().chain([&mut self.out]) {
            layer.load(reader)?;
        }
        let rows = reader.count(8 * (self.m + 2))?;
        if rows > ROWS {
            return Err(CoreError::Corrupt);
        }
        self.rows.clear();
        for _ in 0..rows {
            let mut z = vec![0.0; self.m];
            load_numbers(&mut z, reader)?;
            let (label, loss) = (reader.f64()?, reader.f64()?);
            // A class that is not there yet is none.
            if self.outputs > 1 && !(label >= 0.0 && label < self.outputs as f64) {
                return Err(CoreError::Corrupt);
            }
            self.rows.push_back(Remembered { z, label, loss });
        }
        Ok(())
    }
}

impl ClassExpert for Network {
    fn grow(&mut self, classes: usize) {
        if outputs(classes) > self.outputs {
            self.outputs = outputs(classes);
            self.out.grow(self.outputs);
        }
    }

    fn predict(&mut self, row: &ClassRow, cells: &mut Cells) -> bool {
        self.forward(row.z);
        cells.fill_scores(|output| self.scores[output]);
        true
    }

    fn learn(&mut self, row: &ClassRow, truth: Truth) {
        self.learn_row(row.z, truth.class as f64, 0.0);
    }
}

impl NumberExpert for Network {
    fn predict(&mut self, row: &NumberRow, out: &mut [f64]) {
        self.forward(row.z);
        out[0] = from_base(row.bases[self.base], self.scores[0] * self.unit.size(), row.range);
    }

    fn learn(&mut self, row: &NumberRow, label: f64, errors: &[f64]) {
        let distance = label - row.bases[self.base];
        if distance.is_finite() {
            self.unit.learn(distance);
            // Before the first error nothing is known of its size.
            if errors[0] > 0.0 {
                self.learn_row(row.z, distance, errors[0]);
            }
        }
    }
}
