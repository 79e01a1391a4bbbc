//! The panel for numbers: its experts, their mixes and how both learn. Linear experts do not predict the label itself
//! but what is missing to a base (the mean, the key's last label, a column or the residual's zero, the last label of a
//! remembered value); a row whose base did not exist yet teaches nothing about it.
//!
//! Memory: the experts' (each file says how much) and some 90 M bytes here, for M experts, beside the stacks' 8 M².

use crate::cholesky::dot;
use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::column::Columns;
use crate::panel::guard::Guard;
use crate::panel::inputs::{Inputs, Map};
use crate::panel::linear::{load_numbers, save_numbers};
use crate::panel::number::{exp_each, hold, tenth_power_each};
use crate::panel::row::{Line, PanelRow, gather};
use crate::panel::second_order::SecondOrder;
use crate::panel::sgd::{LANES, SgdLanes};
use crate::panel::shares::Shares;
use crate::panel::top::Top;
use crate::panel::{SECOND_ORDER_INPUTS_MAX, release_inputs};
use crate::release::ReleaseModel;

/// Places of the bases in a row.
const MEAN: usize = 0;
const LAST: usize = 1;
/// Zero change for a residual learner, else the best column plus its offset.
const NEAR: usize = 2;
const MEMORY: usize = 3;

/// How each lane weighs, averages (mean, then two by weighted median) and shares. A lane's rate is the slowest one times
/// ten to the power of its speed: 0.005, 0.05 or 0.5; the slow ones are for late labels.
const RATE_SLOWEST: f64 = 0.005;
const SPEEDS: usize = 3;
const LANE_SPEEDS: [usize; 7] = [2, 2, 2, 1, 0, 2, 2];
const LANE_SHARES: [f64; 7] = [1e-2, 1e-3, 1e-4, 1e-3, 1e-4, 1e-2, 1e-3];
const LANE_COUNT: usize = LANE_SHARES.len();
const MEDIAN_FIRST: usize = 5;
/// A loss counts in the lanes as at most this many of the best expert's mean errors.
const LOSS_MAX: f64 = 20.0;
const STACK_PRIORS: [f64; 1] = [0.005];
const STACK_FORGETTING: f64 = 1e-4;
const STACK_FEATURE_MAX: f64 = 10.0;
/// Labels per expert before a stack speaks.
const STACK_LABELS: f64 = 3.0;
const MIXES: usize = LANE_COUNT + STACK_PRIORS.len();
/// Behind the mixes of a row: what the stacks add to, and the panel's value before the guard.
const OFFSET: usize = MIXES;
const PANEL: usize = MIXES + 1;
/// A loss counts in the top as at most this many mean errors of the panel.
const TOP_LOSS_MAX: f64 = 10.0;
/// Errors beyond this many mean errors are Huber's.
const HUBER: f64 = 1.5;
/// Rate of the mean errors.
const ERROR_RATE: f64 = 0.01;
/// Predictions are held to the labels seen, widened on both sides by this many times their range.
const RANGE_MARGIN: f64 = 3.0;
/// Labels before predictions are held to their range.
const RANGE_LABELS: f64 = 8.0;
/// Mean errors below this are taken as this: losses in units of it stay finite.
const ERROR_MIN: f64 = 1e-120;

#[derive(Clone, Debug)]
enum Member {
    Base(usize),
    Short,
    Sgd(Map, usize, SgdLanes),
    SecondOrder {
        map: Map,
        bases: &'static [usize],
        prior: f64,
        forgetting: f64,
        model: Option<SecondOrder>,
    },
    Release,
}

/// The experts for numbers and their weights.
#[derive(Clone, Debug)]
pub struct Regressor {
    residual: bool,
    members: Vec<Member>,
    names: Vec<String>,
    columns: Columns,
    n: f64,
    range: [f64; 2],
    shares: Shares,
    stacks: Vec<SecondOrder>,
    top: Top,
    guard: Guard,
    /// Per expert: recent mean error, mean error of all rows.
    errors: Vec<[f64; 2]>,
    /// Recent mean errors of the stacks' offset and of what is served.
    offset_error: f64,
    served_error: f64,
    line: Line,
    scratch: Scratch,
}

/// Working memory, never state.
#[derive(Clone, Debug, Default)]
struct Scratch {
    gathered: Vec<f64>,
    features: Vec<f64>,
    likelihood: Vec<f64>,
    order: Vec<u32>,
    release_x: Vec<f64>,
}

impl Regressor {
    /// A panel over these inputs that has seen no label.
    #[must_use]
    pub fn new(inputs: &Inputs, columns: usize, residual: bool) -> Self {
        let mut members = vec![
            Member::Base(MEAN),
            Member::Base(LAST),
            Member::Base(NEAR),
            Member::Base(MEMORY),
        ];
        members.push(Member::Short);
        let near = if residual { NEAR } else { LAST };
        members.push(Member::Sgd(
            Map::Label,
            near,
            SgdLanes::new(inputs.width(Map::Label), 1),
        ));
        for (map, bases, prior, forgetting) in [
            (Map::Label, &[MEAN, LAST, NEAR][..], 1.0, 1e-3),
            (Map::Full, &[MEAN, LAST, NEAR], 0.03, 1e-4),
            (Map::Context, &[MEAN, NEAR], 0.03, 1e-4),
            (Map::Waves, &[MEAN, NEAR], 0.1, 1e-4),
            (Map::Memory, &[MEAN, LAST, MEMORY], 1.0, 1e-4),
            (Map::OneHot, &[MEAN], 1.0, 1e-4),
        ] {
            let map = if map == Map::Full { inputs.or_columns(map) } else { map };
            let m = inputs.width(map);
            let model =
                (m > 0 && m <= SECOND_ORDER_INPUTS_MAX).then(|| SecondOrder::new(m, bases.len(), prior, forgetting));
            if model.is_some() || matches!(map, Map::Memory | Map::OneHot) {
                members.push(Member::SecondOrder {
                    map,
                    bases,
                    prior,
                    forgetting,
                    model,
                });
            }
        }
        members.push(Member::Release);
        let names: Vec<String> = members.iter().flat_map(|member| member.names(residual)).collect();
        let started = members
            .iter()
            .flat_map(|member| vec![member.started(); member.count()])
            .collect();
        let experts = names.len();
        Self {
            residual,
            columns: Columns::new(columns),
            n: 0.0,
            range: [f64::INFINITY, f64::NEG_INFINITY],
            shares: Shares::new(started, &LANE_SHARES),
            stacks: STACK_PRIORS
                .iter()
                .map(|&p| SecondOrder::new(experts, 1, p, STACK_FORGETTING))
                .collect(),
            top: Top::new(MIXES),
            guard: Guard::new(residual),
            errors: vec![[0.0; 2]; experts],
            offset_error: 0.0,
            served_error: 0.0,
            members,
            names,
            line: Line::default(),
            scratch: Scratch::default(),
        }
    }

    /// The columns have just been typed: experts on typed inputs begin.
    pub fn typed(&mut self, inputs: &Inputs) {
        let mut first = 0;
        for member in &mut self.members {
            let count = member.count();
            if let Member::SecondOrder {
                map,
                bases,
                prior,
                forgetting,
                model: model @ None,
            } = member
            {
                let m = inputs.width(*map);
                if m > 0 && m <= SECOND_ORDER_INPUTS_MAX {
                    *model = Some(SecondOrder::new(m, bases.len(), *prior, *forgetting));
                    for expert in first..first + count {
                        self.shares.join(expert);
                    }
                }
            }
            first += count;
        }
        if !self.shares.started(MEMORY) && inputs.width(Map::Memory) > 0 {
            self.shares.join(MEMORY);
        }
    }

    /// A release of a line that is new here has come, with the weight of one expert among the others. Rows up to
    /// `serial` were served without it and say nothing about its error.
    pub fn install(&mut self, serial: u64) {
        let release = self.names.len() - 1;
        self.shares.join(release);
        self.errors[release] = [0.0; 2];
        self.line = Line { serial, labels: 0.0 };
    }

    /// The release has changed after this row was served: what the one before said of it is nobody's opinion any more.
    pub fn forget_release(&self, row: &mut PanelRow) {
        let release = self.names.len() - 1;
        row.predictions[release] = row.mixes[OFFSET];
    }

    /// True for a row whose vectors are as long as this panel makes them.
    #[must_use]
    pub fn fits(&self, row: &PanelRow, inputs: &Inputs) -> bool {
        let lengths = [row.outputs, row.served.len(), row.predictions.len(), row.mixes.len()];
        lengths == [1, 1, self.names.len(), PANEL + 1] && inputs.fits(&row.inputs)
    }

    /// Predicts: fills the row's bases, predictions, mixes and served value from its inputs.
    pub fn serve(&mut self, key: u32, row: &mut PanelRow, x: &[f64], inputs: &Inputs, release: Option<&ReleaseModel>) {
        let [labels, last, _, short, _] = inputs.key_labels(key);
        let mean = inputs.label_moments().mean();
        let given = |there: bool, value: f64| if there { value } else { f64::NAN };
        row.outputs = 1;
        row.bases = [
            given(self.n > 0.0, mean),
            given(labels > 0.0, last),
            if self.residual { 0.0 } else { self.columns.value(x) },
            inputs.best_memory(x),
        ];
        let short = given(labels > 0.0, short);
        let (low, high) = self.held_range();
        row.predictions.clear();
        for member in &mut self.members {
            match member {
                Member::Base(base) => row.predictions.push(row.bases[*base]),
                Member::Short => row.predictions.push(short),
                Member::Sgd(map, base, model) => {
                    let x = gather(&row.inputs, inputs.ranges(*map), &mut self.scratch.gathered);
                    let scores = model.scores(0, x);
                    row.predictions
                        .extend(scores.iter().map(|score| hold(row.bases[*base] + score, low, high)));
                    if row.bases[*base].is_nan() {
                        let from = row.predictions.len() - LANES;
                        row.predictions[from..].fill(f64::NAN);
                    }
                }
                Member::SecondOrder {
                    map,
                    bases,
                    model: Some(model),
                    ..
                } => {
                    let x = gather(&row.inputs, inputs.ranges(*map), &mut self.scratch.gathered);
                    for (output, &base) in bases.iter().enumerate() {
                        let base = row.bases[base];
                        let value = hold(base + model.score(output, x), low, high);
                        row.predictions.push(if base.is_nan() { f64::NAN } else { value });
                    }
                }
                Member::Release => row.predictions.push(match release {
                    Some(model) => {
                        release_inputs(x, inputs, &mut self.scratch.release_x);
                        hold(model.value(&self.scratch.release_x), low, high)
                    }
                    None => f64::NAN,
                }),
                Member::SecondOrder { bases, model: None, .. } => {
                    row.predictions.resize(row.predictions.len() + bases.len(), f64::NAN);
                }
            }
        }
        // An expert without an opinion says what the nearest base says, else the mean, else 0.
        let fallback = row
            .bases
            .into_iter()
            .skip(LAST)
            .chain([mean])
            .find(|base| base.is_finite())
            .unwrap_or(0.0);
        for prediction in &mut row.predictions {
            if !prediction.is_finite() {
                *prediction = fallback;
            }
        }
        self.mix(row);
    }

    /// The base that is the last value: it counts before any expert has shown more.
    fn baseline(&self) -> usize {
        if self.residual { NEAR } else { LAST }
    }

    fn held_range(&self) -> (f64, f64) {
        if self.n < RANGE_LABELS {
            return (-1e100, 1e100);
        }
        let margin = RANGE_MARGIN * (self.range[1] - self.range[0]);
        (self.range[0] - margin, self.range[1] + margin)
    }

    fn mix(&mut self, row: &mut PanelRow) {
        row.mixes.clear();
        for lane in 0..MEDIAN_FIRST {
            row.mixes.push(dot(self.shares.lane(lane), &row.predictions));
        }
        let order = &mut self.scratch.order;
        if order.len() != row.predictions.len() {
            order.clear();
            order.extend(0..row.predictions.len() as u32);
        }
        sort_nearly_sorted(order, &row.predictions);
        for lane in MEDIAN_FIRST..LANE_COUNT {
            let weights = self.shares.lane(lane);
            let mut sum = 0.0;
            let half = order.iter().find(|&&expert| {
                sum += weights[expert as usize];
                sum >= 0.5
            });
            row.mixes
                .push(half.map_or(row.mixes[0], |&expert| row.predictions[expert as usize]));
        }
        let top = self.top.weights();
        let offset = dot(&top[..LANE_COUNT], &row.mixes);
        let weight: f64 = top[..LANE_COUNT].iter().sum();
        let offset = if weight > 0.0 { offset / weight } else { row.mixes[0] };
        if self.n >= STACK_LABELS * row.predictions.len() as f64 && self.offset_error > ERROR_MIN {
            stack_features(row, offset, self.offset_error, &mut self.scratch.features);
            let (low, high) = self.held_range();
            for stack in &self.stacks {
                let value = offset + self.offset_error * stack.score(0, &self.scratch.features);
                row.mixes.push(hold(value, low, high));
            }
        } else {
            row.mixes.resize(MIXES, offset);
        }
        row.served.clear();
        let value = dot(top, &row.mixes);
        row.served.push(self.guard.value(row.bases[self.baseline()], value));
        row.mixes.push(offset);
        row.mixes.push(value);
    }

    /// Learns the label of a row, `delay` rows after it was served: the weights by what was served, the experts with the
    /// inputs as served.
    pub fn learn(&mut self, row: &PanelRow, x: &[f64], y: f64, delay: f64, inputs: &Inputs) {
        self.n += 1.0;
        self.guard.learn(row.bases[self.baseline()], row.mixes[PANEL], y, delay);
        self.learn_weights(row, y);
        self.learn_members(row, y, inputs);
        if !self.residual {
            self.columns.learn(x, y);
        }
        self.range[0] = if y < self.range[0] { y } else { self.range[0] };
        self.range[1] = if y > self.range[1] { y } else { self.range[1] };
    }

    fn learn_weights(&mut self, row: &PanelRow, y: f64) {
        let recent = if ERROR_RATE > 1.0 / self.n {
            ERROR_RATE
        } else {
            1.0 / self.n
        };
        let release = self.names.len() - 1;
        let with_release = self.line.counts(row);
        let mut least = f64::INFINITY;
        for (expert, (error, prediction)) in self.errors.iter_mut().zip(&row.predictions).enumerate() {
            let miss = (y - prediction).abs();
            if expert != release {
                error[0] += (miss - error[0]) * recent;
                error[1] += (miss - error[1]) / self.n;
            } else if with_release {
                // Over its own labels: a mean that begins at 0 would pass for the least error of all for a hundred labels.
                let share = 1.0 / self.line.labels;
                error[0] += (miss - error[0]) * if share > ERROR_RATE { share } else { ERROR_RATE };
                error[1] += (miss - error[1]) * share;
            } else {
                continue;
            }
            if self.shares.started(expert) && error[0] < least {
                least = error[0];
            }
        }
        let unit = 1.0 / if least > ERROR_MIN { least } else { ERROR_MIN };
        let likelihood = &mut self.scratch.likelihood;
        likelihood.clear();
        likelihood.extend(row.predictions.iter().map(|prediction| {
            let loss = (y - prediction).abs() * unit;
            -RATE_SLOWEST * if loss < LOSS_MAX { loss } else { LOSS_MAX }
        }));
        exp_each(likelihood);
        for speed in 0..SPEEDS {
            if speed > 0 {
                tenth_power_each(likelihood);
            }
            for (lane, _) in LANE_SPEEDS.iter().enumerate().filter(|&(_, &of)| of == speed) {
                self.shares.update(lane, likelihood);
            }
        }
        self.learn_stacks(row, y);
        self.served_error += ((y - row.mixes[PANEL]).abs() - self.served_error) * recent;
        let unit = 1.0
            / (TOP_LOSS_MAX
                * if self.served_error > ERROR_MIN {
                    self.served_error
                } else {
                    ERROR_MIN
                });
        let mut losses = [0.0; MIXES];
        for (loss, mix) in losses.iter_mut().zip(&row.mixes) {
            *loss = hold((y - mix).abs() * unit, 0.0, 1.0);
        }
        self.top.update(&losses);
    }

    fn learn_stacks(&mut self, row: &PanelRow, y: f64) {
        let offset = row.mixes[OFFSET];
        if self.offset_error > ERROR_MIN {
            stack_features(row, offset, self.offset_error, &mut self.scratch.features);
            let target = (y - offset) / self.offset_error;
            for stack in &mut self.stacks {
                let residual = target - stack.score(0, &self.scratch.features);
                let weight = huber(residual, 1.0);
                stack.learn(
                    &self.scratch.features,
                    row.serial,
                    weight,
                    std::iter::once(weight * residual),
                );
            }
        }
        let recent = if ERROR_RATE > 1.0 / self.n {
            ERROR_RATE
        } else {
            1.0 / self.n
        };
        self.offset_error += ((y - offset).abs() - self.offset_error) * recent;
    }

    fn learn_members(&mut self, row: &PanelRow, y: f64, inputs: &Inputs) {
        let mut first = 0;
        for member in &mut self.members {
            let count = member.count();
            let errors = &self.errors[first..first + count];
            first += count;
            let (Member::Sgd(map, ..)
            | Member::SecondOrder {
                map, model: Some(_), ..
            }) = member
            else {
                continue;
            };
            let ranges = inputs.ranges(*map);
            if ranges.iter().any(|range| range.end > row.inputs.len()) {
                continue; // served before the columns were typed
            }
            let x = gather(&row.inputs, ranges, &mut self.scratch.gathered);
            match member {
                Member::Sgd(_, base, model) if row.bases[*base].is_finite() => {
                    let square = model.begin(x);
                    model.learn_squared(0, x, y - row.bases[*base], square);
                }
                Member::SecondOrder {
                    bases,
                    model: Some(model),
                    ..
                } => {
                    if bases.iter().all(|&base| !row.bases[base].is_finite()) {
                        continue;
                    }
                    // The covariance is shared: it counts the row as the output with the least error does.
                    let mut least = f64::INFINITY;
                    let mut curvature = 1.0;
                    let mut residuals = [0.0; 3];
                    for (output, &base) in bases.iter().enumerate() {
                        if row.bases[base].is_finite() {
                            let residual = y - row.bases[base] - model.score(output, x);
                            let weight = huber(residual, errors[output][0]);
                            residuals[output] = weight * residual;
                            if errors[output][0] < least {
                                least = errors[output][0];
                                curvature = weight;
                            }
                        }
                    }
                    model.learn(x, row.serial, curvature, residuals.into_iter());
                }
                _ => {}
            }
        }
    }

    /// Name, weight in what is served, and mean error, per expert and stack.
    pub fn report(&self, mut line: impl FnMut(&str, f64, f64)) {
        let (top, share) = (self.top.weights(), self.guard.share());
        for (expert, name) in self.names.iter().enumerate() {
            if self.shares.started(expert) {
                let weight: f64 = (0..LANE_COUNT)
                    .map(|lane| top[lane] * self.shares.lane(lane)[expert])
                    .sum();
                let kept = if expert == self.baseline() { 1.0 - share } else { 0.0 };
                line(name, share * weight + kept, self.errors[expert][1]);
            }
        }
        for (stack, prior) in STACK_PRIORS.iter().enumerate() {
            line(&format!("stack {prior}"), share * top[LANE_COUNT + stack], f64::NAN);
        }
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        for number in [
            self.n,
            self.range[0],
            self.range[1],
            self.offset_error,
            self.served_error,
        ] {
            writer.f64(number);
        }
        self.columns.save(writer);
        self.shares.save(writer);
        self.top.save(writer);
        self.guard.save(writer);
        save_numbers(self.errors.as_flattened(), writer);
        self.line.save(writer);
        for stack in &self.stacks {
            stack.save(writer);
        }
        for member in &self.members {
            match member {
                Member::Sgd(_, _, model) => model.save(writer),
                Member::SecondOrder { model: Some(model), .. } => model.save(writer),
                _ => {}
            }
        }
    }

    /// Reads what `save` wrote into a new panel over inputs that have been loaded already.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(&mut self, inputs: &Inputs, reader: &mut Reader) -> Result<()> {
        self.typed(inputs);
        self.n = reader.f64()?;
        load_numbers(&mut self.range, reader)?;
        self.offset_error = reader.f64()?;
        self.served_error = reader.f64()?;
        self.columns.load(reader)?;
        self.shares.load(reader)?;
        self.top.load(reader)?;
        self.guard.load(reader)?;
        load_numbers(self.errors.as_flattened_mut(), reader)?;
        self.line = Line::load(reader)?;
        for stack in &mut self.stacks {
            stack.load(reader)?;
        }
        for member in &mut self.members {
            match member {
                Member::Sgd(_, _, model) => model.load(reader)?,
                Member::SecondOrder { model: Some(model), .. } => model.load(reader)?,
                _ => {}
            }
        }
        Ok(())
    }
}

impl Member {
    fn count(&self) -> usize {
        match self {
            Self::Sgd(..) => LANES,
            Self::SecondOrder { bases, .. } => bases.len(),
            _ => 1,
        }
    }

    fn started(&self) -> bool {
        !matches!(
            self,
            Self::SecondOrder { model: None, .. } | Self::Release | Self::Base(MEMORY)
        )
    }

    fn names(&self, residual: bool) -> Vec<String> {
        let base = |base: &usize| match *base {
            MEAN => "mean",
            LAST => "last",
            NEAR if residual => "no change",
            NEAR => "column",
            _ => "memory",
        };
        match self {
            Self::Base(place) => vec![base(place).to_owned()],
            Self::Short => vec!["short mean".to_owned()],
            Self::Sgd(map, _, _) => (0..LANES).map(|lane| format!("sgd {} {lane}", map.name())).collect(),
            Self::SecondOrder {
                map, bases, forgetting, ..
            } => {
                let name = |place: &usize| format!("second order {} {forgetting} from {}", map.name(), base(place));
                bases.iter().map(name).collect()
            }
            Self::Release => vec!["release".to_owned()],
        }
    }
}

/// How much of a residual counts: all within `HUBER` mean errors, beyond it so much that its pull stays the same.
fn huber(residual: f64, error: f64) -> f64 {
    let most = HUBER * error;
    let size = residual.abs();
    if most > ERROR_MIN && size > most {
        most / size
    } else {
        1.0
    }
}

/// Sorts expert numbers by prediction, then number; quick when they are nearly in order, as they are from the last row.
fn sort_nearly_sorted(order: &mut [u32], predictions: &[f64]) {
    for end in 1..order.len() {
        let expert = order[end];
        let value = predictions[expert as usize];
        let mut place = end;
        while place > 0 {
            let other = order[place - 1];
            let above = predictions[other as usize];
            if above < value || (above == value && other < expert) {
                break;
            }
            order[place] = other;
            place -= 1;
        }
        order[place] = expert;
    }
}

fn stack_features(row: &PanelRow, offset: f64, unit: f64, out: &mut Vec<f64>) {
    out.clear();
    out.extend(
        row.predictions
            .iter()
            .map(|prediction| hold((prediction - offset) / unit, -STACK_FEATURE_MAX, STACK_FEATURE_MAX)),
    );
}
