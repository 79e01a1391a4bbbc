//! The leaves of a growing tree: each counts its rows in histograms over a random few of the inputs, and finds the border
//! that explains most. Places for leaves are few and used again; a leaf without one waits.
//!
//! Paper: Ho, "The random subspace method for constructing decision forests" (1998).

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::panel::experts::trees::OUTPUTS_MAX;
use crate::panel::experts::trees::tree::VARIANCE_MIN;
use crate::panel::linear::{load_numbers, save_numbers};
use crate::panel::number::hold;

/// What a node has in place of a place when it has none.
pub const NO_PLACE: u32 = u32::MAX;
/// Ranges of an input.
const RANGES: usize = 32;
/// Inputs that a leaf looks at.
const TRIED: usize = 8;
/// Most leaves that count at a time, and most numbers of their histograms.
const PLACES_MAX: usize = 32;
const NUMBERS_MAX: usize = 32_768;
/// A leaf looks for a border after so many rows, and then each time it has grown by this factor.
const FIRST_LOOK: f64 = 12.0;
const LOOK_FACTOR: f64 = 1.5;
/// A border is taken when it explains so many times the variance of a row that is left behind it, or, since borders may show
/// what they are worth only behind others, when this many rows have come.
const GAIN_MIN: f64 = 8.0;
const ROWS_FORCED: f64 = 250.0;
/// Rows on either side of a border.
const SIDE_MIN: f64 = 4.0;
/// Inputs lie within this of 0; no range is narrower than that.
const BOUND: f64 = 1.0;
const WIDTH_MIN: f64 = 1e-6;
/// Numbers of a cell, at most.
const WIDTH_MAX: usize = 1 + OUTPUTS_MAX;

/// A border and what lies on its two sides.
#[derive(Clone, Debug)]
pub struct Split {
    pub input: u32,
    pub border: f64,
    /// Rows and sums of the outputs, left and right.
    pub sums: [Vec<f64>; 2],
    /// Where the values of the inputs that were looked at lay.
    seen: Vec<(u32, [f64; 2])>,
}

/// One input of a leaf: which one, where its ranges begin and end, and how many there are per unit.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Axis {
    input: u32,
    low: f64,
    high: f64,
    scale: f64,
}

/// The places.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaves {
    inputs: usize,
    /// The inputs from which half of those of a leaf are drawn.
    columns: (usize, usize),
    tried: usize,
    outputs: usize,
    seed: u64,
    /// Leaves that have had a place so far.
    served: u64,
    axes: Vec<Axis>,
    looks: Vec<f64>,
    /// Per place and input, per range: rows, then the sum of each output.
    histograms: Vec<f32>,
    free: Vec<u32>,
}

/// A random number from any number (splitmix64's finisher).
pub fn scrambled(number: u64) -> u64 {
    let z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Leaves {
    /// None yet; `columns` are the first of the inputs that the leaves favour, and how many there are.
    #[must_use]
    pub fn new(inputs: usize, columns: (usize, usize), outputs: usize, seed: u64) -> Self {
        Self {
            inputs,
            columns,
            tried: if inputs < TRIED { inputs } else { TRIED },
            outputs,
            seed,
            served: 0,
            axes: Vec::new(),
            looks: Vec::new(),
            histograms: Vec::new(),
            free: Vec::new(),
        }
    }

    /// How many inputs there are.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Numbers in the histogram of one input.
    fn span(&self) -> usize {
        RANGES * (1 + self.outputs)
    }

    /// Most places, of so many outputs.
    fn room(outputs: usize) -> usize {
        let room = NUMBERS_MAX / (TRIED * RANGES * (1 + outputs));
        if room < PLACES_MAX { room } else { PLACES_MAX }
    }

    /// The most that leaves of so many outputs take, in memory or saved.
    #[must_use]
    pub fn bytes(outputs: usize) -> usize {
        Self::room(outputs) * (4 * TRIED * RANGES * (1 + outputs) + 256)
    }

    /// A place for a new leaf, on one side of a split if it comes from one; `NO_PLACE` while all are taken.
    pub fn take(&mut self, from: Option<(&Split, usize)>) -> u32 {
        let numbers = self.tried * self.span();
        let place = match self.free.pop() {
            Some(place) => place as usize,
            None if self.looks.len() < Self::room(self.outputs) => {
                let place = self.looks.len();
                self.looks.push(0.0);
                let axis = Axis::new(0, [-BOUND, BOUND]);
                self.axes.resize((place + 1) * self.tried, axis);
                self.histograms.resize((place + 1) * numbers, 0.0);
                place
            }
            None => return NO_PLACE,
        };
        self.looks[place] = FIRST_LOOK;
        self.histograms[place * numbers..][..numbers].fill(0.0);
        self.served += 1;
        let mut state = scrambled(self.seed ^ scrambled(self.served));
        let (first, count) = self.columns;
        let axes = &mut self.axes[place * self.tried..][..self.tried];
        for chosen in 0..axes.len() {
            let favoured = 2 * chosen < axes.len() && chosen < count;
            let (first, count) = if favoured { (first, count) } else { (0, self.inputs) };
            state = scrambled(state);
            let mut input = first as u32 + ((u128::from(state) * count as u128) >> 64) as u32;
            // One that is there already gives its turn to the next.
            while axes[..chosen].iter().any(|axis| axis.input == input) {
                input = first as u32 + (input + 1 - first as u32) % count as u32;
            }
            let range = from.map_or([-BOUND, BOUND], |(split, side)| split.range(input, side));
            axes[chosen] = Axis::new(input, range);
        }
        place as u32
    }

    /// A leaf is none any more.
    pub fn give_back(&mut self, place: u32) {
        if place != NO_PLACE {
            self.free.push(place);
        }
    }

    /// Counts a row of a leaf.
    pub fn count(&mut self, place: u32, inputs: &[f64], targets: &[f64]) {
        let (place, span, width) = (place as usize, self.span(), 1 + targets.len());
        let axes = &self.axes[place * self.tried..][..self.tried];
        let histograms = &mut self.histograms[place * self.tried * span..][..self.tried * span];
        for (axis, histogram) in axes.iter().zip(histograms.chunks_exact_mut(span)) {
            let at = (inputs[axis.input as usize] - axis.low) * axis.scale;
            let range = hold(at, 0.0, (RANGES - 1) as f64) as usize;
            let cell = &mut histogram[range * width..][..width];
            cell[0] += 1.0;
            for (sum, target) in cell[1..].iter_mut().zip(targets) {
                *sum += *target as f32;
            }
        }
    }

    /// True when a leaf with so many rows should look for a border.
    pub fn due(&mut self, place: u32, rows: f64) -> bool {
        let look = &mut self.looks[place as usize];
        let due = rows >= *look;
        if due {
            *look = rows * LOOK_FACTOR;
        }
        due
    }

    /// The border to split a leaf at, if there is one; means and mean squares are those of its outputs.
    #[must_use]
    pub fn split(&self, place: u32, rows: f64, means: &[f64], squares: &[f64]) -> Option<Split> {
        let (place, span, width) = (place as usize, self.span(), 1 + self.outputs);
        let mut variance = 0.0;
        for (mean, square) in means.iter().zip(squares) {
            let rest = square - mean * mean;
            variance += if rest > VARIANCE_MIN { rest } else { 0.0 };
        }
        if variance <= 0.0 {
            return None;
        }
        let axes = &self.axes[place * self.tried..][..self.tried];
        let histograms = &self.histograms[place * self.tried * span..][..self.tried * span];
        let mut total = vec![0.0; width];
        for cell in histograms[..span].chunks_exact(width) {
            add(&mut total, cell);
        }
        // Few outputs are the rule: with their number known, the sums stay in registers.
        let (most, best) = match width {
            2 => best_border(histograms, 2, &total),
            3 => best_border(histograms, 3, &total),
            _ => best_border(histograms, width, &total),
        };
        let most = most / variance;
        let (chosen, range) = best?;
        let rest = 1.0 - most / total[0];
        let gain = most / if rest > 0.05 { rest } else { 0.05 };
        if gain < GAIN_MIN && rows < ROWS_FORCED {
            return None;
        }
        let mut sums = [vec![0.0; width], vec![0.0; width]];
        let cells = histograms[chosen * span..][..span].chunks_exact(width);
        for (place, cell) in cells.enumerate() {
            add(&mut sums[usize::from(place > range)], cell);
        }
        let seen = |(axis, histogram): (&Axis, &[f32])| (axis.input, axis.seen(histogram, width));
        Some(Split {
            input: axes[chosen].input,
            border: axes[chosen].border(range + 1),
            sums,
            seen: axes.iter().zip(histograms.chunks_exact(span)).map(seen).collect(),
        })
    }

    /// Multiplies the sums of an output.
    pub fn scale(&mut self, output: usize, by: f64) {
        for cell in self.histograms.chunks_exact_mut(1 + self.outputs) {
            cell[1 + output] = (f64::from(cell[1 + output]) * by) as f32;
        }
    }

    /// True when these places, and those that are free, are all there are.
    #[must_use]
    pub fn belong(&self, mut places: Vec<u32>) -> bool {
        places.extend(&self.free);
        places.sort_unstable();
        places.iter().copied().eq(0..self.looks.len() as u32)
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.u64(self.served);
        writer.u32(self.looks.len() as u32);
        save_numbers(&self.looks, writer);
        for axis in &self.axes {
            writer.u32(axis.input);
            save_numbers(&[axis.low, axis.high], writer);
        }
        for number in &self.histograms {
            writer.u32(number.to_bits());
        }
        writer.u32(self.free.len() as u32);
        for &place in &self.free {
            writer.u32(place);
        }
    }

    /// Reads what `save` wrote into new leaves of the same shape.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.served = reader.counter()?;
        let places = reader.u32()? as usize;
        if places > Self::room(self.outputs) {
            return Err(CoreError::Corrupt);
        }
        self.looks = vec![0.0; places];
        load_numbers(&mut self.looks, reader)?;
        self.axes.clear();
        for _ in 0..places * self.tried {
            let input = reader.u32()?;
            let (low, high) = (reader.f64()?, reader.f64()?);
            let sound =
                (input as usize) < self.inputs && low >= -BOUND && high <= BOUND && high - low >= WIDTH_MIN / 2.0;
            if !sound {
                return Err(CoreError::Corrupt);
            }
            self.axes.push(Axis::new(input, [low, high]));
        }
        self.histograms = vec![0.0; places * self.tried * self.span()];
        for number in &mut self.histograms {
            *number = f32::from_bits(reader.u32()?);
        }
        self.free.clear();
        for _ in 0..reader.count(4)? {
            self.free.push(reader.u32()?);
        }
        Ok(())
    }
}

impl Axis {
    fn new(input: u32, [low, high]: [f64; 2]) -> Self {
        Self {
            input,
            low,
            high,
            scale: RANGES as f64 / (high - low),
        }
    }

    /// Where range number `range` begins.
    fn border(self, range: usize) -> f64 {
        self.low + (self.high - self.low) * (range as f64 / RANGES as f64)
    }

    /// From the first range with a row to the last one.
    fn seen(self, histogram: &[f32], width: usize) -> [f64; 2] {
        let taken = |range: &usize| histogram[range * width] > 0.0;
        let first = (0..RANGES).find(taken).unwrap_or(0);
        let last = (0..RANGES).rfind(taken).unwrap_or(RANGES - 1);
        [self.border(first), self.border(last + 1)]
    }
}

impl Split {
    /// Where the values of an input lie on one side of the border.
    fn range(&self, input: u32, side: usize) -> [f64; 2] {
        let seen = self.seen.iter().find(|(other, _)| *other == input);
        let [mut low, mut high] = seen.map_or([-BOUND, BOUND], |&(_, range)| range);
        if input == self.input {
            if side == 0 {
                high = self.border
            } else {
                low = self.border
            }
        }
        if high - low < WIDTH_MIN {
            low = hold(low, -BOUND, BOUND - WIDTH_MIN);
            high = low + WIDTH_MIN;
        }
        [low, high]
    }
}

#[inline(always)]
fn add(sums: &mut [f64], cell: &[f32]) {
    for (sum, number) in sums.iter_mut().zip(cell) {
        *sum += f64::from(*number);
    }
}

/// What lies between the two sides of the border that has most between them, and that border: which input, behind which
/// range. Cells are `width` wide.
#[inline(always)]
fn best_border(histograms: &[f32], width: usize, total: &[f64]) -> (f64, Option<(usize, usize)>) {
    let mut best = (0.0, None);
    for (place, histogram) in histograms.chunks_exact(RANGES * width).enumerate() {
        let mut left = [0.0; WIDTH_MAX];
        let left = &mut left[..width];
        for (range, cell) in histogram.chunks_exact(width).enumerate().take(RANGES - 1) {
            if cell[0] == 0.0 {
                continue;
            }
            add(left, cell);
            let gain = between(left, &total[..width]);
            if gain > best.0 {
                best = (gain, Some((place, range)));
            }
        }
    }
    best
}

/// Sum of squares that lies between the two sides of a border; rows come first.
#[inline(always)]
fn between(left: &[f64], total: &[f64]) -> f64 {
    let (rows, before, behind) = (total[0], left[0], total[0] - left[0]);
    if before < SIDE_MIN || behind < SIDE_MIN {
        return 0.0;
    }
    let mut sum = 0.0;
    for (left, total) in left[1..].iter().zip(&total[1..]) {
        let step = left * rows - total * before;
        sum += step * step;
    }
    sum / (before * behind * rows)
}
