//! Laws about labels that are broken or that leave all that was known: over numbers, with every expert of the rosters.

use super::laws::{KINDS, Kind, Random, row, spec};
use super::*;

const ROWS: usize = 4_000;

/// Kinds of numbers whose panel has every expert.
fn numbers() -> impl Iterator<Item = Kind> {
    KINDS[..4].iter().copied().filter(|kind| kind.classes == 0)
}

/// Mean error over the rows from 1,000 on whose label `change` leaves alone, and those that it does not.
fn errors(kind: Kind, change: impl Fn(usize, f64) -> f64) -> (f64, f64) {
    let mut learner = Learner::new(spec(kind));
    let (mut kept, mut changed) = ([0.0; 2], [0.0; 2]);
    for at in 0..ROWS {
        let (key, x, base, label) = row(kind, &mut Random(at as u64), at);
        let served = learner.serve(&Query { key, x: &x, base }).expect("there is room");
        let given = change(at, label);
        let error = learner.learn(served.slot, given).error;
        let tally = if given == label { &mut kept } else { &mut changed };
        if at >= 1_000 {
            tally[0] += error;
            tally[1] += 1.0;
        }
    }
    (kept[0] / kept[1], changed[0] / changed[1])
}

#[test]
fn a_broken_reading_now_and_then_hardly_teaches() {
    for kind in numbers() {
        let (plain, _) = errors(kind, |_, label| label);
        for broken in [-9_999.0, 65_535.0, 1e9] {
            let (error, _) = errors(kind, |at, label| if at % 397 == 100 { broken } else { label });
            assert!(error < 2.0 * plain, "{error} for {plain} with {broken}: {kind:?}");
        }
    }
}

#[test]
fn a_new_level_is_followed_within_some_rows() {
    for kind in numbers() {
        let (plain, _) = errors(kind, |_, label| label);
        let (_, after) = errors(kind, |at, label| if at >= 2_000 { label + 50_000.0 } else { label });
        assert!(
            after < plain + 50_000.0 * 20.0 / 2_000.0,
            "{after} for {plain}: {kind:?}"
        );
    }
}
