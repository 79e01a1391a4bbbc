//! The experts of a panel in the order of their predictions, and which of those it began with are left.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::panel::budget::{Candidate, Cost};
use crate::panel::experts::Expert;
use crate::panel::inputs::Inputs;
use crate::panel::standing::{Standings, retain};

/// Nanoseconds of the stacks per prediction, and per prediction and prediction.
const STACK_NS: [f64; 2] = [8.0, 0.55];
/// Nanoseconds to make an input.
const INPUT_NS: f64 = 8.0;
/// Nanoseconds of a row beside its inputs and experts.
const ROW_NS: f64 = 700.0;
/// Nanoseconds of the mixes of a small panel per prediction, and of its row.
const SMALL_MIX_NS: f64 = 15.0;
const SMALL_ROW_NS: f64 = 300.0;

/// Experts of one kind.
#[derive(Debug)]
pub struct Roster<E: Expert + ?Sized> {
    /// Those that are left.
    pub experts: Vec<Box<E>>,
    names: Vec<String>,
    /// Of all it began with, who is left.
    left: Vec<bool>,
    /// How many at the front, and how many at the end (what comes from the fleet), stay whatever they cost.
    fixed: [usize; 2],
}

impl<E: Expert + ?Sized> Roster<E> {
    /// All of these; as many as `fixed` says at the front and at the end cannot be dropped.
    #[must_use]
    pub fn new(experts: Vec<Box<E>>, fixed: [usize; 2]) -> Self {
        Self {
            names: experts.iter().flat_map(|expert| expert.names()).collect(),
            left: vec![true; experts.len()],
            experts,
            fixed,
        }
    }

    /// One name per prediction.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Name of a prediction; what comes behind those of the experts is a stack over them.
    fn name(&self, place: usize) -> &str {
        self.names.get(place).map_or("stack", String::as_str)
    }

    /// Name, weight in what is served, labels and mean loss, per expert that takes part, and per stack.
    pub fn report(
        &self,
        standings: &Standings,
        weights: impl Iterator<Item = f64>,
        started: impl Fn(usize) -> bool,
        mut line: impl FnMut(&str, f64, f64, f64),
    ) {
        for (place, weight) in weights.enumerate() {
            if place >= self.names.len() || started(place) {
                let (labels, loss) = standings.record(place);
                line(self.name(place), weight, labels, loss);
            }
        }
    }

    /// Who weighs most, since which label, of how many.
    #[must_use]
    pub fn leader(&self, standings: &Standings) -> (&str, u64, u64) {
        let (place, since, labels) = standings.leader();
        (self.name(place), since, labels)
    }

    /// Per prediction, whether its expert has started.
    #[must_use]
    pub fn started(&self) -> Vec<bool> {
        let experts = self.experts.iter();
        experts
            .flat_map(|expert| vec![expert.started(); expert.width()])
            .collect()
    }

    /// The columns have just been typed: experts on typed inputs begin, and `joins` hears of their predictions.
    pub fn begin(&mut self, inputs: &Inputs, outputs: usize, mut joins: impl FnMut(usize)) {
        let mut first = 0;
        for expert in &mut self.experts {
            let places = first..first + expert.width();
            first = places.end;
            if expert.begin(inputs, outputs) {
                places.for_each(&mut joins);
            }
        }
    }

    /// The experts as the budget sees them; `losses` per prediction, of so many outputs, which take `mix_ns` each to mix unless
    /// the panel is a small one.
    #[must_use]
    pub fn candidates(&self, inputs: &Inputs, outputs: usize, losses: &[f64], mix_ns: f64) -> Vec<Candidate> {
        let small = inputs.small();
        let mixing = if small {
            SMALL_MIX_NS * outputs as f64
        } else {
            mix_ns * (outputs as f64).sqrt() + STACK_NS[0] + STACK_NS[1] * self.names.len() as f64
        };
        let row = if small { SMALL_ROW_NS } else { ROW_NS };
        let mut first = 0;
        let mut candidates = Vec::new();
        for (place, expert) in self.experts.iter().enumerate() {
            let width = expert.width();
            let Cost { ns, bytes } = expert.cost(outputs);
            let own = if place == 0 {
                row + INPUT_NS * inputs.dense_len() as f64
            } else {
                0.0
            };
            let asleep = !expert.started() && place >= self.fixed[0];
            candidates.push(Candidate {
                cost: Cost {
                    ns: own + ns + if asleep { 0.0 } else { mixing * width as f64 },
                    bytes,
                },
                loss: losses[first..first + width]
                    .iter()
                    .copied()
                    .fold(f64::INFINITY, f64::min),
                fixed: place < self.fixed[0] || place + self.fixed[1] >= self.experts.len(),
            });
            first += width;
        }
        candidates
    }

    /// Only these experts stay; answers with what stays of the predictions.
    pub fn keep(&mut self, kept: &[bool]) -> Vec<bool> {
        let experts = self.experts.iter().zip(kept);
        let places = experts.flat_map(|(expert, &kept)| vec![kept; expert.width()]).collect();
        let mut still = kept.iter();
        for left in self.left.iter_mut().filter(|left| **left) {
            *left = still.next().copied().unwrap_or(true);
        }
        retain(&mut self.experts, kept);
        self.names = self.experts.iter().flat_map(|expert| expert.names()).collect();
        places
    }

    /// Writes who is left.
    pub fn save(&self, writer: &mut Writer) {
        for &left in &self.left {
            writer.bool(left);
        }
    }

    /// Reads what `save` wrote for a roster that began with the same experts: who of those here stays.
    ///
    /// # Errors
    /// `Truncated`, or `Corrupt` when someone is left who is not here, or someone gone who has to stay.
    pub fn load(&self, reader: &mut Reader) -> Result<Vec<bool>> {
        let mut kept = Vec::new();
        for &here in &self.left {
            let left = reader.bool()?;
            if left && !here {
                return Err(CoreError::Corrupt);
            }
            if here {
                kept.push(left);
            }
        }
        let must = kept
            .iter()
            .take(self.fixed[0])
            .chain(kept.iter().rev().take(self.fixed[1]));
        if must.copied().all(|kept| kept) {
            Ok(kept)
        } else {
            Err(CoreError::Corrupt)
        }
    }
}
