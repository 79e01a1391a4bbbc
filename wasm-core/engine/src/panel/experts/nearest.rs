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

/// Columns up to which near rows are near in what matters.
const COLUMNS_MAX: usize = 10;
/// Rows at most, and rows times columns at most.
const ROWS_MAX: usize = 1000;
const NUMBERS: usize = 4000;
/// Rows of a block.
const LANES: usize = 16;
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
    /// In blocks of `LANES` rows, column by column, so that distances are summed in SIMD lanes.
    blocks: Vec<[f32; LANES]>,
    labels: Vec<f64>,
    /// Working memory: the nearest rows with their distances, nearest first.
    nearest: Vec<(f32, u32)>,
}

impl Window {
    fn new(d: usize) -> Self {
        let room = if NUMBERS / d < ROWS_MAX { NUMBERS / d } else { ROWS_MAX };
        let room = room / LANES * LANES;
        Self {
            d,
            room,
            filled: 0,
            next: 0,
            blocks: vec![[0.0; LANES]; room / LANES * d],
            labels: vec![0.0; room],
            nearest: Vec::with_capacity(MOST + 1),
        }
    }

    /// Finds the nearest rows; false while there are too few.
    fn find(&mut self, z: &[f64]) -> bool {
        let z = &z[LABEL_INPUTS + 1..];
        self.nearest.clear();
        let mut worst = f32::INFINITY;
        for (block, columns) in self.blocks.chunks_exact(self.d).enumerate() {
            let first = block * LANES;
            if first >= self.filled {
                break;
            }
            let mut distances = [0.0f32; LANES];
            for (others, &z) in columns.iter().zip(z) {
                let z = z as f32;
                for lane in 0..LANES {
                    let step = z - others[lane];
                    distances[lane] += step * step;
                }
            }
            if least(distances) < worst {
                let known = if self.filled - first < LANES {
                    self.filled - first
                } else {
                    LANES
                };
                for (lane, &distance) in distances[..known].iter().enumerate() {
                    if distance < worst {
                        worst = insert(&mut self.nearest, distance, (first + lane) as u32);
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
        let block = &mut self.blocks[self.next / LANES * self.d..][..self.d];
        for (column, &z) in block.iter_mut().zip(&z[LABEL_INPUTS + 1..]) {
            column[self.next % LANES] = z as f32;
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
            for column in &self.blocks[row / LANES * self.d..][..self.d] {
                writer.u32(column[row % LANES].to_bits());
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
            for column in &mut self.blocks[row / LANES * self.d..][..self.d] {
                column[row % LANES] = f32::from_bits(reader.u32()?);
            }
        }
        Ok(())
    }
}

/// The least of a block, by halves, which SIMD can do.
fn least(mut distances: [f32; LANES]) -> f32 {
    for half in [LANES / 2, LANES / 4, LANES / 8, 1] {
        for lane in 0..half {
            let (one, other) = (distances[lane], distances[lane + half]);
            distances[lane] = if one < other { one } else { other };
        }
    }
    distances[0]
}

/// Puts a row among the nearest and returns the distance under which another one would join them.
fn insert(nearest: &mut Vec<(f32, u32)>, distance: f32, row: u32) -> f32 {
    let mut place = nearest.len();
    nearest.push((distance, row));
    while place > 0 && nearest[place - 1].0 > distance {
        nearest[place] = nearest[place - 1];
        place -= 1;
    }
    nearest[place] = (distance, row);
    nearest.truncate(MOST);
    if nearest.len() == MOST {
        nearest[MOST - 1].0
    } else {
        f32::INFINITY
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
            // Finding the least of what was summed takes more than the sums.
            ns: 100.0 + self.window.room as f64 * (1.3 + 0.6 * self.window.d as f64),
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
