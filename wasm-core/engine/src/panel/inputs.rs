//! From raw features to what the experts see, online and in one pass: every column against its running mean and
//! deviation, its context (against the previous value and short and long means of the same key), the labels that have
//! arrived, one-hot columns and label memories. The vector is made when a row is served and kept with it, so that a late
//! label teaches the inputs as they were.
//!
//! The vector: 4 label inputs | 1 (bias) | d columns | d · contexts | waves | products | one-hot | memories; the last two are
//! empty until the columns are typed. How many contexts fit is a matter of d alone, so that second-order experts stay affordable.

use std::ops::Range;

use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::keys::Keys;
use crate::panel::moments::Moments;
use crate::panel::number::hold;
use crate::panel::series::{Series, SeriesByKey};
use crate::panel::values::Values;
use crate::panel::waves::Waves;

/// Inputs made of labels.
pub const LABEL_INPUTS: usize = 4;
/// Inputs are held to this many deviations.
const INPUT_ABS_MAX: f64 = 8.0;
/// Features and labels are held to this magnitude, so that no square overflows.
pub const VALUE_ABS_MAX: f64 = 1e100;
/// A label this many mean errors from what was served is within reach, however far it lies from other labels.
const LABEL_ERRORS_MAX: f64 = 20.0;
/// Most inputs of the widest second-order expert while it still gets contexts: its cost per row is about 3.5 m² flops.
const CONTEXT_INPUTS_MAX: usize = 64;
/// Most inputs of a second-order expert: 128 take 66 KB and about 60,000 flops per row. Wider rows are left to the
/// experts whose cost is linear.
const SECOND_ORDER_INPUTS_MAX: usize = 128;
/// Most products of two columns: those of 11 columns.
const PRODUCTS_MAX: usize = 66;
/// Rates of the running means of a column: half-lives of 4 and 16 rows.
const RATE_4: f64 = 0.159_103_584_746_285_45;
const RATE_16: f64 = 0.042_396_032_677_633_06;

/// Which part of the vector an expert sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Map {
    /// Columns alone, behind the bias.
    Columns,
    /// Labels and columns.
    Label,
    /// Columns and context.
    Context,
    /// Labels, columns and context.
    Full,
    /// Columns and random waves over them.
    Waves,
    /// Columns, their squares and their products.
    Products,
    /// Columns and one-hot.
    OneHot,
    /// Labels, columns and memories.
    Memory,
}

impl Map {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Columns | Self::Label => "columns",
            Self::Context => "context",
            Self::Full => "columns+context",
            Self::Waves => "waves",
            Self::Products => "products",
            Self::OneHot => "categories",
            Self::Memory => "memory",
        }
    }

    /// True for inputs that are there only once the columns are typed.
    #[must_use]
    pub fn typed(self) -> bool {
        matches!(self, Self::OneHot | Self::Memory)
    }
}

/// The makers of the inputs and their state.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    /// Labels and columns alone.
    small: bool,
    categorical: Vec<bool>,
    moments: Vec<Moments>,
    labels: Moments,
    keys: Keys,
    values: Values,
    waves: Waves,
    /// For experts that forecast from them; none where nobody does.
    series: Option<SeriesByKey>,
}

impl Inputs {
    /// Inputs of `categorical.len()` columns, of which some are indexes of categories; `small` ones are labels and columns
    /// alone.
    #[must_use]
    pub fn new(categorical: Vec<bool>, keys_max: usize, small: bool) -> Self {
        let d = categorical.len();
        let contexts = if small { 0 } else { context_rates(d).len() };
        Self {
            small,
            moments: vec![Moments::default(); d],
            labels: Moments::default(),
            keys: Keys::new(d, contexts.max(1), keys_max),
            values: Values::new(if small { &[] } else { &categorical }),
            waves: Waves::new(if small { 0 } else { d }),
            categorical,
            series: None,
        }
    }

    /// The same, with the labels of each key as a series.
    #[must_use]
    pub fn with_series(self) -> Self {
        Self {
            series: Some(SeriesByKey::default()),
            ..self
        }
    }

    /// The labels of a key as a series.
    #[must_use]
    pub fn series(&self, key: u32) -> Option<&Series> {
        self.series.as_ref()?.of(key)
    }

    /// A row of a key is served as number `serial`.
    pub fn series_served(&mut self, key: u32, serial: u64) {
        if let Some(series) = &mut self.series {
            series.serve(key, serial);
        }
    }

    /// The label of the row served as number `serial` has come, as far as it is believed.
    pub fn series_arrived(&mut self, key: u32, serial: u64, label: f64) {
        if let Some(series) = &mut self.series {
            series.arrived(key, serial, label);
        }
    }

    /// Per column, whether its numbers are indexes of categories.
    #[must_use]
    pub fn categorical(&self) -> &[bool] {
        &self.categorical
    }

    /// True for labels and columns alone.
    #[must_use]
    pub fn small(&self) -> bool {
        self.small
    }

    fn rates(&self) -> &'static [f64] {
        if self.small { &[] } else { context_rates(self.d()) }
    }

    fn d(&self) -> usize {
        self.categorical.len()
    }

    /// Labels, columns and context.
    #[must_use]
    pub fn dense_len(&self) -> usize {
        LABEL_INPUTS + 1 + self.d() * (1 + self.rates().len())
    }

    /// How many products of two columns there are.
    fn products(&self) -> usize {
        let d = self.d();
        let count = d * (d + 1) / 2;
        if d > 1 && count <= PRODUCTS_MAX && !self.small {
            count
        } else {
            0
        }
    }

    /// Inputs that do not wait for the columns to be typed.
    fn untyped_len(&self) -> usize {
        self.dense_len() + self.waves.count() + self.products()
    }

    /// Number of inputs a map has today; 0 when it has nothing of its own (yet).
    #[must_use]
    pub fn width(&self, map: Map) -> usize {
        let d = self.d();
        match map {
            Map::Columns => 1 + d,
            Map::Label => LABEL_INPUTS + 1 + d,
            Map::Context if self.dense_len() > LABEL_INPUTS + 1 + d => self.dense_len() - LABEL_INPUTS,
            Map::Full if self.dense_len() > LABEL_INPUTS + 1 + d => self.dense_len(),
            Map::Waves if self.waves.count() > 0 => 1 + d + self.waves.count(),
            Map::Products if self.products() > 0 => 1 + d + self.products(),
            Map::OneHot if self.values.one_hot_len() > 0 => 1 + d + self.values.one_hot_len(),
            Map::Memory if self.values.memory_len() > 0 => LABEL_INPUTS + 1 + d + self.values.memory_len(),
            _ => 0,
        }
    }

    /// The map itself; where it is empty (rows too wide for contexts), the columns.
    #[must_use]
    pub fn or_columns(&self, map: Map) -> Map {
        if map == Map::Full && self.width(map) == 0 {
            Map::Label
        } else {
            map
        }
    }

    /// True when a map has inputs, and few enough for a second-order expert.
    #[must_use]
    pub fn second_order(&self, map: Map) -> bool {
        (1..=SECOND_ORDER_INPUTS_MAX).contains(&self.width(map))
    }

    /// The two ranges of the vector that a map is made of.
    #[must_use]
    pub fn ranges(&self, map: Map) -> [Range<usize>; 2] {
        let (d, dense) = (self.d(), self.dense_len());
        let waves = dense + self.waves.count();
        let wide = waves + self.products();
        let hot = wide + self.values.one_hot_len();
        match map {
            Map::Columns => [LABEL_INPUTS..LABEL_INPUTS + 1 + d, 0..0],
            Map::Label => [0..LABEL_INPUTS + 1 + d, 0..0],
            Map::Context => [LABEL_INPUTS..dense, 0..0],
            Map::Full => [0..dense, 0..0],
            Map::Waves => [LABEL_INPUTS..LABEL_INPUTS + 1 + d, dense..waves],
            Map::Products => [LABEL_INPUTS..LABEL_INPUTS + 1 + d, waves..wide],
            Map::OneHot => [LABEL_INPUTS..LABEL_INPUTS + 1 + d, wide..hot],
            Map::Memory => [0..LABEL_INPUTS + 1 + d, hot..hot + self.values.memory_len()],
        }
    }

    /// The moments of a column.
    #[must_use]
    pub fn column(&self, column: usize) -> &Moments {
        &self.moments[column]
    }

    /// The mean of a column, for models that need a value where it is missing.
    #[must_use]
    pub fn column_mean(&self, column: usize) -> f64 {
        self.moments[column].mean()
    }

    /// Writes a row to `out` with the mean of its column so far in the place of each missing value; false when there is a
    /// column that never had a value, or a category is missing.
    pub fn complete(&self, x: &[f64], out: &mut Vec<f64>) -> bool {
        out.clear();
        for (column, &value) in x.iter().enumerate() {
            let known = self.moments[column].n() > 0.0 && !self.categorical[column];
            if value.is_nan() && !known {
                return false;
            }
            out.push(if value.is_nan() {
                self.column_mean(column)
            } else {
                value
            });
        }
        true
    }

    /// The labels seen so far.
    #[must_use]
    pub fn label_moments(&self) -> &Moments {
        &self.labels
    }

    /// What the key's labels were: how many, the last, the one before, short and long average.
    #[must_use]
    pub fn key_labels(&self, key: u32) -> [f64; 5] {
        self.keys.labels(key)
    }

    /// The last label of the row's value in the best remembered column, else NaN.
    #[must_use]
    pub fn best_memory(&self, x: &[f64]) -> f64 {
        self.values.best_last(x)
    }

    /// Makes the vector of a row and learns from its features (they need no label). `x` may hold NaN (missing: what
    /// `Moments::expected` says stands in). True when the columns have just been typed.
    pub fn serve(&mut self, key: u32, x: &[f64], out: &mut Vec<f64>) -> bool {
        let d = self.d();
        let typed_now = self.values.observe(x);
        let dense = self.dense_len();
        let wide = self.untyped_len();
        out.clear();
        out.resize(wide + self.values.one_hot_len() + self.values.memory_len(), 0.0);
        let scale = self.labels.inverse_deviation();
        self.label_inputs(key, scale, &mut out[..LABEL_INPUTS]);
        out[LABEL_INPUTS] = 1.0;
        let rates = self.rates();
        let (columns, contexts) = out[LABEL_INPUTS + 1..dense].split_at_mut(d);
        let mut memory = self.keys.served(key);
        for column in 0..d {
            let moments = &mut self.moments[column];
            let previous = memory.as_ref().map_or(f64::NAN, |(_, kept)| kept[column]);
            let missing = x[column].is_nan();
            let value = if missing {
                moments.expected(previous)
            } else {
                hold(x[column], -VALUE_ABS_MAX, VALUE_ABS_MAX)
            };
            if value.is_nan() || self.categorical[column] {
                continue;
            }
            if !missing {
                moments.push(value, previous);
            }
            let inverse = moments.inverse_deviation();
            columns[column] = held((value - moments.mean()) * inverse);
            if let Some((n, kept)) = &mut memory {
                for (place, &rate) in rates.iter().enumerate() {
                    let average = &mut kept[place * d + column];
                    if average.is_nan() {
                        *average = value;
                    }
                    contexts[place * d + column] = held((value - *average) * inverse);
                    if !missing {
                        let rate = if rate > 1.0 / *n { rate } else { 1.0 / *n };
                        *average += rate * (value - *average);
                    }
                }
                if !missing {
                    kept[column] = value;
                }
            }
        }
        let (before, rest) = out.split_at_mut(dense);
        let columns = &before[LABEL_INPUTS + 1..][..d];
        let (waves, rest) = rest.split_at_mut(self.waves.count());
        self.waves.inputs(columns, waves);
        if wide > dense + waves.len() {
            let pairs = (0..d).flat_map(|one| (0..=one).map(move |other| (one, other)));
            for (product, (one, other)) in rest.iter_mut().zip(pairs) {
                *product = held(columns[one] * columns[other]);
            }
        }
        self.values.inputs(x, self.labels.mean(), scale, &mut out[wide..]);
        typed_now
    }

    fn label_inputs(&self, key: u32, scale: f64, out: &mut [f64]) {
        let [n, last, before, short, long] = self.keys.labels(key);
        if n > 0.0 {
            out[0] = held((last - self.labels.mean()) * scale);
            out[1] = held((last - before) * scale);
            out[2] = held((last - short) * scale);
            out[3] = held((last - long) * scale);
        }
    }

    /// What a numeric label teaches: itself, or where it lies far outside all labels and far from what was `served`, with a
    /// mean error of `error`, the nearest value that is believed. A broken reading then teaches little; the second such
    /// label of a key in a row is believed, since levels do change.
    #[must_use]
    pub fn believed_label(&self, key: u32, label: f64, served: f64, error: f64) -> f64 {
        let (low, high) = self.labels.believed();
        let reach = LABEL_ERRORS_MAX * error;
        let low = if served - reach < low { served - reach } else { low };
        let high = if served + reach > high { served + reach } else { high };
        let [n, last, ..] = self.keys.labels(key);
        let again = n > 0.0 && ((label > high && last > high) || (label < low && last < low));
        if again { label } else { hold(label, low, high) }
    }

    /// The label of a row has arrived: a number, or for classes +1 and -1.
    pub fn arrived(&mut self, key: u32, x: &[f64], label: f64) {
        self.labels.push(label, f64::NAN);
        self.keys.arrived(key, label);
        self.values.arrived(x, label);
    }

    /// True for a vector as `serve` makes it, before the columns were typed or after.
    #[must_use]
    pub fn fits(&self, vector: &[f64]) -> bool {
        let wide = self.untyped_len();
        vector.len() == wide || vector.len() == wide + self.values.one_hot_len() + self.values.memory_len()
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        for moments in &self.moments {
            moments.save(writer);
        }
        self.labels.save(writer);
        self.keys.save(writer);
        self.values.save(writer);
        if let Some(series) = &self.series {
            series.save(writer);
        }
    }

    /// Reads what `save` wrote into inputs of the same columns.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(&mut self, reader: &mut Reader) -> Result<()> {
        for moments in &mut self.moments {
            *moments = Moments::load(reader)?;
        }
        self.labels = Moments::load(reader)?;
        self.keys.load(reader)?;
        self.values.load(reader)?;
        self.series.as_mut().map_or(Ok(()), |series| series.load(reader))
    }
}

/// The contexts of a column, by the number of columns: the previous value (rate 1) and running means.
fn context_rates(d: usize) -> &'static [f64] {
    let fits = |contexts: usize| LABEL_INPUTS + 1 + d * (1 + contexts) <= CONTEXT_INPUTS_MAX;
    if fits(3) {
        &[1.0, RATE_4, RATE_16]
    } else if fits(2) {
        &[1.0, RATE_16]
    } else if fits(1) {
        &[1.0]
    } else {
        &[]
    }
}

fn held(value: f64) -> f64 {
    hold(value, -INPUT_ABS_MAX, INPUT_ABS_MAX)
}
