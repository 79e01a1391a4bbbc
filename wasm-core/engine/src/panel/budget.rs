//! What a panel may cost, and which experts go when it costs too much. Costs are nominal: what a row takes to serve and
//! learn in WebAssembly on one ordinary core, by the operations that an expert says it needs; a clock would decide differently
//! on every machine and in every replay. `npm run bench -- learn` prints what panels say beside what they took.
//!
//! Paper: Jamieson & Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization" (2016), successive
//! halving: twice what the budget allows is tried, then the worse half of what is left goes at every rung until it fits.

/// Nanoseconds of a multiply-add in a dot product.
pub const FLOP_NS: f64 = 0.16;
/// Nanoseconds of the mixes per prediction: lanes, likelihoods, medians; of classes logarithms too.
pub const MIX_NUMBERS_NS: f64 = 60.0;
/// The same for classes, two of which share one score.
pub const MIX_CLASSES_NS: f64 = 85.0;
/// Labels before the first rung; each next comes after twice as many.
const FIRST_RUNG: u64 = 256;
/// So many budgets may be tried at first, and after the first rungs; then one. What learns slowly, or from late labels, has to be
/// given the time to show what it can.
const TRIAL: f64 = 2.0;
const AFTER_RUNGS: [f64; 2] = [1.7, 1.35];

/// Budgets up to this get a small panel: inputs of labels and columns alone, the experts that are cheap for what they know,
/// two lanes and no stack.
const SMALL_NS: u32 = 2_000;

/// The most that a panel may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Nominal nanoseconds to serve and learn a row.
    pub ns: u32,
    /// Bytes of the experts.
    pub bytes: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            ns: 8_000,
            bytes: 16 << 20,
        }
    }
}

/// What an expert takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Nominal nanoseconds to serve and learn a row.
    pub ns: f64,
    /// Bytes of its state.
    pub bytes: f64,
}

/// An expert as the budget sees it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// What it takes, the mixes of its predictions included.
    pub cost: Cost,
    /// What it loses; the least of its predictions.
    pub loss: f64,
    /// It stays whatever it costs.
    pub fixed: bool,
}

impl Budget {
    /// True when inputs and mixes have to be small as well.
    #[must_use]
    pub fn small(self) -> bool {
        self.ns <= SMALL_NS
    }

    /// True when it is time to halve after this label.
    #[must_use]
    pub fn rung(labels: u64) -> bool {
        labels >= FIRST_RUNG && labels.is_power_of_two()
    }

    fn fits(self, candidates: &[Candidate], kept: &[bool], times: f64) -> bool {
        let mut sum = Cost::default();
        for (candidate, _) in candidates.iter().zip(kept).filter(|&(_, &kept)| kept) {
            sum.ns += candidate.cost.ns;
            sum.bytes += candidate.cost.bytes;
        }
        sum.ns <= times * f64::from(self.ns) && sum.bytes <= f64::from(self.bytes)
    }

    /// Who is tried: the dearest go until the rest is within the trial. `None` when all are.
    #[must_use]
    pub fn admit(self, candidates: &[Candidate]) -> Option<Vec<bool>> {
        let dearness = |candidate: &Candidate| {
            candidate.cost.ns / f64::from(self.ns) + candidate.cost.bytes / f64::from(self.bytes)
        };
        self.drop(candidates, TRIAL, candidates.len(), dearness)
    }

    /// Who is left after the rung at so many labels: at most half go, the worst first, and only until the rest fits. `None`
    /// when all stay.
    #[must_use]
    pub fn halve(self, candidates: &[Candidate], labels: u64) -> Option<Vec<bool>> {
        let rung = (labels / FIRST_RUNG).checked_ilog2().unwrap_or(0) as usize;
        let times = AFTER_RUNGS.get(rung).copied().unwrap_or(1.0);
        self.drop(candidates, times, candidates.len().div_ceil(2), |candidate| {
            candidate.loss
        })
    }

    fn drop(
        self,
        candidates: &[Candidate],
        times: f64,
        most: usize,
        worse: impl Fn(&Candidate) -> f64,
    ) -> Option<Vec<bool>> {
        let mut kept = vec![true; candidates.len()];
        let mut order: Vec<usize> = (0..candidates.len())
            .filter(|&place| !candidates[place].fixed)
            .collect();
        order.sort_by(|&a, &b| worse(&candidates[b]).total_cmp(&worse(&candidates[a])).then(b.cmp(&a)));
        let mut gone = Vec::new();
        for place in order.into_iter().take(most) {
            if self.fits(candidates, &kept, times) {
                break;
            }
            kept[place] = false;
            gone.push(place);
        }
        // Where a dear one went at last there is room again for the best of those that went before it.
        for place in gone.into_iter().rev() {
            kept[place] = true;
            kept[place] = self.fits(candidates, &kept, times);
        }
        kept.contains(&false).then_some(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(costs: &[f64]) -> Vec<Candidate> {
        let candidate = |(place, &ns): (usize, &f64)| Candidate {
            cost: Cost { ns, bytes: 100.0 },
            loss: place as f64,
            fixed: place == 0,
        };
        costs.iter().enumerate().map(candidate).collect()
    }

    #[test]
    fn all_stay_within_the_budget() {
        let budget = Budget { ns: 100, bytes: 1000 };
        assert_eq!(budget.halve(&candidates(&[10.0, 40.0, 50.0]), 4096), None);
        assert_eq!(budget.admit(&candidates(&[10.0, 90.0, 100.0])), None);
    }

    #[test]
    fn the_trial_leaves_out_the_dearest_and_a_rung_the_worst_half() {
        let budget = Budget { ns: 100, bytes: 1000 };
        let six = candidates(&[10.0, 300.0, 60.0, 60.0, 60.0, 60.0]);
        assert_eq!(budget.admit(&six), Some(vec![true, false, true, true, true, false]));
        let four = candidates(&[10.0, 60.0, 60.0, 60.0]);
        assert_eq!(budget.halve(&four, 1024), Some(vec![true, true, false, false]));
        assert_eq!(budget.halve(&four, 512), Some(vec![true, true, true, false]));
        assert_eq!(budget.halve(&four, 256), Some(vec![true, true, true, false]));
    }

    #[test]
    fn what_still_fits_when_a_dear_one_has_gone_comes_back() {
        let budget = Budget { ns: 100, bytes: 1000 };
        let four = candidates(&[10.0, 95.0, 20.0, 80.0]);
        assert_eq!(budget.halve(&four, 512), Some(vec![true, true, true, false]));
        let five = candidates(&[10.0, 20.0, 95.0, 20.0, 5.0]);
        assert_eq!(budget.halve(&five, 1024), Some(vec![true, true, false, true, true]));
    }

    #[test]
    fn memory_counts_too_and_what_is_fixed_stays() {
        let budget = Budget { ns: 1000, bytes: 150 };
        assert_eq!(
            budget.admit(&candidates(&[1.0, 1.0, 1.0])),
            Some(vec![true, false, false])
        );
        let tiny = Budget { ns: 1, bytes: 1 };
        assert_eq!(tiny.admit(&candidates(&[10.0, 10.0])), Some(vec![true, false]));
    }
}
