//! How a panel for numbers weighs its experts: lanes of fixed share over all of them, by mean or by weighted median, a
//! stack that corrects the lanes' mix, on top a rule without a rate over lanes and stack, and the guard.

use super::{ERROR_MIN, Held, huber};
use crate::cholesky::dot;
use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::experts::second_order::SecondOrder;
use crate::panel::guard::Guard;
use crate::panel::linear::{load_numbers, save_numbers};
use crate::panel::number::{exp_each, hold, tenth_power_each};
use crate::panel::row::{Line, PanelRow};
use crate::panel::shares::Shares;
use crate::panel::top::Top;

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
pub(super) const MIXES: usize = LANE_COUNT + STACK_PRIORS.len();
/// Behind the mixes of a row: what the stacks add to, and the panel's value before the guard.
pub(super) const OFFSET: usize = MIXES;
pub(super) const PANEL: usize = MIXES + 1;
/// A loss counts in the top as at most this many mean errors of the panel.
const TOP_LOSS_MAX: f64 = 10.0;
/// Rate of the mean errors.
const ERROR_RATE: f64 = 0.01;

/// The weights and how the experts have done.
#[derive(Debug)]
pub(super) struct Mixing {
    /// The place of the base that counts before any expert has shown more.
    baseline: usize,
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
#[derive(Debug, Default)]
struct Scratch {
    features: Vec<f64>,
    likelihood: Vec<f64>,
    order: Vec<u32>,
}

impl Mixing {
    /// Equal weights for the experts that have `started`.
    pub(super) fn new(started: Vec<bool>, baseline: usize, residual: bool) -> Self {
        let experts = started.len();
        Self {
            baseline,
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
            line: Line::default(),
            scratch: Scratch::default(),
        }
    }

    /// An expert joins.
    pub(super) fn join(&mut self, expert: usize) {
        self.shares.join(expert);
    }

    /// The release, which is the last expert, joins anew.
    pub(super) fn install(&mut self, serial: u64) {
        let release = self.errors.len() - 1;
        self.shares.join(release);
        self.errors[release] = [0.0; 2];
        self.line = Line { serial, labels: 0.0 };
    }

    /// Recent mean error and mean error of all rows, per expert.
    pub(super) fn errors(&self) -> &[[f64; 2]] {
        &self.errors
    }

    /// From a row's predictions to its mixes and what is served; `held` is what labels have come so far.
    pub(super) fn mix(&mut self, row: &mut PanelRow, held: &Held) {
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
        if held.n >= STACK_LABELS * row.predictions.len() as f64 && self.offset_error > ERROR_MIN {
            stack_features(row, offset, self.offset_error, &mut self.scratch.features);
            let (low, high) = held.range();
            for stack in &self.stacks {
                let value = offset + self.offset_error * stack.score(0, &self.scratch.features);
                row.mixes.push(hold(value, low, high));
            }
        } else {
            row.mixes.resize(MIXES, offset);
        }
        row.served.clear();
        let value = dot(top, &row.mixes);
        row.served.push(self.guard.value(row.bases[self.baseline], value));
        row.mixes.push(offset);
        row.mixes.push(value);
    }

    /// Learns from a row who was right; `n` is how many labels have come with this one, which is `delay` rows late.
    pub(super) fn learn(&mut self, row: &PanelRow, y: f64, delay: f64, n: f64) {
        self.guard.learn(row.bases[self.baseline], row.mixes[PANEL], y, delay);
        let recent = if ERROR_RATE > 1.0 / n { ERROR_RATE } else { 1.0 / n };
        let release = self.errors.len() - 1;
        let with_release = self.line.counts(row);
        let mut least = f64::INFINITY;
        for (expert, (error, prediction)) in self.errors.iter_mut().zip(&row.predictions).enumerate() {
            let miss = (y - prediction).abs();
            if expert != release {
                error[0] += (miss - error[0]) * recent;
                error[1] += (miss - error[1]) / n;
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
        self.learn_stacks(row, y, recent);
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

    fn learn_stacks(&mut self, row: &PanelRow, y: f64, recent: f64) {
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
        self.offset_error += ((y - offset).abs() - self.offset_error) * recent;
    }

    /// Name, weight in what is served, and mean error, per expert and stack.
    pub(super) fn report(&self, names: &[String], mut line: impl FnMut(&str, f64, f64)) {
        let (top, share) = (self.top.weights(), self.guard.share());
        for (expert, name) in names.iter().enumerate() {
            if self.shares.started(expert) {
                let weight: f64 = (0..LANE_COUNT)
                    .map(|lane| top[lane] * self.shares.lane(lane)[expert])
                    .sum();
                let kept = if expert == self.baseline { 1.0 - share } else { 0.0 };
                line(name, share * weight + kept, self.errors[expert][1]);
            }
        }
        for (stack, prior) in STACK_PRIORS.iter().enumerate() {
            line(&format!("stack {prior}"), share * top[LANE_COUNT + stack], f64::NAN);
        }
    }

    /// Writes the state.
    pub(super) fn save(&self, writer: &mut Writer) {
        writer.f64(self.offset_error);
        writer.f64(self.served_error);
        self.shares.save(writer);
        self.top.save(writer);
        self.guard.save(writer);
        save_numbers(self.errors.as_flattened(), writer);
        self.line.save(writer);
        for stack in &self.stacks {
            stack.save(writer);
        }
    }

    /// Reads what `save` wrote into weights of as many experts.
    pub(super) fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.offset_error = reader.f64()?;
        self.served_error = reader.f64()?;
        self.shares.load(reader)?;
        self.top.load(reader)?;
        self.guard.load(reader)?;
        load_numbers(self.errors.as_flattened_mut(), reader)?;
        self.line = Line::load(reader)?;
        for stack in &mut self.stacks {
            stack.load(reader)?;
        }
        Ok(())
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
