//! The models of a release for classes, frozen: linear discriminants, naive Bayes, the logistic that depends on no
//! release, and at three temperatures the one that forks go on from or, where there is none, again the one that depends on
//! no release. The next release takes their place.
//! Cost: 2 d flops per class and model. Memory: kept by the learner.

use crate::cholesky::dot;
use crate::panel::budget::{Cost, FLOP_NS};
use crate::panel::experts::logistic::{DOUBT, TEMPERATURES, WIDTH};
use crate::panel::experts::{Cells, ClassExpert, ClassRow, Expert};
use crate::release::ClassHeads;

/// Score of a class that the release does not know, below that of any it does.
const UNKNOWN: f64 = -14.0;
/// Places of the models; the logistic that forks go on from is behind them.
const BAYES: usize = 1;
const OWN: usize = 2;
const FORKED: usize = 3;

/// Asks the installed release.
#[derive(Debug, Default)]
pub struct Fleet {
    x: Vec<f64>,
    standard: Vec<f64>,
    scores: Vec<f64>,
    by_class: Vec<f64>,
}

/// Places of the frozen logistic, from the first of this expert on: a fork enters with their weight.
pub const FROZEN: std::ops::Range<usize> = FORKED..FORKED + WIDTH;

impl Expert for Fleet {
    fn cost(&self, outputs: usize) -> Cost {
        Cost {
            ns: 8.0 * FLOP_NS * (self.x.len() * (outputs + 1)) as f64,
            bytes: 0.0,
        }
    }

    fn names(&self) -> Vec<String> {
        let forked = TEMPERATURES.iter().map(|t| format!("release forked ×{t}"));
        ["release", "release bayes", "release logistic"]
            .into_iter()
            .map(str::to_owned)
            .chain(forked)
            .collect()
    }

    fn width(&self) -> usize {
        FORKED + WIDTH
    }

    fn started(&self) -> bool {
        false
    }
}

impl ClassExpert for Fleet {
    fn predict(&mut self, row: &ClassRow, cells: &mut Cells) -> bool {
        let Some((model, known)) = row.release else {
            return false;
        };
        row.filled(&mut self.x);
        let labels = model.labels().len();
        self.scores.clear();
        self.scores.resize(labels, 0.0);
        model.class_scores(&self.x, &mut self.scores);
        let own_opinion = |cells: &mut Cells, place| cells.fill_at(place, |class| row.prior.share(class));
        self.spread(known, None, cells.classes());
        cells.fill_softmax(0, 1.0, DOUBT, &self.by_class);
        let Some(heads) = model.heads() else {
            return false;
        };
        if heads.bayes.is_empty() {
            own_opinion(cells, BAYES);
        } else {
            self.bayes(heads, labels);
            self.spread(known, None, cells.classes());
            cells.fill_softmax(BAYES, 1.0, DOUBT, &self.by_class);
        }
        if heads.own.is_empty() {
            own_opinion(cells, OWN);
        } else {
            self.own(heads);
            self.spread(known, None, cells.classes());
            cells.fill_softmax(OWN, 1.0, DOUBT, &self.by_class);
        }
        if let Some(fork) = &heads.fork {
            fork.reference.standardise(&self.x, &mut self.standard);
            self.scores.clear();
            let sets = fork.weights.chunks_exact(self.standard.len());
            self.scores.extend(sets.map(|weights| dot(weights, &self.standard)));
            let other = self.scores.pop();
            self.spread(known, other, cells.classes());
        }
        for (place, temperature) in FROZEN.zip(TEMPERATURES) {
            if heads.fork.is_some() || !heads.own.is_empty() {
                cells.fill_softmax(place, temperature, DOUBT, &self.by_class);
            } else {
                own_opinion(cells, place);
            }
        }
        true
    }
}

impl Fleet {
    /// From one score per label to one per class known here; `other`: that of a class the release does not know.
    fn spread(&mut self, known: &[u32], other: Option<f64>, classes: usize) {
        let most = self
            .scores
            .iter()
            .copied()
            .fold(f64::MIN, |most, s| if s > most { s } else { most });
        self.by_class.clear();
        self.by_class.resize(classes, other.unwrap_or(most + UNKNOWN));
        for (&class, &score) in known.iter().zip(&self.scores) {
            if (class as usize) < classes {
                self.by_class[class as usize] = score;
            }
        }
    }

    fn bayes(&mut self, heads: &ClassHeads, labels: usize) {
        let d = self.x.len();
        self.scores.clear();
        self.scores
            .extend(heads.bayes.chunks_exact(2 * d + 1).take(labels).map(|class| {
                let (means, inverse) = class[..2 * d].split_at(d);
                let mut squares = 0.0;
                for ((x, mean), inverse) in self.x.iter().zip(means).zip(inverse) {
                    squares += (x - mean) * (x - mean) * inverse;
                }
                class[2 * d] - 0.5 * squares
            }));
    }

    fn own(&mut self, heads: &ClassHeads) {
        let d = self.x.len();
        self.scores.clear();
        let sets = heads.own.chunks_exact(d + 1);
        self.scores.extend(sets.map(|set| dot(&set[..d], &self.x) + set[d]));
    }
}
