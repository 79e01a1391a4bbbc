//! Tables over one and two columns: every column is cut into ranges, and the score is the sum of what is learned per
//! range and per pair of ranges. It draws steps, thresholds and products that no line draws, for the price of a few dozen
//! look-ups. A cell keeps a variance of its own, so cells that have seen much move little; forgetting is bounded.
//!
//! Papers: Albus, "A new approach to manipulator control: the CMAC" (1975); Lou et al., "Accurate intelligible models with
//! pairwise interactions" (2013); Crammer et al., "Adaptive regularization of weight vectors" (2009) for the variances.
//! Cost: 20 flops per cell that a row touches, c + c (c - 1) / 2 of them for c columns. Memory: 8 (outputs + 1) bytes per
//! cell, 16 per column, 64 per pair, and 4,096 for categories.

use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::budget::Cost;
use crate::panel::experts::{Cells, ClassExpert, ClassRow, Expert, NumberExpert, NumberRow, Truth, from_base, outputs};
use crate::panel::inputs::{Inputs, LABEL_INPUTS, Map};
use crate::panel::linear::{load_numbers, save_numbers};
use crate::panel::number::{hold, sigmoid, soften};
use crate::panel::regressor::{base_name, huber};

/// Most columns, with the last label: 78 cells per row, 4,900 in all.
const COLUMNS_MAX: usize = 13;
/// Most outputs: the weights of the widest tables then take 1.3 MB.
const OUTPUTS_MAX: usize = 32;
/// Borders of the ranges of a column, in deviations: finer where most values are. Pairs take every other one.
const BORDERS: [f64; 15] = [
    -1.6, -1.25, -1.0, -0.8, -0.6, -0.38, -0.19, 0.0, 0.19, 0.38, 0.6, 0.8, 1.0, 1.25, 1.6,
];
const RANGES: usize = BORDERS.len() + 1;
const COARSE: usize = RANGES / 2;

/// Categories of a column with a cell of their own, over all such columns together; those beyond share the last one.
const CATEGORIES_MAX: usize = 4096;

/// Variance of a category's cell before its first label: most of what is seen first of a category is its own.
const CATEGORY_PRIOR: f64 = 1.0;

/// Weights and variances of the cells.
#[derive(Debug)]
struct Table {
    columns: usize,
    categorical: Vec<bool>,
    /// Categories per column that have a cell of their own, behind the cells of ranges and pairs.
    categories: usize,
    /// Cells of ranges and pairs.
    ranged: usize,
    outputs: usize,
    prior: f64,
    forgetting: f64,
    weights: Vec<f64>,
    variances: Vec<f64>,
    /// Working memory: the cells of the row that was looked at last and the sum of their variances; the row's number, or 0
    /// when something has been learned since.
    cells: Vec<u32>,
    total: f64,
    looked_at: u64,
}

impl Table {
    fn new(inputs: &Inputs, prior: f64, forgetting: f64) -> Self {
        let columns = inputs.categorical().len() + 1;
        let categorical = inputs.categorical().iter().filter(|&&categorical| categorical).count();
        let categories = CATEGORIES_MAX.checked_div(categorical).unwrap_or(0);
        let ranged = columns * RANGES + columns * (columns - 1) / 2 * COARSE * COARSE;
        let cells = ranged + categorical * categories;
        let touched = (columns + columns * (columns - 1) / 2) as f64;
        let prior = prior / touched.sqrt();
        Self {
            columns,
            categorical: inputs.categorical().to_vec(),
            categories,
            ranged,
            outputs: 1,
            prior,
            forgetting,
            weights: vec![0.0; cells],
            variances: (0..cells)
                .map(|cell| if cell < ranged { prior } else { CATEGORY_PRIOR })
                .collect(),
            cells: Vec::new(),
            total: 0.0,
            looked_at: 0,
        }
    }

    fn cost(&self, outputs: usize) -> Cost {
        if self.silent() {
            return Cost::default();
        }
        let touched = (self.columns * (self.columns + 1) / 2) as f64;
        Cost {
            ns: 120.0 + touched * (7.4 + 2.0 * outputs as f64),
            bytes: (8 * self.variances.len() * (outputs + 1)) as f64,
        }
    }

    /// Finds the cells of the row of this number; `z` is labels, bias and columns, and the key's last label is a column too
    /// (its last class, where there is one, is a category). A row that is learned before another was served is not looked
    /// at again.
    fn look(&mut self, serial: u64, z: &[f64], x: &[f64], last: Option<usize>) {
        if self.looked_at == serial {
            return;
        }
        self.looked_at = serial;
        let mut ranges = [0u32; COLUMNS_MAX];
        let ranges = &mut ranges[..self.columns];
        let columns = &z[LABEL_INPUTS + 1..];
        for (column, range) in ranges.iter_mut().enumerate() {
            *range = if let (0, Some(last)) = (column, last) {
                category(last as f64)
            } else if column > 0 && self.categorical[column - 1] {
                category(x[column - 1])
            } else {
                range_of(if column == 0 { z[0] } else { columns[column - 1] })
            };
        }
        self.cells.clear();
        for (column, &range) in ranges.iter().enumerate() {
            self.cells.push((column * RANGES) as u32 + range);
        }
        let mut first = (self.columns * RANGES) as u32;
        for column in 1..ranges.len() {
            let row = ranges[column] / 2 * COARSE as u32;
            for other in &ranges[..column] {
                self.cells.push(first + row + other / 2);
                first += (COARSE * COARSE) as u32;
            }
        }
        for (column, _) in self
            .categorical
            .iter()
            .enumerate()
            .filter(|&(_, &categorical)| categorical)
        {
            self.cells[column + 1] = first + place(x[column], self.categories) as u32;
            first += self.categories as u32;
        }
        self.total = self.cells.iter().map(|&cell| self.variances[cell as usize]).sum();
    }

    fn silent(&self) -> bool {
        self.weights.is_empty()
    }

    /// The score of the cells found last.
    fn score(&self, output: usize) -> f64 {
        let weights = &self.weights[output * self.variances.len()..];
        self.cells.iter().map(|&cell| weights[cell as usize]).sum()
    }

    /// Learns the row whose cells were found last.
    fn learn(&mut self, curvature: f64, residuals: impl Iterator<Item = f64>) {
        self.looked_at = 0;
        let share = 1.0 / (1.0 + curvature * self.total);
        for (weights, residual) in self.weights.chunks_exact_mut(self.variances.len()).zip(residuals) {
            let step = residual * share;
            for &cell in &self.cells {
                weights[cell as usize] += step * self.variances[cell as usize];
            }
        }
        let gain = curvature * share;
        let keep = 1.0 - self.forgetting;
        for &cell in &self.cells {
            let prior = if (cell as usize) < self.ranged {
                self.prior
            } else {
                CATEGORY_PRIOR
            };
            let variance = &mut self.variances[cell as usize];
            *variance = keep * (*variance - *variance * *variance * gain) + self.forgetting * prior;
        }
    }

    /// Makes room for more outputs; with too many the tables fall silent and give their memory back.
    fn grow(&mut self, outputs: usize) {
        if outputs > OUTPUTS_MAX {
            (self.outputs, self.weights) = (outputs, Vec::new());
            return;
        }
        if self.outputs == 1 && outputs > 1 {
            let halves: Vec<f64> = self.weights.iter().map(|w| w * 0.5).collect();
            self.weights = halves.iter().map(|w| -w).chain(halves.iter().copied()).collect();
        }
        self.outputs = outputs;
        self.weights.resize(self.variances.len() * outputs, 0.0);
    }

    fn save(&self, writer: &mut Writer) {
        save_numbers(&self.variances, writer);
        save_numbers(&self.weights, writer);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        load_numbers(&mut self.variances, reader)?;
        load_numbers(&mut self.weights, reader)
    }
}

/// The range of a value, by halves: how many borders it is above.
fn range_of(value: f64) -> u32 {
    let mut range = 0;
    for half in [8, 4, 2, 1] {
        range += if value > BORDERS[range + half - 1] { half } else { 0 };
    }
    range as u32
}

/// The range of a category by its index, for pairs.
fn category(index: f64) -> u32 {
    let place = if index.is_nan() {
        COARSE - 1
    } else {
        hold(index, 0.0, 1e9) as usize % COARSE
    };
    2 * place as u32
}

/// The place of a category among `places`, by its index; the last one is for missing values and for what is beyond.
fn place(index: f64, places: usize) -> usize {
    let last = places - 1;
    if index.is_nan() {
        last
    } else {
        hold(index, 0.0, last as f64) as usize
    }
}

/// True when the rows are narrow enough for tables.
#[must_use]
pub fn fits(inputs: &Inputs) -> bool {
    (2..=COLUMNS_MAX).contains(&(inputs.categorical().len() + 1))
}

/// For classes.
#[derive(Debug)]
pub struct TileClasses {
    table: Table,
    scores: Vec<f64>,
}

impl TileClasses {
    /// Empty tables.
    #[must_use]
    pub fn new(inputs: &Inputs, prior: f64, forgetting: f64) -> Self {
        Self {
            table: Table::new(inputs, prior, forgetting),
            scores: Vec::new(),
        }
    }
}

impl Expert for TileClasses {
    fn cost(&self, outputs: usize) -> Cost {
        self.table.cost(outputs)
    }

    fn names(&self) -> Vec<String> {
        vec![format!("tiles {}", self.table.forgetting)]
    }

    fn map(&self) -> Option<Map> {
        Some(Map::Label)
    }

    fn save(&self, writer: &mut Writer) {
        self.table.save(writer);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.table.load(reader)
    }
}

impl ClassExpert for TileClasses {
    fn grow(&mut self, classes: usize) {
        self.table.grow(outputs(classes));
    }

    fn predict(&mut self, row: &ClassRow, cells: &mut Cells) -> bool {
        if self.table.silent() {
            return false;
        }
        self.table.look(row.serial, row.z, row.x, row.last);
        cells.fill_scores(|output| self.table.score(output));
        true
    }

    fn learn(&mut self, row: &ClassRow, truth: Truth) {
        let Self { table, scores } = self;
        if table.silent() {
            return;
        }
        table.look(row.serial, row.z, row.x, row.last);
        scores.clear();
        scores.extend((0..truth.outputs()).map(|output| table.score(output)));
        if let [score] = &mut scores[..] {
            *score = sigmoid(*score);
        } else {
            soften(scores);
        }
        let curvature = scores.iter().fold(1e-4, |most, &p| {
            let h = p * (1.0 - p);
            if h > most { h } else { most }
        });
        let residuals = scores.iter().enumerate().map(|(output, p)| truth.of(output) - p);
        table.learn(curvature, residuals);
    }
}

/// For numbers, from one base.
#[derive(Debug)]
pub struct TileNumbers {
    table: Table,
    base: usize,
    residual: bool,
}

impl TileNumbers {
    /// Empty tables of what is missing to the base at this place.
    #[must_use]
    pub fn new(inputs: &Inputs, base: usize, residual: bool, prior: f64, forgetting: f64) -> Self {
        Self {
            table: Table::new(inputs, prior, forgetting),
            base,
            residual,
        }
    }
}

impl Expert for TileNumbers {
    fn cost(&self, _: usize) -> Cost {
        self.table.cost(1)
    }

    fn names(&self) -> Vec<String> {
        vec![format!(
            "tiles {} from {}",
            self.table.forgetting,
            base_name(self.base, self.residual)
        )]
    }

    fn map(&self) -> Option<Map> {
        Some(Map::Label)
    }

    fn save(&self, writer: &mut Writer) {
        self.table.save(writer);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.table.load(reader)
    }
}

impl NumberExpert for TileNumbers {
    fn predict(&mut self, row: &NumberRow, out: &mut [f64]) {
        self.table.look(row.serial, row.z, row.x, None);
        out[0] = from_base(row.bases[self.base], self.table.score(0), row.range);
    }

    fn learn(&mut self, row: &NumberRow, label: f64, errors: &[f64]) {
        let base = row.bases[self.base];
        if !base.is_finite() {
            return;
        }
        self.table.look(row.serial, row.z, row.x, None);
        let residual = label - base - self.table.score(0);
        let weight = huber(residual, errors[0]);
        self.table.learn(weight, std::iter::once(weight * residual));
    }
}
