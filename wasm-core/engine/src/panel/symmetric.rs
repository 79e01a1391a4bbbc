//! A symmetric matrix as the lower triangle of 4 × 4 tiles, so that every loop over it runs in full SIMD lanes whatever
//! its order: a row of 7 inputs costs what one of 8 does, and nothing is left over at the ends. Sums are laid out by hand
//! and added in one fixed order, so that scalar and SIMD builds give the same bits. Nothing here allocates but making one.
//!
//! Cost: 2 m² flops for a product with a vector, m² for an update. Memory: 4 m (m + 4) bytes.

use crate::codec::{Reader, Writer};
use crate::error::Result;
pub use crate::panel::lanes::Lane;
use crate::panel::lanes::Quad;

const LANES: usize = 4;

/// How many lanes a vector of `m` numbers takes; what is over is 0.
#[must_use]
pub fn lanes(m: usize) -> usize {
    m.div_ceil(LANES)
}

/// Puts numbers into lanes.
pub fn fill_lanes(lanes: &mut [Lane], numbers: &[f64]) {
    let flat = lanes.as_flattened_mut();
    flat[..numbers.len()].copy_from_slice(numbers);
    flat[numbers.len()..].fill(0.0);
}

/// The matrix; the tiles of the diagonal are whole.
#[derive(Clone, Debug)]
pub struct Symmetric {
    m: usize,
    tiles: Vec<[Lane; LANES]>,
}

impl Symmetric {
    /// `value` times the identity of order `m`.
    #[must_use]
    pub fn identity(m: usize, value: f64) -> Self {
        let blocks = lanes(m);
        let mut matrix = Self {
            m,
            tiles: vec![[[0.0; LANES]; LANES]; blocks * (blocks + 1) / 2],
        };
        matrix.set_identity(value);
        matrix
    }

    /// From the lower triangle, packed by rows.
    #[must_use]
    pub fn from_packed(m: usize, packed: &[f64]) -> Self {
        let mut matrix = Self::identity(m, 0.0);
        let mut numbers = packed.iter();
        matrix.each(|entry| *entry = numbers.next().copied().unwrap_or(0.0));
        matrix
    }

    /// Becomes `value` times the identity.
    pub fn set_identity(&mut self, value: f64) {
        self.tiles.fill([[0.0; LANES]; LANES]);
        self.add_identity(value);
    }

    /// Adds `value` times the identity.
    pub fn add_identity(&mut self, value: f64) {
        for i in 0..self.m {
            let block = i / LANES;
            self.tiles[block * (block + 3) / 2][i % LANES][i % LANES] += value;
        }
    }

    /// `out` = this matrix times `x`.
    pub fn times(&self, x: &[Lane], out: &mut [Lane]) {
        let mut left = &self.tiles[..];
        for (i, here) in x.iter().enumerate() {
            let (tiles, next) = left.split_at(i);
            let (before, rest) = out.split_at_mut(i);
            let each = here.map(Quad::all);
            let mut sums = [Quad::all(0.0); LANES];
            for ((tile, x), out) in tiles.iter().zip(x).zip(before) {
                let x = Quad::of(x);
                let mut below = Quad::of(out);
                for row in 0..LANES {
                    let entries = Quad::of(&tile[row]);
                    sums[row] = sums[row].plus(entries, x);
                    below = below.plus(entries, each[row]);
                }
                *out = below.lane();
            }
            let x = Quad::of(here);
            let (diagonal, next) = next.split_at(1);
            rest[0] = std::array::from_fn(|row| sums[row].plus(Quad::of(&diagonal[0][row]), x).sum());
            left = next;
        }
    }

    /// This matrix less `c` g g', plus `add` times the identity.
    pub fn update(&mut self, g: &[Lane], c: f64, add: f64) {
        let mut left = &mut self.tiles[..];
        for (i, here) in g.iter().enumerate() {
            let (tiles, next) = left.split_at_mut(i);
            let scaled = here.map(|g| Quad::all(c * g));
            for (tile, g) in tiles.iter_mut().zip(g) {
                let g = Quad::of(g);
                for row in 0..LANES {
                    tile[row] = Quad::of(&tile[row]).less(scaled[row], g).lane();
                }
            }
            // Above and below the diagonal the same bits: what is saved is one side of it.
            let (diagonal, next) = next.split_at_mut(1);
            for (row, entries) in diagonal[0].iter_mut().enumerate() {
                let products = here.map(|g| here[row] * g);
                *entries = Quad::of(entries).less(Quad::all(c), Quad::of(&products)).lane();
                entries[row] += add;
            }
            left = next;
        }
    }

    /// Row and column `at` are `value` on the diagonal and zero elsewhere.
    pub fn part(&mut self, at: usize, value: f64) {
        let (block, row) = (at / LANES, at % LANES);
        for other in 0..lanes(self.m) {
            let (low, high) = if other < block { (other, block) } else { (block, other) };
            let tile = &mut self.tiles[high * (high + 1) / 2 + low];
            if other <= block {
                tile[row] = [0.0; LANES];
            }
            if other >= block {
                tile.iter_mut().for_each(|entries| entries[row] = 0.0);
            }
        }
        self.tiles[block * (block + 3) / 2][row][row] = value;
    }

    /// Every entry times `factor`.
    pub fn scale(&mut self, factor: f64) {
        for entry in self.tiles.as_flattened_mut().as_flattened_mut() {
            *entry *= factor;
        }
    }

    fn entry(&self, i: usize, j: usize) -> f64 {
        let (block, other) = (i / LANES, j / LANES);
        self.tiles[block * (block + 1) / 2 + other][i % LANES][j % LANES]
    }

    /// The matrix of these rows and columns alone.
    #[must_use]
    pub fn keep(&self, kept: &[bool]) -> Self {
        let left: Vec<usize> = (0..self.m).filter(|&i| kept[i]).collect();
        let pairs = left
            .iter()
            .enumerate()
            .flat_map(|(end, &i)| left[..=end].iter().map(move |&j| (i, j)));
        let packed: Vec<f64> = pairs.map(|(i, j)| self.entry(i, j)).collect();
        Self::from_packed(left.len(), &packed)
    }

    /// The lower triangle by rows, entry by entry; the other side of the diagonal follows.
    fn each(&mut self, mut entry: impl FnMut(&mut f64)) {
        for i in 0..self.m {
            let (block, row) = (i / LANES, i % LANES);
            let first = block * (block + 1) / 2;
            for j in 0..=i {
                entry(&mut self.tiles[first + j / LANES][row][j % LANES]);
            }
            let diagonal = &mut self.tiles[first + block];
            let here = diagonal[row];
            for (above, &entry) in diagonal.iter_mut().zip(&here[..row]) {
                above[row] = entry;
            }
        }
    }

    /// Writes the lower triangle, by rows.
    pub fn save(&self, writer: &mut Writer) {
        for i in 0..self.m {
            let block = i / LANES;
            let first = block * (block + 1) / 2;
            for tile in &self.tiles[first..first + block] {
                tile[i % LANES].iter().for_each(|&entry| writer.f64(entry));
            }
            for &entry in &self.tiles[first + block][i % LANES][..=i % LANES] {
                writer.f64(entry);
            }
        }
    }

    /// Reads what `save` wrote into a matrix of the same order.
    ///
    /// # Errors
    /// `Truncated`.
    pub fn load(&mut self, reader: &mut Reader) -> Result<()> {
        let mut read = Ok(());
        self.tiles.fill([[0.0; LANES]; LANES]);
        self.each(|entry| {
            if read.is_ok() {
                match reader.f64() {
                    Ok(number) => *entry = number,
                    Err(error) => read = Err(error),
                }
            }
        });
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(i: usize, j: usize) -> f64 {
        1.0 / (1.0 + (i + j) as f64) + f64::from(u8::from(i == j))
    }

    fn packed(m: usize) -> Vec<f64> {
        (0..m).flat_map(|i| (0..=i).map(move |j| value(i, j))).collect()
    }

    #[test]
    fn the_tiles_act_as_the_full_matrix() {
        for m in [1, 2, 4, 11, 12] {
            let mut matrix = Symmetric::from_packed(m, &packed(m));
            let x: Vec<f64> = (0..m).map(|i| i as f64 - 4.5).collect();
            let mut lanes_of_x = vec![[7.0; LANES]; lanes(m)];
            fill_lanes(&mut lanes_of_x, &x);
            let mut out = vec![[7.0; LANES]; lanes(m)];
            for (c, add) in [(0.0, 0.0), (0.25, 3.0)] {
                matrix.update(&lanes_of_x, c, add);
                matrix.times(&lanes_of_x, &mut out);
                let entry = |i: usize, j: usize| value(i, j) - c * x[i] * x[j] + if i == j { add } else { 0.0 };
                for i in 0..m {
                    let truth: f64 = (0..m).map(|j| entry(i, j) * x[j]).sum();
                    assert!(
                        (out.as_flattened()[i] - truth).abs() < 1e-9 * truth.abs().max(1.0),
                        "row {i} of {m}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_matrix_of_some_rows_has_their_entries() {
        let kept = [true, false, true, true, false, false, true];
        let matrix = Symmetric::from_packed(7, &packed(7)).keep(&kept);
        for (row, i) in [0, 2, 3, 6].into_iter().enumerate() {
            for (column, j) in [0, 2, 3, 6].into_iter().enumerate().take(row + 1) {
                assert_eq!(matrix.entry(row, column), value(i, j));
            }
        }
    }

    #[test]
    fn a_row_that_is_parted_from_the_rest_leaves_the_rest_as_it_was() {
        for m in [3, 7, 9] {
            for at in 0..m {
                let mut matrix = Symmetric::from_packed(m, &packed(m));
                matrix.part(at, 5.0);
                for i in 0..m {
                    let mut unit = vec![[0.0; LANES]; lanes(m)];
                    unit.as_flattened_mut()[i] = 1.0;
                    let mut out = vec![[7.0; LANES]; lanes(m)];
                    matrix.times(&unit, &mut out);
                    for (j, &entry) in out.as_flattened()[..m].iter().enumerate() {
                        let kept = if i == at || j == at { 0.0 } else { value(i, j) };
                        assert_eq!(
                            entry,
                            if i == at && j == at { 5.0 } else { kept },
                            "{i}, {j} without {at}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_saved_is_the_packed_triangle_and_restores_every_bit() {
        let mut matrix = Symmetric::from_packed(7, &packed(7));
        let mut g = vec![[0.0; LANES]; 2];
        fill_lanes(&mut g, &[0.1, 0.7, -0.3, 1.9, 0.2, -1.1, 0.4]);
        matrix.update(&g, 0.37, 0.01);
        let mut writer = Writer::new();
        matrix.save(&mut writer);
        assert_eq!(writer.as_slice().len(), 8 * 28);
        let mut other = Symmetric::identity(7, 5.0);
        other.load(&mut Reader::new(writer.as_slice())).expect("it is whole");
        let mut products = [[[0.0; LANES]; 2]; 2];
        matrix.times(&g, &mut products[0]);
        other.times(&g, &mut products[1]);
        assert_eq!(products[0], products[1]);
        assert!(other.load(&mut Reader::new(&writer.as_slice()[8..])).is_err());
    }
}
