//! The nearest rows among the newest: what did rows like this one become? It draws any border over a few columns and
//! forgets by itself, since old rows leave the window.
//!
//! Paper: Cover & Hart, "Nearest neighbor pattern classification" (1967); Losing et al., "KNN classifier with self
//! adjusting memory" (2016) for windows on streams. Cost: 2 w d flops in single precision and some w comparisons to serve
//! (w rows of d columns: w d is at most `NUMBERS`), nothing to learn. Memory: 4 w (d + 2) bytes.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::panel::budget::Cost;
use crate::panel::experts::{Cells, ClassExpert, ClassRow, Expert, NumberExpert, NumberRow, Truth};
use crate::panel::inputs::{Inputs, LABEL_INPUTS, Map};
use crate::panel::lanes::{SIXTEEN, Sixteen};

/// Columns up to which near rows are near in what matters.
const COLUMNS_MAX: usize = 10;
/// Rows at most, and rows times columns at most.
const ROWS_MAX: usize = 1000;
const NUMBERS: usize = 4000;
/// How many neighbours are asked, one prediction each.
const NEIGHBOURS: [usize; 2] = [4, 12];
const MOST: usize = NEIGHBOURS[1];
/// Labels in advance, shared by all classes.
const PRIOR: f64 = 0.5;

/// The newest rows with their labels, a ring.
#[derive(Debug)]
struct Window {
    d: usize,
    room: usize,
    filled: usize,
    next: usize,
    /// In blocks of `SIXTEEN` rows, column by column, so that distances are summed in SIMD lanes.
    blocks: Vec<[f32; SIXTEEN]>,
    labels: Vec<f64>,
    /// Working memory: the nearest rows with their distances, nearest first.
    nearest: Vec<(f32, u32)>,
}

impl Window {
    fn new(d: usize) -> Self {
        let room = if NUMBERS / d < ROWS_MAX { NUMBERS / d } else { ROWS_MAX };
        let room = room / SIXTEEN * SIXTEEN;
        Self {
            d,
            room,
            filled: 0,
            next: 0,
            blocks: vec![[0.0; SIXTEEN]; room / SIXTEEN * d],
            labels: vec![0.0; room],
            nearest: Vec::with_capacity(MOST + 1),
        }
    }

    /// Finds the nearest rows; false while there are too few.
    fn find(&mut self, z: &[f64]) -> bool {
        let mut row = [0.0f32; COLUMNS_MAX];
        let row = &mut row[..self.d];
        for (single, &z) in row.iter_mut().zip(&z[LABEL_INPUTS + 1..]) {
            *single = z as f32;
        }
        // The newest block first: rows near in time are near, so that most others need no second look. Equally near rows are
        // taken by their place, so that the order of looking changes nothing.
        self.nearest.clear();
        let mut worst = (f32::INFINITY, 0);
        let newest = self.next.checked_sub(1).unwrap_or(self.room - 1) / SIXTEEN;
        for block in (0..=newest).rev().chain((newest + 1..self.room / SIXTEEN).rev()) {
            let first = block * SIXTEEN;
            if first >= self.filled {
                continue;
            }
            let mut distances = Sixteen::zero();
            for (others, &z) in self.blocks[block * self.d..][..self.d].iter().zip(&*row) {
                distances = distances.plus_square(z, others);
            }
            let mut near = distances.up_to(worst.0);
            if self.filled - first < SIXTEEN {
                near &= (1 << (self.filled - first)) - 1;
            }
            if near != 0 {
                let distances = distances.sums();
                while near != 0 {
                    let lane = near.trailing_zeros() as usize % SIXTEEN;
                    near &= near - 1;
                    let candidate = (distances[lane], (first + lane) as u32);
                    if nearer(candidate, worst) {
                        worst = insert(&mut self.nearest, candidate);
                    }
                }
            }
        }
        self.nearest.len() == MOST
    }

    fn labels(&self, neighbours: usize) -> impl Iterator<Item = f64> {
        self.nearest[..neighbours]
            .iter()
            .map(|&(_, row)| self.labels[row as usize])
    }

    fn learn(&mut self, z: &[f64], label: f64) {
        let block = &mut self.blocks[self.next / SIXTEEN * self.d..][..self.d];
        for (column, &z) in block.iter_mut().zip(&z[LABEL_INPUTS + 1..]) {
            column[self.next % SIXTEEN] = z as f32;
        }
        self.labels[self.next] = label;
        self.next = (self.next + 1) % self.room;
        self.filled = if self.filled < self.room {
            self.filled + 1
        } else {
            self.room
        };
    }

    fn save(&self, writer: &mut Writer) {
        writer.u32(self.filled as u32);
        writer.u32(self.next as u32);
        for row in 0..self.filled {
            writer.f64(self.labels[row]);
            for column in &self.blocks[row / SIXTEEN * self.d..][..self.d] {
                writer.u32(column[row % SIXTEEN].to_bits());
            }
        }
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.filled = reader.u32()? as usize;
        self.next = reader.u32()? as usize;
        if self.filled > self.room || self.next >= self.room {
            return Err(CoreError::Corrupt);
        }
        for row in 0..self.filled {
            self.labels[row] = reader.f64()?;
            for column in &mut self.blocks[row / SIXTEEN * self.d..][..self.d] {
                column[row % SIXTEEN] = f32::from_bits(reader.u32()?);
            }
        }
        Ok(())
    }
}

/// True when the first one is nearer, or as near and before the other in the window.
fn nearer(one: (f32, u32), other: (f32, u32)) -> bool {
    one.0 < other.0 || (one.0 == other.0 && one.1 < other.1)
}

/// Puts a row among the nearest and returns what another one must be nearer than to join them.
fn insert(nearest: &mut Vec<(f32, u32)>, candidate: (f32, u32)) -> (f32, u32) {
    if nearest.len() < MOST {
        nearest.push(candidate);
    }
    let mut place = nearest.len() - 1;
    while place > 0 && nearer(candidate, nearest[place - 1]) {
        nearest[place] = nearest[place - 1];
        place -= 1;
    }
    nearest[place] = candidate;
    if nearest.len() == MOST {
        nearest[MOST - 1]
    } else {
        (f32::INFINITY, 0)
    }
}

/// The nearest rows, for classes or numbers.
#[derive(Debug)]
pub struct Nearest {
    window: Window,
}

impl Nearest {
    /// An empty window; `None` for rows without columns or with too many.
    #[must_use]
    pub fn new(inputs: &Inputs) -> Option<Self> {
        let d = inputs.categorical().len();
        (1..=COLUMNS_MAX).contains(&d).then(|| Self { window: Window::new(d) })
    }
}

impl Expert for Nearest {
    fn cost(&self, _: usize) -> Cost {
        Cost {
            // Some fifty rows are put among the nearest on the way where rows come in no order.
            ns: 950.0 + self.window.room as f64 * (0.55 + 0.14 * self.window.d as f64),
            bytes: 4.0 * (self.window.room * (self.window.d + 2)) as f64,
        }
    }

    fn names(&self) -> Vec<String> {
        NEIGHBOURS.iter().map(|count| format!("nearest {count}")).collect()
    }

    fn width(&self) -> usize {
        NEIGHBOURS.len()
    }

    fn map(&self) -> Option<Map> {
        Some(Map::Label)
    }

    fn save(&self, writer: &mut Writer) {
        self.window.save(writer);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.window.load(reader)
    }
}

impl ClassExpert for Nearest {
    fn predict(&mut self, row: &ClassRow, cells: &mut Cells) -> bool {
        if !self.window.find(row.z) {
            return false;
        }
        for (place, &neighbours) in NEIGHBOURS.iter().enumerate() {
            let one = 1.0 / (neighbours as f64 + PRIOR);
            cells.fill_place(place, |class| PRIOR * row.prior.share(class) * one);
            for label in self.window.labels(neighbours) {
                cells.add(place, label as usize, one);
            }
        }
        true
    }

    fn learn(&mut self, row: &ClassRow, truth: Truth) {
        self.window.learn(row.z, truth.class as f64);
    }
}

impl NumberExpert for Nearest {
    fn predict(&mut self, row: &NumberRow, out: &mut [f64]) {
        if self.window.find(row.z) {
            for (out, &neighbours) in out.iter_mut().zip(&NEIGHBOURS) {
                *out = self.window.labels(neighbours).sum::<f64>() / neighbours as f64;
            }
        }
    }

    fn learn(&mut self, row: &NumberRow, label: f64, _: &[f64]) {
        self.window.learn(row.z, label);
    }
}
