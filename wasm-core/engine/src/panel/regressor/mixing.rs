//! How a panel for numbers weighs its experts: lanes of fixed share over all of them, by mean or by weighted median, a
//! stack that corrects the lanes' mix, on top a rule without a rate over lanes and stack, and the guard.

use super::{ERROR_MIN, Held, huber};
use crate::cholesky::dot;
use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::experts::second_order::SecondOrder;
use crate::panel::guard::Guard;
use crate::panel::number::{believed, exp_each, hold, tenth_power_each};
use crate::panel::row::PanelRow;
use crate::panel::shares::Shares;
use crate::panel::standing::Standings;
use crate::panel::top::Top;

/// How each lane weighs, averages (mean, then two by weighted median) and shares. A lane's rate is the slowest one times
/// ten to the power of its speed: 0.005, 0.05 or 0.5; the slow ones are for late labels.
const RATE_SLOWEST: f64 = 0.005;
const SPEEDS: usize = 3;
const LANE_SPEEDS: [usize; 7] = [2, 0, 2, 2, 1, 2, 2];
const LANE_SHARES: [f64; 7] = [1e-3, 1e-4, 1e-2, 1e-4, 1e-3, 1e-2, 1e-3];
/// Lanes of a small panel, the first of these.
const LANES_SMALL: usize = 2;
const LANE_COUNT: usize = LANE_SHARES.len();
const MEDIAN_FIRST: usize = 5;
/// A loss counts in the lanes as at most this many of the best expert's mean errors.
const LOSS_MAX: f64 = 20.0;
const STACK_PRIORS: [f64; 2] = [0.1, 0.01];
const STACK_FORGETTING: f64 = 1e-4;
const STACK_FEATURE_MAX: f64 = 10.0;
/// Labels per expert before a stack speaks.
const STACK_LABELS: f64 = 3.0;
const MIXES_MAX: usize = LANE_COUNT + STACK_PRIORS.len();
/// A loss counts in the top as at most this many mean errors of the panel.
const TOP_LOSS_MAX: f64 = 10.0;
/// Rate of the mean errors.
const ERROR_RATE: f64 = 0.01;

/// The weights and how the experts have done.
#[derive(Debug)]
pub(super) struct Mixing {
    /// The place of the base that counts before any expert has shown more.
    baseline: usize,
    lanes: usize,
    shares: Shares,
    stacks: Vec<SecondOrder>,
    top: Top,
    guard: Guard,
    standings: Standings,
    /// Recent mean errors of the stacks' offset and of what is served.
    offset_error: f64,
    served_error: f64,
    scratch: Scratch,
}

/// Working memory, never state.
#[derive(Debug, Default)]
struct Scratch {
    features: Vec<f64>,
    misses: Vec<f64>,
    judged: Vec<f64>,
    likelihood: Vec<f64>,
    /// Predictions with their places, sorted; nearly so for the next row.
    order: Vec<(f64, u32)>,
}

impl Mixing {
    /// Equal weights for the experts that have `started`.
    pub(super) fn new(started: Vec<bool>, baseline: usize, residual: bool, small: bool) -> Self {
        let experts = started.len();
        let lanes = if small { LANES_SMALL } else { LANE_COUNT };
        let stacks = if small { Vec::new() } else { stacks(experts) };
        Self {
            baseline,
            lanes,
            shares: Shares::new(started, &LANE_SHARES[..lanes]),
            top: Top::new(lanes + stacks.len()),
            stacks,
            guard: Guard::new(residual),
            standings: Standings::new(experts),
            offset_error: 0.0,
            served_error: 0.0,
            scratch: Scratch::default(),
        }
    }

    /// An expert joins, or joins anew, after the row of this number.
    pub(super) fn join(&mut self, expert: usize, serial: u64) {
        self.shares.join(expert);
        self.standings.begin(expert, serial);
    }

    /// Another model takes the place of this expert, after the row of this number: what the stacks knew of the one before is
    /// not true of it.
    pub(super) fn install(&mut self, expert: usize, serial: u64) {
        self.join(expert, serial);
        for stack in &mut self.stacks {
            stack.renew(expert..expert + 1);
        }
    }

    /// The world has changed.
    pub(super) fn adapt(&mut self) {
        self.shares.adapt();
        self.stacks.iter_mut().for_each(SecondOrder::adapt);
    }

    /// Only these experts stay.
    pub(super) fn keep(&mut self, kept: &[bool]) {
        self.shares.keep(kept);
        self.standings.keep(kept);
        for stack in &mut self.stacks {
            stack.keep(kept);
        }
        self.scratch.order.clear();
    }

    /// Mixes of a row that the top weighs. Behind them a row has what the stacks add to, and the panel's value before the
    /// guard.
    pub(super) fn mixes(&self) -> usize {
        self.lanes + self.stacks.len()
    }

    /// How the experts have done.
    pub(super) fn standings(&self) -> &Standings {
        &self.standings
    }

    /// Recent mean error of what is served, before the guard.
    pub(super) fn error(&self) -> f64 {
        self.served_error
    }

    /// From a row's predictions to its mixes and what is served; `held` is what labels have come so far.
    pub(super) fn mix(&mut self, row: &mut PanelRow, held: &Held) {
        row.mixes.clear();
        for lane in 0..MEDIAN_FIRST.min(self.lanes) {
            row.mixes.push(dot(self.shares.lane(lane), &row.predictions));
        }
        if self.lanes > MEDIAN_FIRST {
            let order = &mut self.scratch.order;
            if order.len() != row.predictions.len() {
                order.clear();
                order.extend((0..row.predictions.len() as u32).map(|expert| (0.0, expert)));
            }
            for (prediction, expert) in order.iter_mut() {
                *prediction = row.predictions[*expert as usize];
            }
            sort_nearly_sorted(order);
            for lane in MEDIAN_FIRST..self.lanes {
                let weights = self.shares.lane(lane);
                let mut sum = 0.0;
                let half = order.iter().find(|&&(_, expert)| {
                    sum += weights[expert as usize];
                    sum >= 0.5
                });
                row.mixes.push(half.map_or(row.mixes[0], |&(prediction, _)| prediction));
            }
        }
        let top = self.top.weights();
        let offset = dot(&top[..self.lanes], &row.mixes);
        let weight: f64 = top[..self.lanes].iter().sum();
        let offset = if weight > 0.0 { offset / weight } else { row.mixes[0] };
        if !self.stacks.is_empty()
            && held.n >= STACK_LABELS * row.predictions.len() as f64
            && self.offset_error > ERROR_MIN
        {
            stack_features(row, offset, self.offset_error, &mut self.scratch.features);
            let (low, high) = held.range();
            for stack in &self.stacks {
                let value = offset + self.offset_error * stack.score(0, &self.scratch.features);
                row.mixes.push(hold(value, low, high));
            }
        } else {
            row.mixes.resize(self.mixes(), offset);
        }
        row.served.clear();
        let value = dot(top, &row.mixes);
        let baseline = row.bases[self.baseline];
        let (low, high) = held.range();
        let reached = if baseline.is_finite() {
            hold(baseline, low, high)
        } else {
            baseline
        };
        row.served.push(self.guard.value(reached, value));
        row.mixes.push(offset);
        row.mixes.push(value);
    }

    /// Learns from a row who was right; `n` is how many labels have come with this one, which is `delay` rows late.
    pub(super) fn learn(&mut self, row: &PanelRow, y: f64, delay: f64, n: f64) {
        self.guard
            .learn(row.bases[self.baseline], row.mixes[self.mixes() + 1], y, delay);
        let recent = if ERROR_RATE > 1.0 / n { ERROR_RATE } else { 1.0 / n };
        let misses = &mut self.scratch.misses;
        misses.clear();
        misses.extend(row.predictions.iter().map(|prediction| (y - prediction).abs()));
        let judged = &mut self.scratch.judged;
        judged.clear();
        let known = self.standings.recent().iter().zip(self.standings.labels());
        judged.extend(
            misses
                .iter()
                .zip(known)
                .map(|(&miss, (&mean, &n))| believed(miss, mean, n)),
        );
        self.standings.learn(row.serial, misses, judged);
        let mut least = f64::INFINITY;
        for (expert, &error) in self.standings.recent().iter().enumerate() {
            if error < least && self.shares.started(expert) && self.standings.record(expert).0 > 0.0 {
                least = error;
            }
        }
        let weights = weights(self.top.weights(), &self.shares, self.guard.share(), self.baseline);
        self.standings.look(weights);
        let unit = 1.0 / if least > ERROR_MIN { least } else { ERROR_MIN };
        let likelihood = &mut self.scratch.likelihood;
        likelihood.clear();
        likelihood.extend(self.scratch.misses.iter().map(|miss| {
            let loss = miss * unit;
            -RATE_SLOWEST * if loss < LOSS_MAX { loss } else { LOSS_MAX }
        }));
        exp_each(likelihood);
        for speed in 0..SPEEDS {
            if speed > 0 {
                tenth_power_each(likelihood);
            }
            for (lane, _) in LANE_SPEEDS[..self.lanes]
                .iter()
                .enumerate()
                .filter(|&(_, &of)| of == speed)
            {
                self.shares.update(lane, likelihood);
            }
        }
        self.learn_stacks(row, y, recent, n);
        let miss = (y - row.mixes[self.mixes() + 1]).abs();
        self.served_error += (believed(miss, self.served_error, n) - self.served_error) * recent;
        let unit = 1.0
            / (TOP_LOSS_MAX
                * if self.served_error > ERROR_MIN {
                    self.served_error
                } else {
                    ERROR_MIN
                });
        let mut losses = [0.0; MIXES_MAX];
        let losses = &mut losses[..self.mixes()];
        for (loss, mix) in losses.iter_mut().zip(&row.mixes) {
            *loss = hold((y - mix).abs() * unit, 0.0, 1.0);
        }
        self.top.update(losses);
    }

    fn learn_stacks(&mut self, row: &PanelRow, y: f64, recent: f64, n: f64) {
        let offset = row.mixes[self.mixes()];
        if !self.stacks.is_empty() && self.offset_error > ERROR_MIN {
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
        let miss = (y - offset).abs();
        self.offset_error += (believed(miss, self.offset_error, n) - self.offset_error) * recent;
    }

    /// Weight of every expert in what is served, then of every stack.
    pub(super) fn weights(&self) -> impl Iterator<Item = f64> {
        weights(self.top.weights(), &self.shares, self.guard.share(), self.baseline)
    }

    /// True once an expert takes part.
    pub(super) fn started(&self, expert: usize) -> bool {
        self.shares.started(expert)
    }

    /// Writes the state.
    pub(super) fn save(&self, writer: &mut Writer) {
        writer.f64(self.offset_error);
        writer.f64(self.served_error);
        self.shares.save(writer);
        self.top.save(writer);
        self.guard.save(writer);
        self.standings.save(writer);
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
        self.standings.load(reader)?;
        for stack in &mut self.stacks {
            stack.load(reader)?;
        }
        Ok(())
    }
}

fn stacks(experts: usize) -> Vec<SecondOrder> {
    let stack = |&prior: &f64| SecondOrder::new(experts, 1, prior, STACK_FORGETTING);
    STACK_PRIORS.iter().map(stack).collect()
}

/// The weight of every expert in what is served (the guard's part is the baseline's), then of every stack.
fn weights(top: &[f64], shares: &Shares, share: f64, baseline: usize) -> impl Iterator<Item = f64> {
    let lanes = shares.lanes();
    let of = move |expert: usize| {
        let weight: f64 = (0..lanes).map(|lane| top[lane] * shares.lane(lane)[expert]).sum();
        share * weight + if expert == baseline { 1.0 - share } else { 0.0 }
    };
    let stacks = top[lanes..].iter().map(move |weight| share * weight);
    (0..shares.lane(0).len()).map(of).chain(stacks)
}

/// Sorts by prediction, then place; quick when they are nearly in order, as they are from the last row.
fn sort_nearly_sorted(order: &mut [(f64, u32)]) {
    for end in 1..order.len() {
        let one = order[end];
        let mut place = end;
        while place > 0 {
            let other = order[place - 1];
            if other.0 < one.0 || (other.0 == one.0 && other.1 < one.1) {
                break;
            }
            order[place] = other;
            place -= 1;
        }
        order[place] = one;
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
