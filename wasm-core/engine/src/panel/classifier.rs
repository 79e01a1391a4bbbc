//! The panel for classes: its experts, their mixes and how both learn. Probabilities lie output by output: all experts'
//! probability of class 0, then of class 1, … Two classes share one score (class 1 against class 0); from three on there
//! is one score per class, and the panel grows when a class is first seen.
//!
//! Memory: the experts' (each file says how much) and 8 M (K + 9) bytes here, for M experts and K classes.

use crate::cholesky::dot;
use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::panel::inputs::{Inputs, Map};
use crate::panel::linear::{load_numbers, save_numbers};
use crate::panel::number::{exp, exp_each, hold, ln, ln_each, sigmoid, tenth_power_each};
use crate::panel::passive_aggressive::PassiveAggressive;
use crate::panel::prior::Prior;
use crate::panel::row::{Line, PanelRow, gather};
use crate::panel::second_order::SecondOrder;
use crate::panel::sgd::{LANES, SgdLanes};
use crate::panel::shares::Shares;
use crate::panel::top::Top;
use crate::panel::{SECOND_ORDER_INPUTS_MAX, release_inputs};
use crate::release::ReleaseModel;

/// No expert's probability leaves [1e-6, 1 - 1e-6].
const PROBABILITY_MIN: f64 = 1e-6;
/// Speed and share of each lane. A lane's rate is the slowest one times ten to the power of its speed: 0.01, 0.1 or 1; the
/// fast ones are for labels that come at once, the slow ones for late labels. The last lane averages logits.
const RATE_SLOWEST: f64 = 0.01;
const SPEEDS: usize = 3;
const FASTEST: usize = SPEEDS - 1;
const LANE_SPEEDS: [usize; 6] = [2, 2, 2, 1, 0, 1];
const LANE_SHARES: [f64; 6] = [1e-2, 1e-3, 1e-4, 1e-3, 1e-4, 1e-4];
const LANE_COUNT: usize = LANE_SHARES.len();
const LOGIT_LANE: usize = LANE_COUNT - 1;
/// Prior variance of the stacks' weights.
const STACK_PRIORS: [f64; 1] = [0.005];
const STACK_FORGETTING: f64 = 1e-4;
/// Logits in a stack are held to this.
const STACK_LOGIT_MAX: f64 = 6.0;
/// Labels per expert before a stack speaks.
const STACK_LABELS: f64 = 3.0;
const MIXES: usize = LANE_COUNT + STACK_PRIORS.len();
/// A loss counts in the top as at most this many nats.
const LOSS_MAX: f64 = 7.0;

#[derive(Clone, Debug)]
enum Member {
    Share,
    Last,
    Sgd(Map, SgdLanes),
    SecondOrder(Map, f64, f64, Option<SecondOrder>),
    PassiveAggressive(Map, PassiveAggressive),
    Release,
}

/// The experts for classes and their weights.
#[derive(Clone, Debug)]
pub struct Classifier {
    classes: usize,
    classes_max: usize,
    members: Vec<Member>,
    names: Vec<String>,
    prior: Prior,
    shares: Shares,
    stacks: Vec<SecondOrder>,
    top: Top,
    losses: Vec<f64>,
    line: Line,
    scratch: Scratch,
}

/// Working memory, never state.
#[derive(Clone, Debug, Default)]
struct Scratch {
    gathered: Vec<f64>,
    features: Vec<f64>,
    likelihood: Vec<f64>,
    scores: Vec<f64>,
    release_x: Vec<f64>,
}

impl Classifier {
    /// A panel over these inputs that has seen no label.
    #[must_use]
    pub fn new(inputs: &Inputs, classes_max: usize) -> Self {
        let mut members = vec![Member::Share, Member::Last];
        let label = inputs.width(Map::Label);
        members.push(Member::Sgd(Map::Label, SgdLanes::new(label, 1)));
        members.push(Member::PassiveAggressive(Map::Label, PassiveAggressive::new(label, 1)));
        let full = inputs.width(Map::Full);
        if full > 0 {
            members.push(Member::PassiveAggressive(Map::Full, PassiveAggressive::new(full, 1)));
        }
        for (map, prior, forgetting) in [
            (Map::Label, 1.0, 1e-3),
            (Map::Full, 1.0, 1e-3),
            (Map::Context, 1.0, 1e-4),
            (Map::Waves, 1.0, 1e-4),
        ] {
            let map = if map == Map::Context {
                inputs.or_columns(map)
            } else {
                map
            };
            let m = inputs.width(map);
            if m > 0 && m <= SECOND_ORDER_INPUTS_MAX {
                let model = SecondOrder::new(m, 1, prior, forgetting);
                members.push(Member::SecondOrder(map, prior, forgetting, Some(model)));
            }
        }
        members.push(Member::SecondOrder(Map::OneHot, 0.3, 1e-4, None));
        members.push(Member::SecondOrder(Map::Memory, 0.3, 1e-4, None));
        members.push(Member::Release);
        let names: Vec<String> = members.iter().flat_map(Member::names).collect();
        let started = members
            .iter()
            .flat_map(|member| vec![member.started(); member.count()])
            .collect();
        let experts = names.len();
        Self {
            classes: 2,
            classes_max,
            prior: Prior::new(2),
            shares: Shares::new(started, &LANE_SHARES),
            stacks: STACK_PRIORS
                .iter()
                .map(|&p| SecondOrder::new(experts + 1, 1, p, STACK_FORGETTING))
                .collect(),
            top: Top::new(MIXES),
            losses: vec![0.0; experts],
            members,
            names,
            line: Line::default(),
            scratch: Scratch::default(),
        }
    }

    fn outputs(&self) -> usize {
        if self.classes == 2 { 1 } else { self.classes }
    }

    /// Makes room for a class that was first seen.
    pub fn grow(&mut self, classes: usize) {
        if classes <= self.classes {
            return;
        }
        self.classes = classes;
        self.prior.grow(classes);
        for member in &mut self.members {
            match member {
                Member::Sgd(_, model) => model.grow(classes),
                Member::SecondOrder(_, _, _, Some(model)) => model.grow(classes),
                Member::PassiveAggressive(_, model) => model.grow(classes),
                _ => {}
            }
        }
    }

    /// The columns have just been typed: experts on typed inputs begin.
    pub fn typed(&mut self, inputs: &Inputs) {
        let outputs = self.outputs();
        let mut first = 0;
        for member in &mut self.members {
            if let Member::SecondOrder(map, prior, forgetting, model @ None) = member {
                let m = inputs.width(*map);
                if m > 0 && m <= SECOND_ORDER_INPUTS_MAX {
                    *model = Some(SecondOrder::new(m, outputs, *prior, *forgetting));
                    self.shares.join(first);
                }
            }
            first += member.count();
        }
    }

    /// A release of a line that is new here has come, with the weight of one expert among the others. Rows up to
    /// `serial` were served without it and say nothing about its error.
    pub fn install(&mut self, serial: u64) {
        let release = self.names.len() - 1;
        self.shares.join(release);
        self.losses[release] = 0.0;
        self.line = Line { serial, labels: 0.0 };
    }

    /// The release has changed after this row was served: what the one before said of it is nobody's opinion any more.
    pub fn forget_release(&self, row: &mut PanelRow) {
        let experts = self.names.len();
        for (class, &served) in row.served.iter().enumerate() {
            let at = class * experts + experts - 1;
            row.predictions[at] = hold(served, PROBABILITY_MIN, 1.0 - PROBABILITY_MIN);
            row.logs[at] = ln(row.predictions[at]);
        }
    }

    /// True for a row whose vectors are as long as this panel makes them, of classes it knows.
    #[must_use]
    pub fn fits(&self, row: &PanelRow, inputs: &Inputs) -> bool {
        let classes = row.outputs;
        let lengths = [row.served.len(), row.predictions.len(), row.mixes.len()];
        let known = row.last.is_nan() || (0.0..self.classes as f64).contains(&row.last);
        known
            && (2..=self.classes).contains(&classes)
            && lengths == [classes, classes * self.names.len(), classes * (MIXES + 1)]
            && inputs.fits(&row.inputs)
    }

    /// How many classes it has room for today.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Predicts: fills the row's predictions, mixes and served probabilities from its inputs. `release` comes with the
    /// class index of each of its labels (`u32::MAX`: a class not known here).
    pub fn serve(&mut self, row: &mut PanelRow, x: &[f64], inputs: &Inputs, release: Option<(&ReleaseModel, &[u32])>) {
        let (classes, experts) = (self.classes, self.names.len());
        row.outputs = classes;
        row.predictions.clear();
        row.predictions.resize(classes * experts, 0.0);
        let mut first = 0;
        for member in &mut self.members {
            let mut cells = Cells {
                all: &mut row.predictions,
                experts,
                first,
                classes,
            };
            match member {
                Member::Share => cells.fill(|class| self.prior.share(class)),
                Member::Last if row.last >= 0.0 => {
                    let last = row.last as usize;
                    cells.fill(|class| self.prior.after(last, class));
                }
                Member::Sgd(map, model) => {
                    cells.fill_lanes(
                        model,
                        gather(&row.inputs, inputs.ranges(*map), &mut self.scratch.gathered),
                    );
                }
                Member::SecondOrder(map, _, _, Some(model)) => {
                    let x = gather(&row.inputs, inputs.ranges(*map), &mut self.scratch.gathered);
                    let factor = SecondOrder::moderation(model.uncertainty(x, row.serial));
                    cells.fill_scores(&mut self.scratch.scores, |output| model.score(output, x) * factor);
                }
                Member::PassiveAggressive(map, model) => {
                    let x = gather(&row.inputs, inputs.ranges(*map), &mut self.scratch.gathered);
                    cells.fill_scores(&mut self.scratch.scores, |output| model.score(output, x));
                }
                Member::Release if release.is_some() && self.shares.started(first) => {
                    if let Some((model, known)) = release {
                        release_inputs(x, inputs, &mut self.scratch.release_x);
                        let scratch = &mut self.scratch.features;
                        scratch.clear();
                        scratch.resize(model.labels().len(), 0.0);
                        model.class_scores(&self.scratch.release_x, scratch);
                        soften(scratch);
                        cells.fill(|_| PROBABILITY_MIN);
                        for (&class, &probability) in known.iter().zip(scratch.iter()) {
                            if (class as usize) < classes {
                                cells.set(class as usize, probability);
                            }
                        }
                    }
                }
                Member::Last | Member::Release | Member::SecondOrder(_, _, _, None) => {
                    cells.fill(|class| self.prior.share(class));
                }
            }
            first += member.count();
        }
        for p in &mut row.predictions {
            *p = hold(*p, PROBABILITY_MIN, 1.0 - PROBABILITY_MIN);
        }
        self.mix(row);
    }

    fn mix(&mut self, row: &mut PanelRow) {
        let (classes, experts) = (self.classes, self.names.len());
        row.logs.clear();
        row.logs.extend_from_slice(&row.predictions);
        ln_each(&mut row.logs);
        let logs = &row.logs;
        row.mixes.clear();
        row.mixes.resize((MIXES + 1) * classes, 0.0);
        let top = self.top.weights();
        let (lanes, rest) = row.mixes.split_at_mut(LANE_COUNT * classes);
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
        let (stacks, offset) = rest.split_at_mut(STACK_PRIORS.len() * classes);
        for (lane, mix) in lanes.chunks_exact(classes).enumerate() {
            for (offset, q) in offset.iter_mut().zip(mix) {
                *offset += top[lane] * q;
            }
        }
        normalise(offset);
        let silent = self.prior.n() < STACK_LABELS * experts as f64;
        for class in 0..classes {
            if !silent {
                stack_features(logs, experts, classes, class, &mut self.scratch.features);
            }
            for (mix, stack) in stacks.chunks_exact_mut(classes).zip(&self.stacks) {
                let correction = if silent {
                    0.0
                } else {
                    stack.score(0, &self.scratch.features)
                };
                mix[class] = ln(offset[class]) + correction;
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
        let known = if self.classes < self.classes_max {
            1.0 - 0.5 / (self.prior.n() + 1.0)
        } else {
            1.0
        };
        row.served.iter_mut().for_each(|p| *p *= known);
    }

    /// Least and greatest probability of a class among the mixes of a row.
    #[must_use]
    pub fn spread(row: &PanelRow, class: usize) -> (f64, f64) {
        let mixes = row.mixes.chunks_exact(row.outputs).take(MIXES);
        mixes.fold((1.0, 0.0), |(low, high), mix| {
            let p = mix[class];
            (if p < low { p } else { low }, if p > high { p } else { high })
        })
    }

    /// Learns the class of a row: the weights by what was served, the experts with the inputs as served.
    pub fn learn(&mut self, row: &mut PanelRow, class: usize, inputs: &Inputs) {
        self.grow(class + 1);
        let (classes, experts) = (self.classes, self.names.len());
        if row.outputs < classes {
            row.predictions.resize(classes * experts, PROBABILITY_MIN);
            row.logs.resize(classes * experts, ln(PROBABILITY_MIN));
            let mut mixes = Vec::with_capacity((MIXES + 1) * classes);
            for mix in row.mixes.chunks_exact(row.outputs) {
                mixes.extend_from_slice(mix);
                mixes.resize(mixes.len() + classes - row.outputs, PROBABILITY_MIN);
            }
            row.mixes = mixes;
            row.outputs = classes;
        }
        self.learn_weights(row, class);
        self.learn_members(row, class, inputs);
        let last = if row.last >= 0.0 { Some(row.last as usize) } else { None };
        self.prior.learn(last, class);
    }

    fn learn_weights(&mut self, row: &PanelRow, class: usize) {
        let (classes, experts) = (self.classes, self.names.len());
        let counted = 1.0 / (self.prior.n() + 1.0);
        let release = self.names.len() - 1;
        let with_release = self.line.counts(row);
        for (expert, loss) in self.losses.iter_mut().enumerate() {
            if expert == release && !with_release {
                continue;
            }
            let counted = if expert == release {
                1.0 / self.line.labels
            } else {
                counted
            };
            let truth = row.predictions[class * experts + expert];
            let beaten = (0..classes).any(|other| other != class && row.predictions[other * experts + expert] >= truth);
            *loss += (f64::from(u8::from(beaten)) - *loss) * counted;
        }
        let likelihood = &mut self.scratch.likelihood;
        likelihood.clear();
        likelihood.extend(
            row.logs[class * experts..][..experts]
                .iter()
                .map(|&log| RATE_SLOWEST * log),
        );
        exp_each(likelihood);
        for speed in 0..SPEEDS {
            match speed {
                0 => {}
                FASTEST => likelihood.copy_from_slice(&row.predictions[class * experts..][..experts]),
                _ => tenth_power_each(likelihood),
            }
            for (lane, _) in LANE_SPEEDS.iter().enumerate().filter(|&(_, &of)| of == speed) {
                self.shares.update(lane, likelihood);
            }
        }
        let mut losses = [0.0; MIXES];
        for (loss, mix) in losses.iter_mut().zip(row.mixes.chunks_exact(classes)) {
            *loss = hold(-ln(mix[class]) / LOSS_MAX, 0.0, 1.0);
        }
        self.top.update(&losses);
        self.learn_stacks(row, class);
    }

    /// A stack learns the class against the likeliest other one; for two classes this is the logistic likelihood.
    fn learn_stacks(&mut self, row: &PanelRow, class: usize) {
        let (classes, experts) = (self.classes, self.names.len());
        let offset = &row.mixes[MIXES * classes..];
        let mut rival = usize::from(class == 0);
        for other in 0..classes {
            if other != class && offset[other] > offset[rival] {
                rival = other;
            }
        }
        let (features, scores) = (&mut self.scratch.features, &mut self.scratch.scores);
        stack_features(&row.logs, experts, classes, rival, scores);
        stack_features(&row.logs, experts, classes, class, features);
        for (feature, rival) in features.iter_mut().zip(scores.iter()) {
            *feature -= rival;
        }
        let base = ln(offset[class]) - ln(offset[rival]);
        for stack in &mut self.stacks {
            let p = sigmoid(base + stack.score(0, features));
            stack.learn(features, row.serial, p * (1.0 - p), std::iter::once(1.0 - p));
        }
    }

    fn learn_members(&mut self, row: &PanelRow, class: usize, inputs: &Inputs) {
        let (classes, outputs) = (self.classes, self.outputs());
        let truth = |output: usize| {
            let is = if classes == 2 { class == 1 } else { class == output };
            f64::from(u8::from(is))
        };
        for member in &mut self.members {
            let (Member::Sgd(map, _) | Member::SecondOrder(map, _, _, Some(_)) | Member::PassiveAggressive(map, _)) =
                member
            else {
                continue;
            };
            let ranges = inputs.ranges(*map);
            if ranges.iter().any(|range| range.end > row.inputs.len()) {
                continue; // served before the columns were typed
            }
            let x = gather(&row.inputs, ranges, &mut self.scratch.gathered);
            match member {
                Member::Sgd(_, model) => {
                    let square = model.begin(x);
                    for output in 0..outputs {
                        model.learn_logistic(output, x, truth(output), square);
                    }
                }
                Member::PassiveAggressive(_, model) => {
                    for output in 0..outputs {
                        model.learn(output, x, truth(output));
                    }
                }
                Member::SecondOrder(_, _, _, Some(model)) => {
                    let factor = SecondOrder::moderation(model.uncertainty(x, row.serial));
                    let scores = &mut self.scratch.scores;
                    scores.clear();
                    scores.extend((0..outputs).map(|output| model.score(output, x) * factor));
                    if outputs == 1 {
                        scores[0] = sigmoid(scores[0]);
                    } else {
                        soften(scores);
                    }
                    let mut curvature = 0.0;
                    for &p in scores.iter() {
                        let h = p * (1.0 - p);
                        curvature = if h > curvature { h } else { curvature };
                    }
                    let residuals = scores.iter().enumerate().map(|(output, p)| truth(output) - p);
                    model.learn(x, row.serial, curvature, residuals);
                }
                _ => {}
            }
        }
    }

    /// Name, weight in what is served, and share of wrong answers, per expert and stack.
    pub fn report(&self, mut line: impl FnMut(&str, f64, f64)) {
        let top = self.top.weights();
        for (expert, name) in self.names.iter().enumerate() {
            if self.shares.started(expert) {
                let weight = (0..LANE_COUNT)
                    .map(|lane| top[lane] * self.shares.lane(lane)[expert])
                    .sum();
                line(name, weight, self.losses[expert]);
            }
        }
        for (stack, prior) in STACK_PRIORS.iter().enumerate() {
            line(&format!("stack {prior}"), top[LANE_COUNT + stack], f64::NAN);
        }
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.u32(self.classes as u32);
        self.prior.save(writer);
        self.shares.save(writer);
        self.top.save(writer);
        save_numbers(&self.losses, writer);
        self.line.save(writer);
        for stack in &self.stacks {
            stack.save(writer);
        }
        for member in &self.members {
            match member {
                Member::Sgd(_, model) => model.save(writer),
                Member::PassiveAggressive(_, model) => model.save(writer),
                Member::SecondOrder(_, _, _, Some(model)) => model.save(writer),
                Member::SecondOrder(_, _, _, None) | Member::Share | Member::Last | Member::Release => {}
            }
        }
    }

    /// Reads what `save` wrote into a new panel over inputs that have been loaded already, for `known` classes.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(&mut self, inputs: &Inputs, known: usize, reader: &mut Reader) -> Result<()> {
        let classes = reader.u32()? as usize;
        if classes > known.max(2) {
            return Err(crate::error::CoreError::Corrupt);
        }
        self.typed(inputs);
        self.grow(classes);
        self.prior.load(reader)?;
        self.shares.load(reader)?;
        self.top.load(reader)?;
        load_numbers(&mut self.losses, reader)?;
        self.line = Line::load(reader)?;
        for stack in &mut self.stacks {
            stack.load(reader)?;
        }
        for member in &mut self.members {
            match member {
                Member::Sgd(_, model) => model.load(reader)?,
                Member::PassiveAggressive(_, model) => model.load(reader)?,
                Member::SecondOrder(_, _, _, Some(model)) => model.load(reader)?,
                Member::SecondOrder(_, _, _, None) | Member::Share | Member::Last | Member::Release => {}
            }
        }
        Ok(())
    }
}

impl Member {
    fn count(&self) -> usize {
        if matches!(self, Self::Sgd(..)) { LANES } else { 1 }
    }

    fn started(&self) -> bool {
        !matches!(self, Self::SecondOrder(_, _, _, None) | Self::Release)
    }

    fn names(&self) -> Vec<String> {
        match self {
            Self::Share => vec!["share of classes".to_owned()],
            Self::Last => vec!["last class".to_owned()],
            Self::Sgd(map, _) => (0..LANES).map(|lane| format!("sgd {} {lane}", map.name())).collect(),
            Self::SecondOrder(map, _, forgetting, _) => vec![format!("second order {} {forgetting}", map.name())],
            Self::PassiveAggressive(map, _) => vec![format!("passive-aggressive {}", map.name())],
            Self::Release => vec!["release".to_owned()],
        }
    }
}

/// The places of one member's predictions.
struct Cells<'a> {
    all: &'a mut [f64],
    experts: usize,
    first: usize,
    classes: usize,
}

impl Cells<'_> {
    fn set(&mut self, class: usize, probability: f64) {
        self.all[class * self.experts + self.first] = probability;
    }

    fn fill(&mut self, probability: impl Fn(usize) -> f64) {
        for class in 0..self.classes {
            self.set(class, probability(class));
        }
    }

    fn fill_scores(&mut self, scores: &mut Vec<f64>, score: impl Fn(usize) -> f64) {
        if self.classes == 2 {
            let p = sigmoid(score(0));
            self.set(0, 1.0 - p);
            self.set(1, p);
            return;
        }
        scores.clear();
        scores.extend((0..self.classes).map(score));
        soften(scores);
        for (class, &p) in scores.iter().enumerate() {
            self.set(class, p);
        }
    }

    fn fill_lanes(&mut self, model: &SgdLanes, x: &[f64]) {
        if self.classes == 2 {
            let scores = model.scores(0, x);
            for (lane, score) in scores.into_iter().enumerate() {
                let p = sigmoid(score);
                self.all[self.first + lane] = 1.0 - p;
                self.all[self.experts + self.first + lane] = p;
            }
            return;
        }
        let mut sums = [0.0; LANES];
        for class in 0..self.classes {
            let scores = model.scores(class, x);
            for lane in 0..LANES {
                let p = sigmoid(scores[lane]);
                sums[lane] += p;
                self.all[class * self.experts + self.first + lane] = p;
            }
        }
        for class in 0..self.classes {
            for (lane, sum) in sums.iter().enumerate() {
                self.all[class * self.experts + self.first + lane] /= sum;
            }
        }
    }
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

/// Softmax in place.
fn soften(scores: &mut [f64]) {
    let most = scores
        .iter()
        .copied()
        .fold(f64::MIN, |most, score| if score > most { score } else { most });
    scores.iter_mut().for_each(|score| *score = exp(*score - most));
    normalise(scores);
}

fn normalise(p: &mut [f64]) {
    let sum: f64 = p.iter().sum();
    let scale = if sum > 0.0 { 1.0 / sum } else { 0.0 };
    p.iter_mut().for_each(|p| *p *= scale);
}
