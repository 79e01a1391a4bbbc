//! Laws about what a learner is fed: order, units and presence of the features, what its panel may cost. Run over classes
//! and numbers, with every expert of the rosters in the panel.

use super::laws::{KINDS, Kind, Random, digest, fold, restored, row, spec};
use super::*;
use crate::panel::budget::Budget;
use crate::panel::experts::trees::TREES_BYTES_MAX;

/// Mean error over rows of `kind` as `change` hands them on.
fn error(kind: Kind, rows: usize, mut change: impl FnMut(usize, &mut Vec<f64>)) -> f64 {
    let mut learner = Learner::new(spec(kind));
    let mut sum = 0.0;
    for at in 0..rows {
        let (key, mut x, base, label) = row(kind, &mut Random(at as u64), at);
        change(at, &mut x);
        let served = learner.serve(&Query { key, x: &x, base }).expect("there is room");
        assert!(served.value.is_finite() && served.low.is_finite() && served.high.is_finite());
        if kind.classes > 0 {
            learner.intern_class(&format!("class {label}")).expect("there is room");
        }
        sum += learner.learn(served.slot, label).error;
    }
    sum / rows as f64
}

/// Kinds whose panel has every expert, and the error of a thousand rows as they are.
fn plain() -> impl Iterator<Item = (Kind, f64)> {
    KINDS
        .iter()
        .filter(|kind| kind.columns <= 5)
        .map(|&kind| (kind, error(kind, 1000, |_, _| {})))
}

#[test]
fn the_order_of_the_features_hardly_matters() {
    for (kind, plain) in plain() {
        // Column 3 is a category and stays: the others change places.
        let turned = error(kind, 1000, |_, x| x[..3].rotate_left(1));
        assert!((turned - plain).abs() < 0.05 * plain, "{turned} for {plain}: {kind:?}");
    }
}

#[test]
fn units_and_origins_of_the_features_hardly_matter() {
    for (kind, plain) in plain() {
        for (scale, shift) in [(1e6, 0.0), (1e-6, 0.0), (1.0, 1e6), (-3.7e5, 9.1e5)] {
            let other = error(kind, 1000, |_, x| {
                for (column, x) in x.iter_mut().enumerate() {
                    if column != 3 {
                        *x = *x * scale + shift;
                    }
                }
            });
            assert!(
                (other - plain).abs() < 0.05 * plain,
                "{other} for {plain} at {scale} and {shift}: {kind:?}"
            );
        }
    }
}

#[test]
fn features_may_vanish_and_appear() {
    for (kind, plain) in plain() {
        let without = error(kind, 1000, |_, x| x[0] = f64::NAN);
        let vanishes = error(kind, 1000, |at, x| {
            if at >= 500 {
                x[0] = f64::NAN;
            }
        });
        let appears = error(kind, 1000, |at, x| {
            if at < 500 {
                x[0] = f64::NAN;
            }
        });
        assert!(
            vanishes < 1.1 * without,
            "{vanishes} where {without} was to be had: {kind:?}"
        );
        assert!(
            appears < 1.05 * without,
            "{appears} where {without} was to be had, {plain} with it: {kind:?}"
        );
    }
}

#[test]
fn nothing_to_see_is_no_worse_than_the_share_of_classes_or_the_mean() {
    for blank in [f64::NAN, 0.0, 7.25, 1e300, 5e-324] {
        for (kind, floor) in [(KINDS[0], 1.5), (KINDS[1], 1.5), (KINDS[2], 0.6)] {
            let blind = error(kind, 600, |_, x| x.fill(blank));
            assert!(blind < floor, "{blind} of {blank}: {kind:?}");
        }
    }
}

#[test]
fn an_adversary_who_sees_the_panel_cannot_make_it_useless_for_good() {
    for kind in [KINDS[0], KINDS[2]] {
        let mut learner = Learner::new(spec(kind));
        for class in 0..kind.classes {
            learner.intern_class(&format!("class {class}")).expect("there is room");
        }
        let mut pending = Vec::new();
        // Whatever is said, the label is something else.
        for at in 0..400 {
            let (key, x, base, _) = row(kind, &mut Random(at), at as usize);
            let served = learner.serve(&Query { key, x: &x, base }).expect("there is room");
            let label = if kind.classes > 0 {
                f64::from(1 - served.class.min(1))
            } else {
                served.value + if at % 2 == 0 { 1e9 } else { -1e9 }
            };
            learner.learn(served.slot, label);
        }
        fold(&mut learner, kind, &mut pending, 0, 1500, 0);
        let after = fold(&mut learner, kind, &mut pending, 1500, 2000, 0) / 500.0;
        let (mut calm, mut pending) = (Learner::new(spec(kind)), Vec::new());
        fold(&mut calm, kind, &mut pending, 0, 1500, 0);
        let untroubled = fold(&mut calm, kind, &mut pending, 1500, 2000, 0) / 500.0;
        // Numbers: of the 1e9 thrown at it a ten-thousandth; the range that predictions are held to has grown for good.
        let most = if kind.classes > 0 { 1.6 * untroubled } else { 1e5 };
        assert!(after < most, "{after} for {untroubled}: {kind:?}");
    }
}

#[test]
fn the_state_stops_growing() {
    for kind in KINDS {
        let mut learner = Learner::new(spec(kind));
        fold(&mut learner, kind, &mut Vec::new(), 0, 1200, 0);
        let before = digest(&learner).len();
        fold(&mut learner, kind, &mut Vec::new(), 1200, 1500, 0);
        // Trees grow until their room is full (`panel/experts/trees/tests.rs`).
        let trees = if learner
            .experts()
            .iter()
            .any(|expert| expert.name.starts_with("boosted"))
        {
            TREES_BYTES_MAX
        } else {
            0
        };
        let after = digest(&learner).len();
        assert!(
            before <= after && after <= before + trees,
            "{before} to {after} {kind:?}"
        );
    }
}

#[test]
fn a_small_budget_is_kept_to_and_restored() {
    for kind in KINDS {
        for ns in [50, 1000, 3000] {
            let budget = Budget { ns, bytes: 1 << 20 };
            let new = || Learner::new(LearnerSpec { budget, ..spec(kind) });
            let (mut straight, mut parts) = (new(), new());
            let (mut waiting, mut also_waiting) = (Vec::new(), Vec::new());
            fold(&mut straight, kind, &mut waiting, 0, 700, 7);
            for (from, to) in [(0, 60), (60, 65), (65, 263), (263, 264), (264, 530), (530, 700)] {
                fold(&mut parts, kind, &mut also_waiting, from, to, 7);
                parts = restored(&parts);
            }
            assert!(digest(&straight) == digest(&parts), "{kind:?} for {ns} ns");
            let unbounded = Budget {
                ns: 1 << 30,
                bytes: 1 << 30,
            };
            let all = Learner::new(LearnerSpec {
                budget: unbounded,
                ..spec(kind)
            });
            let all = all.experts().len();
            assert!(straight.experts().len() < all || ns > 1000, "{kind:?} for {ns} ns");
        }
    }
}
