//! The panel for classes: its experts, how they are asked and taught. Probabilities lie output by output: all experts'
//! probability of class 0, then of class 1, … Two classes share one score (class 1 against class 0); from three on there
//! is one score per class, and the panel grows when a class is first seen.
//!
//! Memory: the experts' (each file says how much) and 8 M (K + 9) bytes here, for M experts and K classes.

mod mixing;
mod recent;
pub mod roster;

use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::learner::LearnerSpec;
use crate::panel::budget::{Budget, Candidate, MIX_CLASSES_NS};
use crate::panel::experts::anchors::Anchors;
use crate::panel::experts::prior::Prior;
use crate::panel::experts::{Cells, ClassExpert, ClassRow, Truth, inputs_of, outputs};
use crate::panel::inputs::{Inputs, Map};
use crate::panel::number::{exp, hold, ln};
use crate::panel::roster::Roster;
use crate::panel::row::PanelRow;
use crate::release::ReleaseModel;
use crate::statistics::Logistic;
use mixing::{FLEET, Mixing, PROBABILITY_MIN};
use recent::Recent;

/// The last experts: the models of the release, and what goes on from them. Before them is the logistic that is told.
const RELEASE_EXPERTS: usize = 2;

/// The rows of a gateway are part of what its release was made of, so that the release knows them better than rows to come:
/// by the number of its parameters over that of its rows, in nats (Akaike 1974), of which so much at most is taken off.
const FLATTERY_MAX: f64 = 1.0;

/// The experts for classes and their weights.
#[derive(Debug)]
pub struct Classifier {
    classes: usize,
    classes_max: usize,
    budget: Budget,
    roster: Roster<dyn ClassExpert>,
    prior: Prior,
    mixing: Mixing,
    recent: Recent,
    /// Working memory, never state.
    gathered: Vec<f64>,
}

impl Classifier {
    /// A panel over these inputs that has seen no label.
    #[must_use]
    pub fn new(inputs: &Inputs, spec: &LearnerSpec) -> Self {
        let LearnerSpec {
            classes_max,
            budget,
            memory,
            experts,
            ..
        } = *spec;
        let mut experts = roster::experts(inputs, experts, memory);
        let mut fixed = roster::fleet(inputs);
        if memory.begins_anew()
            && let Some(anchors) = Anchors::new(inputs, memory)
        {
            experts.insert(experts.len() - fixed, Box::new(anchors));
            // What somebody asked for stays, whatever it costs.
            fixed += 1;
        }
        let roster = Roster::new(experts, [1, fixed]);
        let mut panel = Self {
            classes: 2,
            classes_max,
            budget,
            prior: Prior::new(2),
            mixing: Mixing::new(roster.started(), budget.small()),
            recent: Recent::new(inputs.width(Map::Columns) - 1),
            roster,
            gathered: Vec::new(),
        };
        panel.admit(inputs);
        panel
    }

    fn candidates(&self, inputs: &Inputs) -> Vec<Candidate> {
        let losses = self.mixing.standings().recent();
        self.roster
            .candidates(inputs, outputs(self.classes), losses, MIX_CLASSES_NS)
    }

    /// The world has changed: weights move towards all experts, and those that can learn faster for a while.
    pub fn adapt(&mut self) {
        self.mixing.adapt();
        for expert in &mut self.roster.experts {
            expert.adapt();
        }
    }

    /// What a row takes by what the experts say.
    #[must_use]
    pub fn nominal_ns(&self, inputs: &Inputs) -> f64 {
        self.candidates(inputs).iter().map(|candidate| candidate.cost.ns).sum()
    }

    /// The error has risen: what a detector took for a change.
    pub fn changed(&mut self) {
        for expert in &mut self.roster.experts {
            expert.changed();
        }
    }

    /// The trial may not cost more than the budget allows: what stays of the predictions, if some go.
    pub fn admit(&mut self, inputs: &Inputs) -> Option<Vec<bool>> {
        let kept = self.budget.admit(&self.candidates(inputs))?;
        Some(self.keep(&kept))
    }

    /// At every rung the worst experts go until the rest is within the budget: what stays of the predictions, if some go.
    pub fn halve(&mut self, inputs: &Inputs) -> Option<Vec<bool>> {
        let labels = self.prior.n() as u64;
        if !Budget::rung(labels) {
            return None;
        }
        let kept = self.budget.halve(&self.candidates(inputs), labels)?;
        Some(self.keep(&kept))
    }

    fn keep(&mut self, kept: &[bool]) -> Vec<bool> {
        let places = self.roster.keep(kept);
        self.mixing.keep(&places);
        places
    }

    /// Makes room for a class that was first seen.
    pub fn grow(&mut self, classes: usize) {
        if classes <= self.classes {
            return;
        }
        self.classes = classes;
        self.prior.grow(classes);
        for expert in &mut self.roster.experts {
            expert.grow(classes);
        }
    }

    /// The columns have just been typed, for rows after this one: experts on typed inputs begin.
    pub fn typed(&mut self, inputs: &Inputs, serial: u64) {
        let Self { roster, mixing, .. } = self;
        roster.begin(inputs, outputs(self.classes), |place| mixing.join(place, serial));
    }

    /// A release has come: each of its models takes the weight that it would have earned on the newest rows here, since what
    /// the one before earned was earned by other numbers. Unless it continues a line, rows up to `serial` were served without
    /// it and say nothing about its error. The fork begins anew, with the weight of the model it goes on from.
    pub fn install(
        &mut self,
        release: (&ReleaseModel, &[u32]),
        rows: f64,
        serial: u64,
        continues: bool,
        inputs: &Inputs,
    ) {
        let at = self.roster.experts.len() - 1;
        let (before, fork) = self.roster.experts.split_at_mut(at);
        let own = at.checked_sub(2).and_then(|own| before[own].information());
        fork[0].install(release, self.classes, own, continues);
        let goes_on = fork[0].information().is_some();
        let said = self.said(release, rows, inputs);
        self.mixing.install(serial, continues, &self.recent, &said, goes_on);
    }

    /// What a release and its fork, made of so many `rows`, say of the newest rows here: per row and prediction the
    /// probability of the row's class, without what they owe to having seen it.
    fn said(&mut self, release: (&ReleaseModel, &[u32]), rows: f64, inputs: &Inputs) -> Vec<f64> {
        let classes = self.classes;
        let experts = self.roster.experts.len();
        let mut said = Vec::new();
        let mut all = vec![0.0; FLEET * classes];
        let parameters = (classes * (release.0.d() + 1)) as f64;
        let flattery = exp(-hold(parameters / rows, 0.0, FLATTERY_MAX));
        for seen in self.recent.rows() {
            let mut first = 0;
            for expert in &mut self.roster.experts[experts - RELEASE_EXPERTS..] {
                let mut cells = Cells::new(&mut all, FLEET, first, classes);
                let row = ClassRow {
                    z: &[],
                    x: &seen.x,
                    serial: 0,
                    last: None,
                    prior: &self.prior,
                    inputs,
                    release: Some(release),
                };
                if !expert.predict(&row, &mut cells) {
                    cells.fill_all(expert.width(), |class| self.prior.share(class));
                }
                first += expert.width();
            }
            let class = seen.class as usize * FLEET;
            said.extend(
                all[class..class + FLEET]
                    .iter()
                    .map(|p| hold(flattery * p, PROBABILITY_MIN, 1.0 - PROBABILITY_MIN)),
            );
        }
        said
    }

    /// The release has changed after this row was served: what the one before said of it is nobody's opinion any more.
    pub fn forget_release(&self, row: &mut PanelRow) {
        let experts = self.roster.names().len();
        for (class, &served) in row.served.iter().enumerate() {
            for place in self.mixing.fleet() {
                let at = class * experts + place;
                row.predictions[at] = hold(served, PROBABILITY_MIN, 1.0 - PROBABILITY_MIN);
                if let Some(log) = row.logs.get_mut(at) {
                    *log = ln(row.predictions[at]);
                }
            }
        }
    }

    /// Begins anew with what is told to the fleet.
    pub fn forget_information(&mut self) {
        for expert in &mut self.roster.experts {
            expert.forget_information();
        }
    }

    /// What this gateway tells the fleet of these classes: without any release, and on top of releases.
    #[must_use]
    pub fn logistic(&self, classes: &[usize]) -> [Option<Logistic>; 2] {
        let [.., own, _, fork] = &self.roster.experts[..] else {
            return [None, None];
        };
        [own, fork].map(|expert| expert.information().map(|information| information.of_classes(classes)))
    }

    /// True for a row whose vectors are as long as this panel makes them, of classes it knows.
    #[must_use]
    pub fn fits(&self, row: &PanelRow, inputs: &Inputs) -> bool {
        let classes = row.outputs;
        let lengths = [row.served.len(), row.predictions.len(), row.mixes.len()];
        let known = row.last.is_nan() || (0.0..self.classes as f64).contains(&row.last);
        known
            && (2..=self.classes).contains(&classes)
            && lengths
                == [
                    classes,
                    classes * self.roster.names().len(),
                    classes * (self.mixing.mixes() + 1),
                ]
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
        let (classes, count) = (self.classes, self.roster.names().len());
        row.outputs = classes;
        let mut predictions = std::mem::take(&mut row.predictions);
        predictions.clear();
        predictions.resize(classes * count, 0.0);
        let mut first = 0;
        for expert in &mut self.roster.experts {
            let mut cells = Cells::new(&mut predictions, count, first, classes);
            let seen = inputs_of(expert.map(), row, inputs, &mut self.gathered).map(|z| ClassRow {
                z,
                x,
                serial: row.serial,
                last: last_class(row),
                prior: &self.prior,
                inputs,
                release,
            });
            if !seen.is_some_and(|seen| expert.predict(&seen, &mut cells)) {
                cells.fill_all(expert.width(), |class| self.prior.share(class));
            }
            first += expert.width();
        }
        for p in &mut predictions {
            *p = hold(*p, PROBABILITY_MIN, 1.0 - PROBABILITY_MIN);
        }
        row.predictions = predictions;
        self.mixing.mix(row, self.prior.n());
        // What is kept back for a class that was never seen.
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
        let mixes = row.mixes.chunks_exact(row.outputs).rev().skip(1);
        mixes.fold((1.0, 0.0), |(low, high), mix| {
            let p = mix[class];
            (if p < low { p } else { low }, if p > high { p } else { high })
        })
    }

    /// Learns the class of a row: the weights by what was served, the experts with the inputs as served.
    pub fn learn(&mut self, row: &mut PanelRow, x: &[f64], class: usize, inputs: &Inputs) {
        self.grow(class + 1);
        let truth = Truth {
            class,
            classes: self.classes,
        };
        self.mixing.widen(row, truth.classes);
        let others = self.mixing.learn(row, truth);
        self.recent.push(x, class, others);
        for expert in &mut self.roster.experts {
            if let Some(z) = inputs_of(expert.map(), row, inputs, &mut self.gathered) {
                let seen = ClassRow {
                    z,
                    x,
                    serial: row.serial,
                    last: last_class(row),
                    prior: &self.prior,
                    inputs,
                    release: None,
                };
                expert.learn(&seen, truth);
            }
        }
        self.prior.learn(last_class(row), class);
    }

    /// Name, weight in what is served, labels and share of wrong answers, per expert that takes part, and per stack.
    pub fn report(&self, line: impl FnMut(&str, f64, f64, f64)) {
        let mixing = &self.mixing;
        let started = |place| mixing.started(place);
        self.roster.report(mixing.standings(), mixing.weights(), started, line);
    }

    /// Who weighs most, since which label, of how many.
    #[must_use]
    pub fn leader(&self) -> (&str, u64, u64) {
        self.roster.leader(self.mixing.standings())
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        self.roster.save(writer);
        writer.u32(self.classes as u32);
        self.prior.save(writer);
        self.mixing.save(writer);
        self.recent.save(writer);
        for expert in &self.roster.experts {
            expert.save(writer);
        }
    }

    /// Reads what `save` wrote into a new panel over inputs that have been loaded already, for `known` classes. Older
    /// states have no newest rows: `keeps_rows` is false then.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(&mut self, inputs: &Inputs, known: usize, keeps_rows: bool, reader: &mut Reader) -> Result<()> {
        let kept = self.roster.load(reader)?;
        self.keep(&kept);
        let classes = reader.u32()? as usize;
        if classes > known.max(2) {
            return Err(crate::error::CoreError::Corrupt);
        }
        self.typed(inputs, 0);
        self.grow(classes);
        self.prior.load(reader)?;
        self.mixing.load(reader)?;
        if keeps_rows {
            self.recent.load(inputs.width(Map::Columns) - 1, self.classes, reader)?;
        }
        for expert in &mut self.roster.experts {
            expert.load(reader)?;
        }
        Ok(())
    }
}

fn last_class(row: &PanelRow) -> Option<usize> {
    (row.last >= 0.0).then_some(row.last as usize)
}
