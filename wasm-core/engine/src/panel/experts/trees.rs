//! Boosted trees: a few small trees that grow with the stream, each on what those before it leave, so that thresholds and
//! what hangs on several columns at once are found from the rows. Every other tree sees the context too. The same trees may be a
//! forest instead: each learns the target itself on rows drawn for it, and what they say is averaged. Trees of both follow a
//! drift by cutting off what goes on losing.
//!
//! Papers: Friedman, "Greedy function approximation: a gradient boosting machine" (2001) for squared loss; Gouk, Pfahringer &
//! Frank, "Stochastic gradient trees" (2019) for histograms on streams; Breiman, "Random forests" (2001) and Gomes et al., "Adaptive random
//! forests for evolving data stream classification" (2017), here with rows drawn without repetition (Bühlmann & Yu, "Analyzing bagging", 2002). Cost: per tree a walk of some 6 nodes to serve, the
//! same and 8 cells to learn. Memory: at most 128 KiB of histograms, 8 KiB for what they count, and 255 nodes of
//! 16 (outputs + 4) bytes per tree.

mod leaves;
#[cfg(test)]
mod tests;
mod tree;

use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::budget::Cost;
use crate::panel::experts::{Cells, ClassExpert, ClassRow, Expert, NumberExpert, NumberRow, Truth, from_base, outputs};
use crate::panel::inputs::{Inputs, LABEL_INPUTS, Map};
use crate::panel::linear::{load_numbers, save_numbers};
use crate::panel::number::hold;
use crate::panel::regressor::base_name;
use leaves::{Leaves, scrambled};
use tree::Tree;

/// Trees, and how much of what one says counts; of the last, all.
const TREES: u64 = 8;
const SHRINKAGE: f64 = 0.3;
/// Most outputs: the trees of more classes have no room for leaves.
const OUTPUTS_MAX: usize = 32;
/// No class is surer than this by the trees.
const PROBABILITY_MIN: f64 = 0.002;
/// The most that the trees of a task take: those of two bases, or of few classes.
#[cfg(test)]
pub const TREES_BYTES_MAX: usize = 2 << 20;
/// Labels of numbers before the first unit is set.
const UNIT_LABELS: f64 = 8.0;
/// Residuals are held to so many units.
const RESIDUAL_MAX: f64 = 8.0;
/// Slowest rate of the units, and how far the mean residual may get from its unit, up or down.
const UNIT_RATE: f64 = 0.002;
const UNIT_DRIFT: f64 = 2.0;
/// Categories that are told apart.
const CATEGORIES: f64 = 30.0;

/// A tree of a forest learns a row with this probability.
const DRAWN: f64 = 0.6;

/// How trees work together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Each learns what those before it leave.
    Boosted,
    /// Each learns the same on rows of its own.
    Forest,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Boosted => "boosted trees",
            Self::Forest => "forest",
        }
    }
}

/// The trees over one map.
#[derive(Debug)]
struct Trees {
    way: Way,
    /// Rows taught so far: from it and the tree's number follows which trees of a forest learn a row.
    taught: u64,
    map: Map,
    width: usize,
    categorical: Vec<bool>,
    outputs: usize,
    trees: Vec<Tree>,
    /// Working memory: the row (its number, or 0) whose ways down the trees are known, since nothing was learned after it was
    /// asked; its inputs between -1 and 1; what is to be explained, what one tree and what all say.
    asked: u64,
    inputs: Vec<f64>,
    targets: Vec<f64>,
    one: Vec<f64>,
    sum: Vec<f64>,
}

impl Trees {
    fn new(inputs: &Inputs, outputs: usize, way: Way) -> Self {
        let map = inputs.or_columns(Map::Full);
        let mut trees = Self {
            way,
            taught: 0,
            map,
            width: inputs.width(map),
            categorical: inputs.categorical().to_vec(),
            outputs: 0,
            trees: Vec::new(),
            asked: 0,
            inputs: Vec::new(),
            targets: Vec::new(),
            one: Vec::new(),
            sum: Vec::new(),
        };
        trees.plant(outputs);
        trees
    }

    /// New trees of so many outputs.
    fn plant(&mut self, outputs: usize) {
        self.outputs = outputs;
        self.asked = 0;
        let columns = (LABEL_INPUTS + 1, self.categorical.len());
        let room = if outputs > OUTPUTS_MAX { 0 } else { TREES };
        self.trees = (0..room)
            .map(|seed| {
                let width = if seed % 2 == 0 {
                    columns.0 + columns.1
                } else {
                    self.width
                };
                Tree::new(outputs, Leaves::new(width, columns, outputs, scrambled(seed)))
            })
            .collect();
    }

    fn cost(&self, outputs: usize) -> Cost {
        if outputs > OUTPUTS_MAX {
            return Cost::default();
        }
        let bytes = TREES as usize * Tree::bytes(outputs);
        Cost {
            ns: 60.0 + 3.0 * self.width as f64 + TREES as f64 * (230.0 + 60.0 * outputs as f64),
            bytes: bytes as f64,
        }
    }

    /// The row's inputs, squeezed to between -1 and 1; categories lie side by side.
    fn look(&mut self, z: &[f64], x: &[f64]) {
        self.inputs.clear();
        self.inputs.extend(z.iter().map(|z| z / (1.0 + z.abs())));
        for (column, _) in self.categorical.iter().enumerate().filter(|&(_, &is)| is) {
            let index = if x[column].is_nan() {
                -1.0
            } else {
                hold(x[column], 0.0, 1e9) % CATEGORIES
            };
            self.inputs[LABEL_INPUTS + 1 + column] = (index + 1.5) / 16.0 - 1.0;
        }
    }

    fn shrinkage(&self, tree: usize) -> f64 {
        match self.way {
            Way::Forest => 1.0 / self.trees.len() as f64,
            Way::Boosted if tree + 1 == self.trees.len() => 1.0,
            Way::Boosted => SHRINKAGE,
        }
    }

    /// What all say of the row of this number is in `sum`.
    fn ask(&mut self, serial: u64, z: &[f64], x: &[f64]) {
        self.look(z, x);
        self.asked = serial;
        self.sum.clear();
        self.sum.resize(self.outputs, 0.0);
        self.one.resize(self.outputs, 0.0);
        for place in 0..self.trees.len() {
            let counts = self.shrinkage(place);
            self.trees[place].predict(&self.inputs, &mut self.one);
            for (sum, one) in self.sum.iter_mut().zip(&self.one) {
                *sum += counts * one;
            }
        }
    }

    /// All learn the targets of the row of this number.
    fn teach(&mut self, serial: u64, z: &[f64], x: &[f64]) {
        let known = self.asked == serial && serial > 0;
        if !known {
            self.look(z, x);
        }
        self.asked = 0;
        self.one.resize(self.outputs, 0.0);
        for place in 0..self.trees.len() {
            let counts = self.shrinkage(place);
            if self.way == Way::Forest && !self.draws(place) {
                continue;
            }
            if !known {
                self.trees[place].walk(&self.inputs);
            }
            self.trees[place].learn(&self.inputs, &self.targets, &mut self.one);
            if self.way == Way::Boosted {
                for (target, one) in self.targets.iter_mut().zip(&self.one) {
                    *target -= counts * one;
                }
            }
        }
        self.taught += 1;
    }

    /// Whether this tree of a forest learns the row at hand.
    fn draws(&self, tree: usize) -> bool {
        let drawn = scrambled(self.taught * TREES + tree as u64);
        ((drawn >> 11) as f64) < DRAWN * 9_007_199_254_740_992.0
    }

    fn save(&self, writer: &mut Writer) {
        if self.way == Way::Forest {
            writer.u64(self.taught);
        }
        for tree in &self.trees {
            tree.save(writer);
        }
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        if self.way == Way::Forest {
            self.taught = reader.counter()?;
        }
        self.trees.iter_mut().try_for_each(|tree| tree.load(reader))
    }
}

/// For classes: each output is 1 for its class, else 0.
#[derive(Debug)]
pub struct TreeClasses {
    trees: Trees,
}

impl TreeClasses {
    /// Trees that have seen nothing.
    #[must_use]
    pub fn new(inputs: &Inputs, way: Way) -> Self {
        Self {
            trees: Trees::new(inputs, 1, way),
        }
    }
}

impl Expert for TreeClasses {
    fn cost(&self, outputs: usize) -> Cost {
        self.trees.cost(outputs)
    }

    fn names(&self) -> Vec<String> {
        vec![self.trees.way.name().to_owned()]
    }

    fn map(&self) -> Option<Map> {
        Some(self.trees.map)
    }

    fn save(&self, writer: &mut Writer) {
        self.trees.save(writer);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.trees.load(reader)
    }
}

impl ClassExpert for TreeClasses {
    /// With other outputs the trees begin anew.
    fn grow(&mut self, classes: usize) {
        let outputs = outputs(classes);
        if outputs != self.trees.outputs {
            self.trees.plant(outputs);
        }
    }

    fn predict(&mut self, row: &ClassRow, cells: &mut Cells) -> bool {
        let trees = &mut self.trees;
        if trees.trees.is_empty() {
            return false;
        }
        trees.ask(row.serial, row.z, row.x);
        for p in &mut trees.sum {
            *p = hold(*p, PROBABILITY_MIN, 1.0 - PROBABILITY_MIN);
        }
        if let [p] = trees.sum[..] {
            cells.set(0, 1.0 - p);
            cells.set(1, p);
        } else {
            let total: f64 = trees.sum.iter().sum();
            cells.fill(|class| trees.sum[class] / total);
        }
        true
    }

    fn learn(&mut self, row: &ClassRow, truth: Truth) {
        let trees = &mut self.trees;
        trees.targets.clear();
        trees.targets.extend((0..trees.outputs).map(|output| truth.of(output)));
        trees.teach(row.serial, row.z, row.x);
    }
}

/// For numbers: each output is what is missing to one base, in units of what is usually missing.
#[derive(Debug)]
pub struct TreeNumbers {
    trees: Trees,
    bases: &'static [usize],
    residual: bool,
    labels: f64,
    /// Per base its mean residual, and the unit.
    units: Vec<[f64; 2]>,
}

impl TreeNumbers {
    /// Trees of what is missing to these bases.
    #[must_use]
    pub fn new(inputs: &Inputs, bases: &'static [usize], residual: bool, way: Way) -> Self {
        Self {
            trees: Trees::new(inputs, bases.len(), way),
            bases,
            residual,
            labels: 0.0,
            units: vec![[0.0; 2]; bases.len()],
        }
    }

    /// Follows the mean residual; where it has left its unit behind, what was learned is told in the new one.
    fn measure(&mut self, output: usize, residual: f64) {
        let rate = 1.0 / self.labels;
        let rate = if rate > UNIT_RATE { rate } else { UNIT_RATE };
        let [mean, unit] = &mut self.units[output];
        *mean += rate * (residual.abs() - *mean);
        if self.labels >= UNIT_LABELS && (*mean > UNIT_DRIFT * *unit || UNIT_DRIFT * *mean < *unit) {
            let by = if *mean > 0.0 { *unit / *mean } else { 0.0 };
            *unit = *mean;
            for tree in &mut self.trees.trees {
                tree.scale(output, by);
            }
        }
    }
}

impl Expert for TreeNumbers {
    fn cost(&self, _: usize) -> Cost {
        self.trees.cost(self.bases.len())
    }

    fn names(&self) -> Vec<String> {
        let way = self.trees.way.name();
        let name = |&base: &usize| format!("{way} from {}", base_name(base, self.residual));
        self.bases.iter().map(name).collect()
    }

    fn width(&self) -> usize {
        self.bases.len()
    }

    fn map(&self) -> Option<Map> {
        Some(self.trees.map)
    }

    fn save(&self, writer: &mut Writer) {
        writer.f64(self.labels);
        save_numbers(self.units.as_flattened(), writer);
        self.trees.save(writer);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.labels = reader.f64()?;
        load_numbers(self.units.as_flattened_mut(), reader)?;
        self.trees.load(reader)
    }
}

impl NumberExpert for TreeNumbers {
    fn predict(&mut self, row: &NumberRow, out: &mut [f64]) {
        if self.labels < UNIT_LABELS {
            return;
        }
        self.trees.ask(row.serial, row.z, row.x);
        for (output, (out, &base)) in out.iter_mut().zip(self.bases).enumerate() {
            let missing = self.trees.sum[output] * self.units[output][1];
            *out = from_base(row.bases[base], missing, row.range);
        }
    }

    fn learn(&mut self, row: &NumberRow, label: f64, _: &[f64]) {
        if self.bases.iter().any(|&base| !row.bases[base].is_finite()) {
            return;
        }
        self.labels += 1.0;
        self.trees.targets.clear();
        for (output, &base) in self.bases.iter().enumerate() {
            let residual = label - row.bases[base];
            self.measure(output, residual);
            let unit = self.units[output][1];
            let target = if unit > 0.0 { residual / unit } else { 0.0 };
            self.trees.targets.push(hold(target, -RESIDUAL_MAX, RESIDUAL_MAX));
        }
        if self.labels >= UNIT_LABELS {
            self.trees.teach(row.serial, row.z, row.x);
        }
    }
}
