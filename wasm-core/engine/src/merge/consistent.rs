//! Whether the parts of one gateway's statistics tell of the same rows: the logistic that it says its rows gave must know
//! the gateway's own class means. An honest one knows nearly all of them; one that was turned round or scaled knows none.
//! Where a gateway's world has just turned round, an honest one does not know them either: its few newest rows surprise
//! it more than all earlier ones. So nobody is accused; what does not fit is left out of the merge until it does.

use crate::cholesky::dot;
use crate::statistics::{ClassStatistics, Logistic};

use super::solve_logistic::{reference, solve_logistic};

/// Share of its rows whose class mean a logistic has to know. Honest ones reach .9 and more; one that was turned on the way
/// stays under .1.
const KNOWN_MIN: f64 = 0.5;

/// True when both logistics fit the class statistics beside them, or there are none.
pub(super) fn consistent(statistics: &ClassStatistics) -> bool {
    let logistics = statistics.own().into_iter().chain(statistics.forked());
    let mut known = logistics.map(|logistic| known(statistics, logistic));
    statistics.classes().len() < 2 || known.all(|known| known >= KNOWN_MIN)
}

/// Share of the rows whose class mean is given its own class; 0 for what cannot be solved.
fn known(statistics: &ClassStatistics, logistic: &Logistic) -> f64 {
    let Ok(model) = solve_logistic(logistic, reference(statistics)) else {
        return 0.0;
    };
    let mut x = Vec::new();
    let mut rows = 0.0;
    for (place, class) in statistics.classes().iter().enumerate() {
        model.reference.standardise(&class.means, &mut x);
        let sets = model.weights.chunks_exact(x.len()).take(statistics.classes().len());
        let mut best = (f64::MIN, 0);
        for (at, weights) in sets.enumerate() {
            let score = dot(weights, &x);
            best = if score > best.0 { (score, at) } else { best };
        }
        rows += if best.1 == place { class.n } else { 0.0 };
    }
    rows / statistics.n()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learner::{Column, Learner, LearnerKind, LearnerSpec, Query};
    use crate::statistics::{CoMoments, Statistics};

    fn learner(d: usize) -> Learner {
        let column = |at| Column {
            name: format!("f{at}"),
            categorical: false,
        };
        Learner::new(LearnerSpec {
            kind: LearnerKind::Classification,
            columns: (0..d).map(column).collect(),
            residual: false,
            classes_max: 8,
            pending_max: 8,
            keys_max: 8,
            budget: crate::panel::budget::Budget::default(),
            memory: crate::panel::experts::anchors::Memory::default(),
            experts: crate::panel::choice::Choice::default(),
        })
    }

    fn learn(learner: &mut Learner, x: &[f64], label: &str) {
        let class = learner.intern_class(label).expect("under the limit");
        let query = Query {
            key: 0,
            x,
            base: f64::NAN,
        };
        let slot = learner.serve(&query).expect("nothing waits").slot;
        learner.learn(slot, f64::from(class));
    }

    fn told(learner: &Learner) -> ClassStatistics {
        match learner.contribution() {
            Statistics::Classes(statistics) => statistics,
            Statistics::CoMoments(_) => unreachable!("a classifier tells of classes"),
        }
    }

    /// The same with every response times -4, as an attacker would have it.
    fn turned(statistics: &ClassStatistics) -> ClassStatistics {
        let own = statistics.own().expect("the gateway told its own");
        let turn = |set: &CoMoments| {
            let mut turned = CoMoments::new(set.d());
            let mut scratch = Vec::new();
            // one row in each direction around the mean carries the same first-order information
            for i in 0..set.d() {
                for sign in [-1.0, 1.0] {
                    let mut x = set.means()[..set.d()].to_vec();
                    x[i] += sign;
                    let slope = set.scatter()[crate::cholesky::row_start(set.d()) + i];
                    turned.push_weighted(&x, -4.0 * sign * slope, 1.0, &mut scratch);
                }
            }
            turned
        };
        let sets = own.classes().iter().map(turn).collect();
        statistics.with_logistic(Some(Logistic::new(sets, turn(own.other()))), None)
    }

    #[test]
    fn responses_that_were_turned_round_are_not() {
        let mut gateway = learner(2);
        for row in 0..200_u32 {
            let x = [f64::from(row % 10), f64::from(row % 7)];
            learn(&mut gateway, &x, if x[0] > 4.5 { "yes" } else { "no" });
        }
        let honest = told(&gateway);
        assert!(consistent(&honest));
        assert!(!consistent(&turned(&honest)));
    }
}
