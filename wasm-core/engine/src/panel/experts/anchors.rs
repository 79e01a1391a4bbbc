//! Concepts that were here before. When the task's watch finds that the error has risen, the weights of a second-order
//! expert as they were some time before the change are frozen as an *anchor*, and the expert begins anew. Anchors cost a
//! dot product each; the share that they have among themselves follows what they would have lost on every label, so that
//! one is awake within a few labels when its world returns. The library is bounded and chosen by diversity: what says much
//! the same of the newest rows is kept once. What begins anew may be taught the newest rows again, since some of them came
//! between the change and its discovery (experience replay).
//!
//! Papers: Gama & Kosina, "Recurrent concepts in data streams classification" (2014); Sun et al., "Concept drift
//! adaptation by exploiting historical knowledge" (2018), for the choice by diversity; Herbster & Warmuth (1998) for the
//! shares; Lin, "Self-improving reactive agents based on reinforcement learning, planning and teaching" (1992), for replay.
//! Cost: that of the second-order expert, and 2 m flops per anchor and output to serve and to learn. Memory: 8 m bytes per
//! anchor, snapshot and row that is remembered, beside the expert's.

use std::collections::VecDeque;

use crate::cholesky::dot;
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::panel::budget::{Cost, FLOP_NS};
use crate::panel::experts::second_order::{SecondOrder, SecondOrderClasses};
use crate::panel::experts::{Cells, ClassExpert, ClassRow, Expert, Truth, outputs};
use crate::panel::inputs::{Inputs, Map};
use crate::panel::linear::{load_numbers, save_numbers};
use crate::panel::number::{normalise, sigmoid, soften};

/// Anchors that are kept.
const ANCHORS_MAX: usize = 8;
/// Labels between two snapshots, and how many are kept: a change is found some hundred labels late at most, and what was
/// learned since is not frozen.
const SNAPSHOT_EVERY: u64 = 128;
const SNAPSHOTS: usize = 4;
/// Of the snapshots the one that is frozen: at least so many labels old.
const SNAPSHOT_AGE: usize = 3;
/// Newest rows that are remembered.
const ROWS: usize = 64;
/// Anchors whose probabilities differ by less than this on the newest rows are one.
const APART: f64 = 0.05;
/// What each label gives back to all, so that an anchor is awake in a few labels.
const SHARE: f64 = 0.02;
/// A label that was thought impossible costs at most this.
const PROBABILITY_MIN: f64 = 1e-3;
/// Prior variance and forgetting of the expert.
const PRIOR: f64 = 1.0;
const FORGETTING: f64 = 1e-4;

/// What a panel does about concepts that change and return; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// An expert begins anew when the error has risen.
    pub reset: bool,
    /// What it had learned is frozen, and returns.
    pub anchor: bool,
    /// It is taught the newest rows again.
    pub replay: bool,
    /// The network holds the weights that mattered (EWC).
    pub hold: bool,
    /// The network freezes its hidden units and begins new ones beside them.
    pub columns: bool,
}

impl Memory {
    /// True when any of it is asked for.
    #[must_use]
    pub fn any(self) -> bool {
        self != Self::default()
    }

    /// True when an expert that begins anew is.
    #[must_use]
    pub fn begins_anew(self) -> bool {
        self.reset || self.anchor || self.replay
    }

    /// True when what only a network can do is.
    #[must_use]
    pub fn needs_network(self) -> bool {
        self.hold || self.columns
    }

    /// As bits.
    #[must_use]
    pub fn bits(self) -> u8 {
        let parts = [self.reset, self.anchor, self.replay, self.hold, self.columns];
        parts.into_iter().rev().fold(0, |bits, part| bits << 1 | u8::from(part))
    }

    /// From bits; `None` for bits that mean nothing.
    #[must_use]
    pub fn from_bits(bits: u8) -> Option<Self> {
        (bits < 32).then_some(Self {
            reset: bits & 1 != 0,
            anchor: bits & 2 != 0,
            replay: bits & 4 != 0,
            hold: bits & 8 != 0,
            columns: bits & 16 != 0,
        })
    }
}

/// An expert that begins anew at a change, and what it was before.
#[derive(Debug)]
pub struct Anchors {
    memory: Memory,
    m: usize,
    live: SecondOrderClasses,
    /// Weights of the frozen ones, output by output.
    library: Vec<Vec<f64>>,
    snapshots: VecDeque<Vec<f64>>,
    /// Inputs and class of the newest rows.
    rows: VecDeque<(Vec<f64>, u32)>,
    /// How much the live one counts, then each anchor.
    shares: Vec<f64>,
    labels: u64,
    classes: usize,
    /// Working memory, never state: probabilities of one model after the other.
    said: Vec<f64>,
}

impl Anchors {
    /// Over the widest inputs that a second-order expert can have; `None` when it can have none.
    #[must_use]
    pub fn new(inputs: &Inputs, memory: Memory) -> Option<Self> {
        let map = [Map::Full, Map::Label]
            .into_iter()
            .find(|&map| inputs.second_order(map))?;
        Some(Self {
            memory,
            m: inputs.width(map),
            live: SecondOrderClasses::new(inputs, map, PRIOR, FORGETTING),
            library: Vec::new(),
            snapshots: VecDeque::new(),
            rows: VecDeque::new(),
            shares: vec![1.0],
            labels: 0,
            classes: 2,
            said: Vec::new(),
        })
    }

    /// Probabilities of the classes by frozen weights.
    fn say(weights: &[f64], m: usize, classes: usize, z: &[f64], out: &mut Vec<f64>) {
        out.clear();
        out.extend(weights.chunks_exact(m).map(|weights| dot(weights, z)));
        if let [score] = out[..] {
            let p = sigmoid(score);
            out.clear();
            out.extend([1.0 - p, p]);
        } else {
            soften(out);
        }
        out.resize(classes, 0.0);
    }

    /// Mean distance between what two models say of the newest rows.
    fn apart(&self, one: &[f64], other: &[f64]) -> f64 {
        let (mut said, mut against) = (Vec::new(), Vec::new());
        let mut sum = 0.0;
        for (z, _) in &self.rows {
            Self::say(one, self.m, self.classes, z, &mut said);
            Self::say(other, self.m, self.classes, z, &mut against);
            let farthest = said.iter().zip(&against).map(|(a, b)| (a - b).abs());
            sum += farthest.fold(0.0, |most, by| if by > most { by } else { most });
        }
        sum / self.rows.len().max(1) as f64
    }

    /// Freezes weights: in the place of an anchor that says the same, else beside the others; when there are too many, of the
    /// two that are most alike the older one goes.
    fn freeze(&mut self, weights: Vec<f64>) {
        let same = (0..self.library.len()).find(|&at| self.apart(&self.library[at], &weights) < APART);
        if let Some(at) = same {
            self.library[at] = weights;
            return;
        }
        self.library.push(weights);
        self.shares.push(0.0);
        if self.library.len() <= ANCHORS_MAX {
            return;
        }
        let (mut least, mut older) = (f64::INFINITY, 0);
        for at in 0..self.library.len() {
            for other in at + 1..self.library.len() {
                let apart = self.apart(&self.library[at], &self.library[other]);
                if apart < least {
                    (least, older) = (apart, at);
                }
            }
        }
        self.library.remove(older);
        self.shares.remove(1 + older);
    }

    fn begin_anew(&mut self) {
        self.live.restart();
        if !self.memory.replay {
            return;
        }
        let classes = self.classes;
        for (at, (z, class)) in self.rows.iter().enumerate() {
            let truth = Truth {
                class: *class as usize,
                classes,
            };
            // No served row has such a number: nothing that was computed for one is taken for this one's.
            self.live.teach(z, u64::MAX - at as u64, truth);
        }
    }

    /// Shares follow what each would have lost on this label.
    fn weigh(&mut self, z: &[f64], class: usize) {
        let mut said = std::mem::take(&mut self.said);
        let live = self.live.weights();
        let models = live.into_iter().chain(self.library.iter().map(Vec::as_slice));
        for (share, weights) in self.shares.iter_mut().zip(models) {
            Self::say(weights, self.m, self.classes, z, &mut said);
            let p = said[class];
            *share *= if p > PROBABILITY_MIN { p } else { PROBABILITY_MIN };
        }
        normalise(&mut self.shares);
        let given = SHARE / self.shares.len() as f64;
        self.shares
            .iter_mut()
            .for_each(|share| *share = (1.0 - SHARE) * *share + given);
        self.said = said;
    }

    fn remember(&mut self, z: &[f64], class: usize) {
        let mut kept = if self.rows.len() == ROWS {
            self.rows.pop_front().map_or_else(Vec::new, |(z, _)| z)
        } else {
            Vec::new()
        };
        kept.clear();
        kept.extend_from_slice(z);
        self.rows.push_back((kept, class as u32));
        self.labels += 1;
        if self.memory.anchor
            && self.labels.is_multiple_of(SNAPSHOT_EVERY)
            && let Some(weights) = self.live.weights()
        {
            self.snapshots.push_back(weights.to_vec());
            if self.snapshots.len() > SNAPSHOTS {
                self.snapshots.pop_front();
            }
        }
    }
}

impl Expert for Anchors {
    fn names(&self) -> Vec<String> {
        vec!["anchors".into()]
    }

    fn map(&self) -> Option<Map> {
        self.live.map()
    }

    fn cost(&self, outputs: usize) -> Cost {
        let live = self.live.cost(outputs);
        let (m, anchors) = (self.m as f64, self.library.len() as f64);
        let numbers = (anchors + SNAPSHOTS as f64) * outputs as f64 + ROWS as f64;
        Cost {
            ns: live.ns + 4.0 * FLOP_NS * m * (1.0 + anchors) * outputs as f64,
            bytes: live.bytes + 8.0 * m * numbers,
        }
    }

    fn changed(&mut self) {
        if self.memory.anchor && self.snapshots.len() >= SNAPSHOT_AGE {
            let frozen = self.snapshots.swap_remove_back(self.snapshots.len() - SNAPSHOT_AGE);
            self.snapshots.clear();
            if let Some(weights) = frozen {
                self.freeze(weights);
            }
        }
        self.begin_anew();
        let even = 1.0 / self.shares.len() as f64;
        self.shares.fill(even);
    }

    fn save(&self, writer: &mut Writer) {
        self.live.save(writer);
        writer.u64(self.labels);
        for list in [self.library.len(), self.snapshots.len(), self.rows.len()] {
            writer.u32(list as u32);
        }
        save_numbers(&self.shares, writer);
        for weights in self.library.iter().chain(&self.snapshots) {
            save_numbers(weights, writer);
        }
        for (z, class) in &self.rows {
            save_numbers(z, writer);
            writer.u32(*class);
        }
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.live.load(reader)?;
        self.labels = reader.counter()?;
        let counts = [reader.u32()? as usize, reader.u32()? as usize, reader.u32()? as usize];
        let [anchors, snapshots, rows] = counts;
        if anchors > ANCHORS_MAX || snapshots > SNAPSHOTS || rows > ROWS {
            return Err(CoreError::Corrupt);
        }
        self.shares = vec![0.0; 1 + anchors];
        load_numbers(&mut self.shares, reader)?;
        let width = self.m * outputs(self.classes);
        let mut weights = || {
            let mut numbers = vec![0.0; width];
            load_numbers(&mut numbers, reader).map(|()| numbers)
        };
        self.library = (0..anchors).map(|_| weights()).collect::<Result<_>>()?;
        self.snapshots = (0..snapshots).map(|_| weights()).collect::<Result<_>>()?;
        self.rows.clear();
        for _ in 0..rows {
            let mut z = vec![0.0; self.m];
            load_numbers(&mut z, reader)?;
            let class = reader.u32()?;
            if class as usize >= self.classes {
                return Err(CoreError::Corrupt);
            }
            self.rows.push_back((z, class));
        }
        Ok(())
    }
}

impl ClassExpert for Anchors {
    fn grow(&mut self, classes: usize) {
        self.classes = classes;
        self.live.grow(classes);
        let (m, outputs) = (self.m, outputs(classes));
        for weights in self.library.iter_mut().chain(&mut self.snapshots) {
            SecondOrder::grow_weights(weights, m, outputs);
        }
    }

    fn predict(&mut self, row: &ClassRow, cells: &mut Cells) -> bool {
        if !self.live.predict(row, cells) {
            return false;
        }
        if self.library.is_empty() {
            return true;
        }
        cells.scale(self.shares[0]);
        let mut said = std::mem::take(&mut self.said);
        for (weights, share) in self.library.iter().zip(&self.shares[1..]) {
            Self::say(weights, self.m, self.classes, row.z, &mut said);
            for (class, p) in said.iter().enumerate() {
                cells.add(0, class, share * p);
            }
        }
        self.said = said;
        true
    }

    fn learn(&mut self, row: &ClassRow, truth: Truth) {
        self.weigh(row.z, truth.class);
        self.live.learn(row, truth);
        self.remember(row.z, truth.class);
    }
}
