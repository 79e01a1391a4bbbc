//! How a panel for classes weighs its experts: lanes of fixed share over all of them, a stack that corrects the lanes'
//! mix, and on top a rule without a rate over lanes and stack.

use std::ops::Range;

use crate::cholesky::dot;
use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::experts::Truth;
use crate::panel::experts::fleet::FROZEN;
use crate::panel::experts::logistic::WIDTH;
use crate::panel::experts::second_order::SecondOrder;
use crate::panel::number::{exp_each, hold, ln, ln_each, normalise, sigmoid, soften, tenth_power_each};
use crate::panel::row::PanelRow;
use crate::panel::shares::Shares;
use crate::panel::standing::Standings;
use crate::panel::top::Top;

use super::recent::Recent;

/// No expert's probability leaves [1e-6, 1 - 1e-6].
pub(super) const PROBABILITY_MIN: f64 = 1e-6;
/// Speed and share of each lane. A lane's rate is the slowest one times ten to the power of its speed: 0.01, 0.1 or 1; the
/// fast ones are for labels that come at once, the slow ones for late labels. The last lane averages logits.
const RATE_SLOWEST: f64 = 0.01;
const SPEEDS: usize = 3;
const FASTEST: usize = SPEEDS - 1;
const LANE_SPEEDS: [usize; 6] = [2, 0, 2, 2, 1, 1];
const LANE_SHARES: [f64; 6] = [1e-3, 1e-4, 1e-2, 1e-4, 1e-3, 1e-4];
/// Lanes of a small panel, the first of these.
const LANES_SMALL: usize = 2;
pub(super) const LANE_COUNT: usize = LANE_SHARES.len();
const LOGIT_LANE: usize = LANE_COUNT - 1;
/// Prior variance of the stacks' weights.
const STACK_PRIORS: [f64; 2] = [0.1, 0.01];
const STACK_FORGETTING: f64 = 1e-4;
/// Logits in a stack are held to this.
const STACK_LOGIT_MAX: f64 = 6.0;
/// Labels per expert before a stack speaks.
const STACK_LABELS: f64 = 3.0;
/// Mixes of a row that the top weighs; behind them what the stacks add to.
const MIXES_MAX: usize = LANE_COUNT + STACK_PRIORS.len();
/// A loss counts in the top as at most this many nats.
const LOSS_MAX: f64 = 7.0;

/// Predictions that come from the fleet, behind all others.
pub(super) const FLEET: usize = FROZEN.end + WIDTH;

/// The weights and how the experts have done.
#[derive(Debug)]
pub(super) struct Mixing {
    experts: usize,
    lanes: usize,
    shares: Shares,
    stacks: Vec<SecondOrder>,
    top: Top,
    standings: Standings,
    scratch: Scratch,
}

/// Working memory, never state.
#[derive(Debug, Default)]
struct Scratch {
    features: Vec<f64>,
    rival: Vec<f64>,
    losses: Vec<f64>,
    judged: Vec<f64>,
    likelihood: Vec<f64>,
}

impl Mixing {
    /// Equal weights for the experts that have `started`.
    pub(super) fn new(started: Vec<bool>, small: bool) -> Self {
        let experts = started.len();
        let lanes = if small { LANES_SMALL } else { LANE_COUNT };
        let stacks = if small { Vec::new() } else { stacks(experts) };
        Self {
            experts,
            lanes,
            shares: Shares::new(started, &LANE_SHARES[..lanes]),
            top: Top::new(lanes + stacks.len()),
            stacks,
            standings: Standings::new(experts),
            scratch: Scratch::default(),
        }
    }

    /// An expert joins, or joins anew, after the row of this number.
    pub(super) fn join(&mut self, expert: usize, serial: u64) {
        self.shares.join(expert);
        self.standings.begin(expert, serial);
    }

    /// Places of what comes from the fleet: the models of the release, then its fork.
    pub(super) fn fleet(&self) -> Range<usize> {
        self.experts - FLEET..self.experts
    }

    /// A release has come: its models take the weight that they would have earned on the newest rows, of which `said` holds, per
    /// row and model, the probability of the row's class; the stacks know nothing of them. Unless it continues a line, they have no record up to the row
    /// `serial`. A fork that `goes_on` takes the weight of the model it goes on from.
    pub(super) fn install(&mut self, serial: u64, continues: bool, recent: &Recent, said: &[f64], goes_on: bool) {
        let fleet = self.fleet();
        if !continues {
            for place in fleet.clone() {
                self.join(place, serial);
            }
        }
        for stack in &mut self.stacks {
            stack.renew(fleet.clone());
        }
        let equal = self.shares.equal();
        let mut likelihood = said.to_vec();
        ln_each(&mut likelihood);
        likelihood.iter_mut().for_each(|log| *log *= RATE_SLOWEST);
        exp_each(&mut likelihood);
        for speed in 0..SPEEDS {
            match speed {
                0 => {}
                FASTEST => likelihood.copy_from_slice(said),
                _ => tenth_power_each(&mut likelihood),
            }
            for (lane, _) in LANE_SPEEDS[..self.lanes]
                .iter()
                .enumerate()
                .filter(|&(_, &of)| of == speed)
            {
                let weights = recent.earned(&likelihood, FLEET, (lane, LANE_SHARES[lane]), equal);
                self.shares.enter(lane, fleet.start, &weights);
            }
        }
        for (frozen, fork) in FROZEN.zip(FLEET - WIDTH..FLEET).filter(|_| goes_on) {
            self.shares.match_weight(fleet.start + frozen, fleet.start + fork);
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
        self.experts = kept.iter().filter(|&&kept| kept).count();
        let kept: Vec<bool> = kept.iter().copied().chain([true]).collect();
        for stack in &mut self.stacks {
            stack.keep(&kept);
        }
    }

    /// Mixes of a row that the top weighs.
    pub(super) fn mixes(&self) -> usize {
        self.lanes + self.stacks.len()
    }

    /// How the experts have done.
    pub(super) fn standings(&self) -> &Standings {
        &self.standings
    }

    /// From a row's predictions to its mixes and what is served; `labels` is how many have come so far.
    pub(super) fn mix(&mut self, row: &mut PanelRow, labels: f64) {
        let (classes, experts) = (row.outputs, self.experts);
        // Two lanes alone need no logarithm before the class is known.
        row.logs.clear();
        if !self.stacks.is_empty() {
            row.logs.extend_from_slice(&row.predictions);
            ln_each(&mut row.logs);
        }
        let logs = &row.logs;
        row.mixes.clear();
        row.mixes.resize((self.mixes() + 1) * classes, 0.0);
        let top = self.top.weights();
        let (lanes, rest) = row.mixes.split_at_mut(self.lanes * classes);
        for (lane, mix) in lanes.chunks_exact_mut(classes).enumerate() {
            let weights = self.shares.lane(lane);
            if lane == LOGIT_LANE {
                for (class, q) in mix.iter_mut().enumerate() {
                    *q = dot(weights, &logs[class * experts..][..experts]);
                }
                soften(mix);
            } else {
                for (class, q) in mix.iter_mut().enumerate().skip(usize::from(classes == 2)) {
                    *q = dot(weights, &row.predictions[class * experts..][..experts]);
                }
                if classes == 2 {
                    mix[0] = 1.0 - mix[1];
                }
                normalise(mix);
            }
        }
        // The offset of the stacks is the mix of the lanes as the top weighs them; it is kept behind the stacks' mixes.
        let (stacks, offset) = rest.split_at_mut(self.stacks.len() * classes);
        for (lane, mix) in lanes.chunks_exact(classes).enumerate() {
            for (offset, q) in offset.iter_mut().zip(mix) {
                *offset += top[lane] * q;
            }
        }
        normalise(offset);
        let silent = self.stacks.is_empty() || labels < STACK_LABELS * experts as f64;
        for class in 0..classes {
            let offset = ln(offset[class]);
            if !silent {
                stack_features(logs, experts, classes, class, &mut self.scratch.features);
            }
            for (mix, stack) in stacks.chunks_exact_mut(classes).zip(&self.stacks) {
                let correction = if silent {
                    0.0
                } else {
                    stack.score(0, &self.scratch.features)
                };
                mix[class] = offset + correction;
            }
        }
        for mix in stacks.chunks_exact_mut(classes) {
            soften(mix);
            mix.iter_mut().for_each(|p| *p = hold(*p, PROBABILITY_MIN, 1.0));
            normalise(mix);
        }
        row.served.clear();
        row.served.resize(classes, 0.0);
        for (weight, mix) in top.iter().zip(row.mixes.chunks_exact(classes)) {
            for (served, q) in row.served.iter_mut().zip(mix) {
                *served += weight * q;
            }
        }
    }

    /// Makes room in a row that was served before a class was known.
    pub(super) fn widen(&self, row: &mut PanelRow, classes: usize) {
        if row.outputs >= classes {
            return;
        }
        row.predictions.resize(classes * self.experts, PROBABILITY_MIN);
        if !row.logs.is_empty() {
            row.logs.resize(classes * self.experts, ln(PROBABILITY_MIN));
        }
        let mut mixes = Vec::with_capacity((self.mixes() + 1) * classes);
        for mix in row.mixes.chunks_exact(row.outputs) {
            mixes.extend_from_slice(mix);
            mixes.resize(mixes.len() + classes - row.outputs, PROBABILITY_MIN);
        }
        row.mixes = mixes;
        row.outputs = classes;
    }

    /// Learns from a row who was right. Answers, per lane, how likely the class was by all that does not come from the fleet,
    /// to the power of the lane's rate.
    pub(super) fn learn(&mut self, row: &PanelRow, truth: Truth) -> [f64; LANE_COUNT] {
        let local = self.fleet().start;
        let mut others = [0.0; LANE_COUNT];
        let Truth { class, classes } = truth;
        let experts = self.experts;
        let Scratch { losses, judged, .. } = &mut self.scratch;
        let of = |class: usize| &row.predictions[class * experts..][..experts];
        losses.clear();
        losses.resize(experts, 0.0);
        for other in (0..classes).filter(|&other| other != class) {
            let pairs = of(other).iter().zip(of(class));
            for (loss, (other_p, truth)) in losses.iter_mut().zip(pairs) {
                // Of equals the first class is the answer.
                let wrong = if other < class {
                    other_p >= truth
                } else {
                    other_p > truth
                };
                *loss = if wrong { 1.0 } else { *loss };
            }
        }
        judged.clear();
        if row.logs.is_empty() {
            judged.extend_from_slice(of(class));
            ln_each(judged);
        } else {
            judged.extend_from_slice(&row.logs[class * experts..][..experts]);
        }
        judged.iter_mut().for_each(|log| *log = -*log);
        self.standings.learn(row.serial, losses, judged);
        let (top, shares) = (self.top.weights(), &self.shares);
        self.standings.look(weights(top, shares, experts));
        let likelihood = &mut self.scratch.likelihood;
        likelihood.clear();
        likelihood.extend(self.scratch.judged.iter().map(|loss| -RATE_SLOWEST * loss));
        exp_each(likelihood);
        for speed in 0..SPEEDS {
            match speed {
                0 => {}
                FASTEST => likelihood.copy_from_slice(&row.predictions[class * experts..][..experts]),
                _ => tenth_power_each(likelihood),
            }
            for (lane, _) in LANE_SPEEDS[..self.lanes]
                .iter()
                .enumerate()
                .filter(|&(_, &of)| of == speed)
            {
                others[lane] = mean(&self.shares.lane(lane)[..local], &likelihood[..local]);
                self.shares.update(lane, likelihood);
            }
        }
        let mut losses = [0.0; MIXES_MAX];
        let losses = &mut losses[..self.mixes()];
        for (loss, mix) in losses.iter_mut().zip(row.mixes.chunks_exact(classes)) {
            *loss = mix[class];
        }
        ln_each(losses);
        for loss in losses.iter_mut() {
            *loss = hold(-*loss / LOSS_MAX, 0.0, 1.0);
        }
        self.top.update(losses);
        self.learn_stacks(row, truth);
        others
    }

    /// A stack learns the class against the likeliest other one; for two classes this is the logistic likelihood.
    fn learn_stacks(&mut self, row: &PanelRow, truth: Truth) {
        let Truth { class, classes } = truth;
        let experts = self.experts;
        if self.stacks.is_empty() {
            return;
        }
        let offset = &row.mixes[self.mixes() * classes..];
        let mut rival = usize::from(class == 0);
        for other in 0..classes {
            if other != class && offset[other] > offset[rival] {
                rival = other;
            }
        }
        let Scratch {
            features, rival: other, ..
        } = &mut self.scratch;
        stack_features(&row.logs, experts, classes, rival, other);
        stack_features(&row.logs, experts, classes, class, features);
        for (feature, rival) in features.iter_mut().zip(other.iter()) {
            *feature -= rival;
        }
        let base = ln(offset[class]) - ln(offset[rival]);
        for stack in &mut self.stacks {
            let p = sigmoid(base + stack.score(0, features));
            stack.learn(features, row.serial, p * (1.0 - p), std::iter::once(1.0 - p));
        }
    }

    /// Weight of every expert in what is served, then of every stack.
    pub(super) fn weights(&self) -> impl Iterator<Item = f64> {
        weights(self.top.weights(), &self.shares, self.experts)
    }

    /// True once an expert takes part.
    pub(super) fn started(&self, expert: usize) -> bool {
        self.shares.started(expert)
    }

    /// Writes the state.
    pub(super) fn save(&self, writer: &mut Writer) {
        self.shares.save(writer);
        self.top.save(writer);
        self.standings.save(writer);
        for stack in &self.stacks {
            stack.save(writer);
        }
    }

    /// Reads what `save` wrote into weights of as many experts.
    pub(super) fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.shares.load(reader)?;
        self.top.load(reader)?;
        self.standings.load(reader)?;
        for stack in &mut self.stacks {
            stack.load(reader)?;
        }
        Ok(())
    }
}

/// Mean by weights that do not add up to 1.
fn mean(weights: &[f64], numbers: &[f64]) -> f64 {
    dot(weights, numbers) / weights.iter().sum::<f64>()
}

fn stacks(experts: usize) -> Vec<SecondOrder> {
    let stack = |&prior: &f64| SecondOrder::new(experts + 1, 1, prior, STACK_FORGETTING);
    STACK_PRIORS.iter().map(stack).collect()
}

/// The weight of every expert in what is served, then of every stack.
fn weights(top: &[f64], shares: &Shares, experts: usize) -> impl Iterator<Item = f64> {
    let lanes = shares.lanes();
    let of = move |expert: usize| (0..lanes).map(|lane| top[lane] * shares.lane(lane)[expert]).sum();
    (0..experts).map(of).chain(top[lanes..].iter().copied())
}

/// A stack's features for one class: every expert's held logit (two classes: half the logit, with the sign of the
/// class), and the constant that only two classes have.
fn stack_features(logs: &[f64], experts: usize, classes: usize, class: usize, out: &mut Vec<f64>) {
    out.clear();
    if classes == 2 {
        let sign = if class == 1 { 0.5 } else { -0.5 };
        let (zero, one) = logs.split_at(experts);
        out.extend(
            zero.iter()
                .zip(one)
                .map(|(zero, one)| sign * hold(one - zero, -STACK_LOGIT_MAX, STACK_LOGIT_MAX)),
        );
        out.push(sign);
    } else {
        let logs = &logs[class * experts..][..experts];
        out.extend(
            logs.iter()
                .map(|&log| if log > -STACK_LOGIT_MAX { log } else { -STACK_LOGIT_MAX }),
        );
        out.push(0.0);
    }
}
