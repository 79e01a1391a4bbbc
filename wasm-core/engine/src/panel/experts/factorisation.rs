//! A factorisation machine: linear weights, and for every pair of features the product of their factors, so that pairs are known that
//! rarely came together. Features are the columns in units of their deviation and, of each column with few values (categories, or numbers that
//! repeat), one feature per value.
//!
//! Papers: Rendle, "Factorization machines" (2010); Duchi, Hazan & Singer (2011) for the rates of its steps; Huber (1964) for numbers.
//! Cost: some 40 flops per feature of a row and output to serve, the same and five roots and divisions to learn. Memory: 80 bytes per
//! feature and output, at most 256 values of each of 64 columns and 10 MiB for those of all.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::panel::budget::Cost;
use crate::panel::experts::descent::Unit;
use crate::panel::experts::{Cells, ClassExpert, ClassRow, Expert, NumberExpert, NumberRow, Truth, from_base, outputs};
use crate::panel::inputs::{Inputs, Map};
use crate::panel::number::{hold, sigmoid};

/// Factors of a feature.
const FACTORS: usize = 4;
/// A feature's numbers: its weight and factors, then the sums of their squared gradients.
const PARAMETERS: usize = 1 + FACTORS;
const NUMBERS: usize = 2 * PARAMETERS;
/// Values of a column that have features of their own; of one with more none has. As many among the first labels are too many.
const VALUES_MAX: usize = 256;
const FIRST_LABELS: f64 = 64.0;
const FIRST_VALUES_MAX: usize = 56;
/// Columns whose values may have features, and features of all values and outputs.
const COLUMNS_MAX: usize = 64;
const FEATURES_MAX: usize = 131_072;
/// Factors begin within this of 0.
const FACTOR_FIRST: f64 = 0.1;
const RATE: f64 = 0.1;
/// What a step takes off a parameter.
const DECAY: f64 = 1e-4;
const PARAMETER_MAX: f64 = 1e3;
const SCORE_MAX: f64 = 30.0;

/// The numbers of one feature.
type Feature = [f64; NUMBERS];

/// One machine per output over the features they share.
#[derive(Debug)]
pub struct Factorisation {
    base: usize,
    /// Bias and columns.
    width: usize,
    outputs: usize,
    unit: Unit,
    labels: f64,
    /// Output by output: bias, columns.
    dense: Vec<Feature>,
    columns: Vec<Values>,
    /// Features of the row at hand: where their numbers stand, and what they are. Working memory, never state.
    row: Vec<(Place, f64)>,
}

/// The values of a column; none of one that has too many.
#[derive(Clone, Debug, Default)]
struct Values {
    silent: bool,
    /// In ascending order, each with the number of its features.
    known: Vec<(f64, u32)>,
    /// Value by value in the order in which they came, output by output.
    features: Vec<Feature>,
}

impl Values {
    /// Those of a column that has too many.
    fn silent() -> Self {
        Self {
            silent: true,
            ..Self::default()
        }
    }

    /// The number of a value, made when it is new and a row is learned.
    fn find(&mut self, column: usize, value: f64, outputs: usize, most: Option<usize>) -> Option<usize> {
        let place = match self.known.binary_search_by(|known| known.0.total_cmp(&value)) {
            Ok(place) => return Some(self.known[place].1 as usize),
            Err(place) => place,
        };
        let number = self.known.len();
        if number >= most? {
            *self = Self::silent();
            return None;
        }
        self.known.insert(place, (value, number as u32));
        self.features
            .extend((0..outputs).map(|output| fresh(salt(column, number), output)));
        Some(number)
    }
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Dense(usize),
    Value(usize, usize),
}

impl Factorisation {
    /// Nothing learned; numbers start from the base at this place.
    #[must_use]
    pub fn new(inputs: &Inputs, base: usize) -> Self {
        let width = inputs.width(Map::Columns);
        let columns = (width - 1).min(COLUMNS_MAX);
        let mut machine = Self {
            base,
            width,
            outputs: 0,
            unit: Unit::default(),
            labels: 0.0,
            dense: Vec::new(),
            columns: vec![Values::default(); columns],
            row: Vec::new(),
        };
        machine.widen(1);
        machine
    }

    fn widen(&mut self, outputs: usize) {
        // From class 1 against class 0 to one machine per class: that of class 0 begins anew.
        let ahead = if self.outputs == 1 && outputs > 1 { 1 } else { 0 };
        let (before, width) = (self.outputs, self.width);
        let mut dense = Vec::with_capacity(outputs * width);
        for output in 0..outputs {
            for place in 0..width {
                let old = output.checked_sub(ahead).filter(|&old| old < before);
                dense.push(old.map_or_else(|| fresh(place as u64, output), |old| self.dense[old * width + place]));
            }
        }
        self.dense = dense;
        self.outputs = outputs;
        let room = self.room();
        for (column, values) in self.columns.iter_mut().enumerate() {
            if values.known.len() > room {
                *values = Values::silent();
            }
            let Values { known, features, .. } = values;
            let count = known.len();
            let mut wider = Vec::with_capacity(count * outputs);
            for value in 0..count {
                for output in 0..outputs {
                    let old = output.checked_sub(ahead).filter(|&old| old < before);
                    wider.push(old.map_or_else(
                        || fresh(salt(column, value), output),
                        |old| features[value * before + old],
                    ));
                }
            }
            *features = wider;
        }
    }

    /// Values of a column that have features: of many outputs there are fewer.
    fn room(&self) -> usize {
        (FEATURES_MAX / (self.columns.len() * self.outputs).max(1)).min(VALUES_MAX)
    }

    /// Finds the features of a row; values that are new get theirs when they are learned.
    fn read(&mut self, z: &[f64], x: &[f64], learns: bool) {
        self.row.clear();
        self.row
            .extend(z.iter().enumerate().map(|(place, &z)| (Place::Dense(place), z)));
        let most = if self.labels < FIRST_LABELS {
            FIRST_VALUES_MAX
        } else {
            VALUES_MAX
        }
        .min(self.room());
        for (column, (values, &x)) in self.columns.iter_mut().zip(x).enumerate() {
            if x.is_nan() || values.silent {
                continue;
            }
            // Zero has one sign here.
            let found = values.find(column, x + 0.0, self.outputs, learns.then_some(most));
            if let Some(value) = found {
                self.row.push((Place::Value(column, value), 1.0));
            }
        }
    }

    fn feature(&self, place: Place, output: usize) -> &Feature {
        match place {
            Place::Dense(place) => &self.dense[output * self.width + place],
            Place::Value(column, value) => &self.columns[column].features[value * self.outputs + output],
        }
    }

    /// The score of the row at hand, and per factor the sum over its features.
    fn score(&self, output: usize) -> (f64, [f64; FACTORS]) {
        let (mut linear, mut sums, mut squares) = (0.0, [0.0; FACTORS], 0.0);
        for &(place, x) in &self.row {
            let feature = self.feature(place, output);
            linear += feature[0] * x;
            for (sum, factor) in sums.iter_mut().zip(&feature[1..PARAMETERS]) {
                let part = factor * x;
                *sum += part;
                squares += part * part;
            }
        }
        let pairs = 0.5 * (sums.iter().map(|sum| sum * sum).sum::<f64>() - squares);
        (hold(linear + pairs, -SCORE_MAX, SCORE_MAX), sums)
    }

    fn step(&mut self, output: usize, gradient: f64, sums: [f64; FACTORS]) {
        let (width, outputs) = (self.width, self.outputs);
        for &(place, x) in &self.row {
            let feature = match place {
                Place::Dense(place) => &mut self.dense[output * width + place],
                Place::Value(column, value) => &mut self.columns[column].features[value * outputs + output],
            };
            for at in 0..PARAMETERS {
                let slope = if at == 0 {
                    x
                } else {
                    x * (sums[at - 1] - feature[at] * x)
                };
                let step = gradient * slope + DECAY * feature[at];
                feature[PARAMETERS + at] += step * step;
                let moved = feature[at] - RATE * step / (feature[PARAMETERS + at].sqrt() + 1e-8);
                feature[at] = hold(moved, -PARAMETER_MAX, PARAMETER_MAX);
            }
        }
    }
}

fn salt(column: usize, value: usize) -> u64 {
    (column as u64 + 1) << 32 | value as u64
}

/// A feature that has learned nothing: weight 0, factors drawn by its place, so that no two begin alike.
fn fresh(place: u64, output: usize) -> Feature {
    let mut seed = place.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (output as u64) << 56;
    let mut feature = [0.0; NUMBERS];
    for factor in &mut feature[1..PARAMETERS] {
        seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let uniform = ((z ^ (z >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0;
        *factor = FACTOR_FIRST * (2.0 * uniform - 1.0);
    }
    feature
}

impl Expert for Factorisation {
    fn cost(&self, outputs: usize) -> Cost {
        let features = (self.width + self.columns.iter().filter(|values| !values.silent).count()) as f64;
        let values: usize = self.columns.iter().map(|values| values.features.len()).sum();
        Cost {
            ns: 60.0 + outputs as f64 * (40.0 + 36.0 * features),
            bytes: 80.0 * (self.dense.len() + values) as f64,
        }
    }

    fn names(&self) -> Vec<String> {
        vec!["factorisation".to_owned()]
    }

    fn map(&self) -> Option<Map> {
        Some(Map::Columns)
    }

    fn save(&self, writer: &mut Writer) {
        self.unit.save(writer);
        writer.f64(self.labels);
        for values in &self.columns {
            writer.bool(values.silent);
            writer.u32(values.known.len() as u32);
            for &(value, number) in &values.known {
                writer.f64(value);
                writer.u32(number);
            }
            crate::panel::linear::save_numbers(values.features.as_flattened(), writer);
        }
        crate::panel::linear::save_numbers(self.dense.as_flattened(), writer);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.unit = Unit::load(reader)?;
        self.labels = reader.f64()?;
        let room = self.room();
        for values in &mut self.columns {
            *values = Values {
                silent: reader.bool()?,
                ..Values::default()
            };
            let count = reader.count(12 + 8 * NUMBERS)?;
            if count > room || (values.silent && count > 0) {
                return Err(CoreError::Corrupt);
            }
            for _ in 0..count {
                let known = (reader.f64()?, reader.u32()?);
                let ascends = values
                    .known
                    .last()
                    .is_none_or(|last| last.0.total_cmp(&known.0).is_lt());
                if !ascends || known.1 as usize >= count {
                    return Err(CoreError::Corrupt);
                }
                values.known.push(known);
            }
            values.features = vec![[0.0; NUMBERS]; count * self.outputs];
            crate::panel::linear::load_numbers(values.features.as_flattened_mut(), reader)?;
        }
        crate::panel::linear::load_numbers(self.dense.as_flattened_mut(), reader)
    }
}

impl ClassExpert for Factorisation {
    fn grow(&mut self, classes: usize) {
        if outputs(classes) > self.outputs {
            self.widen(outputs(classes));
        }
    }

    fn predict(&mut self, row: &ClassRow, cells: &mut Cells) -> bool {
        self.read(row.z, row.x, false);
        cells.fill_lanes(|output| [self.score(output).0]);
        true
    }

    fn learn(&mut self, row: &ClassRow, truth: Truth) {
        self.read(row.z, row.x, true);
        self.labels += 1.0;
        for output in 0..truth.outputs() {
            let (score, sums) = self.score(output);
            self.step(output, sigmoid(score) - truth.of(output), sums);
        }
    }
}

impl NumberExpert for Factorisation {
    fn predict(&mut self, row: &NumberRow, out: &mut [f64]) {
        self.read(row.z, row.x, false);
        out[0] = from_base(row.bases[self.base], self.score(0).0 * self.unit.size(), row.range);
    }

    fn learn(&mut self, row: &NumberRow, label: f64, errors: &[f64]) {
        let distance = label - row.bases[self.base];
        if !distance.is_finite() {
            return;
        }
        self.unit.learn(distance);
        self.read(row.z, row.x, true);
        self.labels += 1.0;
        let (score, sums) = self.score(0);
        self.step(0, self.unit.gradient(score, distance, errors[0]), sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_is_the_sum_over_all_pairs() {
        let inputs = Inputs::new(vec![false, true, true], 1, false);
        let mut machine = Factorisation::new(&inputs, 0);
        machine.read(&[1.0, 0.5, 0.0, 0.0], &[3.5, 2.0, 7.0], true);
        for feature in &mut machine.dense {
            feature[0] = 0.25;
        }
        let features: Vec<(Feature, f64)> = machine
            .row
            .iter()
            .map(|&(place, x)| (*machine.feature(place, 0), x))
            .collect();
        assert_eq!(features.len(), 7);
        let mut truth: f64 = features.iter().map(|(feature, x)| feature[0] * x).sum();
        for one in 0..features.len() {
            for other in 0..one {
                let ((a, x), (b, y)) = (&features[one], &features[other]);
                truth += (1..PARAMETERS).map(|at| a[at] * b[at]).sum::<f64>() * x * y;
            }
        }
        assert!((machine.score(0).0 - truth).abs() < 1e-15, "{truth}");
    }

    #[test]
    fn pairs_of_categories_are_learned_that_no_single_one_tells() {
        let inputs = Inputs::new(vec![true; 2], 1, false);
        let mut machine = Factorisation::new(&inputs, 0);
        let z = [1.0, 0.0, 0.0];
        let mut right = 0;
        for at in 0..4000_usize {
            let (one, other) = ((at * 7 + at / 16) % 4, (at * 5 + at / 64) % 4);
            machine.read(&z, &[one as f64, other as f64], true);
            let class = one.abs_diff(other) % 2;
            let (score, sums) = machine.score(0);
            right += usize::from(at >= 3000 && (score > 0.0) == (class == 1));
            machine.step(0, sigmoid(score) - class as f64, sums);
        }
        assert!(right > 950, "{right} of 1000");
    }

    #[test]
    fn values_of_many_columns_and_classes_take_no_more_than_their_room() {
        let inputs = Inputs::new(vec![true; 64], 1, false);
        let mut machine = Factorisation::new(&inputs, 0);
        let z = [0.0; 65];
        let features = |machine: &Factorisation| -> Vec<usize> {
            machine.columns.iter().map(|values| values.features.len()).collect()
        };
        for (outputs, values) in [(1, 200_usize), (8, 256), (40, 0)] {
            machine.widen(outputs);
            machine.labels = FIRST_LABELS;
            for value in 0..values {
                machine.read(&z, &[value as f64; 64], true);
            }
            assert_eq!(features(&machine), [values * outputs; 64], "{outputs} outputs");
        }
        assert!(machine.columns.iter().all(|values| values.silent));
        // Columns that have few values keep them.
        let mut machine = Factorisation::new(&inputs, 0);
        machine.read(&z, &[1.0; 64], true);
        machine.widen(2_000);
        assert_eq!(features(&machine), [2_000; 64]);
        machine.read(&z, &[2.0; 64], true);
        assert_eq!(features(&machine), [0; 64]);
    }
}
