//! Laws of the learner, run over every kind of it: restoring is continuing, every number stays finite, units of the
//! features do not matter, memory does not grow.

use super::*;
use crate::codec::{Reader, Writer};
use crate::panel::budget::Budget;
use crate::panel::choice::Choice;
use crate::release::{ClassHeads, Descent, ReleaseModel};

/// A small reproducible source of numbers (splitmix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) classes: usize,
    pub(super) residual: bool,
    pub(super) columns: usize,
    /// With every expert that a task can ask for, and no bound on what they cost.
    pub(super) all: bool,
}

pub(super) const KINDS: [Kind; 11] = [
    Kind {
        classes: 0,
        residual: false,
        columns: 5,
        all: false,
    },
    Kind {
        classes: 0,
        residual: true,
        columns: 5,
        all: false,
    },
    Kind {
        classes: 2,
        residual: false,
        columns: 5,
        all: false,
    },
    Kind {
        classes: 5,
        residual: false,
        columns: 4,
        all: false,
    },
    Kind {
        classes: 0,
        residual: true,
        columns: 40,
        all: false,
    },
    Kind {
        classes: 3,
        residual: false,
        columns: 70,
        all: false,
    },
    Kind {
        classes: 2,
        residual: false,
        columns: 200,
        all: false,
    },
    Kind {
        classes: 0,
        residual: false,
        columns: 5,
        all: true,
    },
    Kind {
        classes: 0,
        residual: true,
        columns: 5,
        all: true,
    },
    Kind {
        classes: 2,
        residual: false,
        columns: 5,
        all: true,
    },
    Kind {
        classes: 5,
        residual: false,
        columns: 4,
        all: true,
    },
];

/// A budget that nothing exceeds.
const UNBOUNDED: Budget = Budget {
    ns: 1 << 30,
    bytes: 1 << 30,
};

pub(super) fn spec(kind: Kind) -> LearnerSpec {
    LearnerSpec {
        kind: if kind.classes > 0 {
            LearnerKind::Classification
        } else {
            LearnerKind::Regression
        },
        columns: (0..kind.columns)
            .map(|at| Column {
                name: format!("c{at}"),
                categorical: at == 3,
            })
            .collect(),
        residual: kind.residual,
        classes_max: 8,
        pending_max: 32,
        keys_max: 4,
        budget: if kind.all { UNBOUNDED } else { Budget::default() },
        memory: crate::panel::experts::anchors::Memory::default(),
        experts: if kind.all {
            Choice::all(kind.classes > 0)
        } else {
            Choice::default()
        },
    }
}

/// One row: key, features (column 1 has few values, 2 is constant, 3 a category, some are missing), base, label.
pub(super) fn row(kind: Kind, random: &mut Random, at: usize) -> (u32, Vec<f64>, f64, f64) {
    let mut x: Vec<f64> = (0..kind.columns).map(|_| random.next() * 4.0 - 2.0).collect();
    x[1] = (random.next() * 4.0).floor();
    x[2] = 7.5;
    x[3] = (random.next() * 3.0).floor();
    if random.next() < 0.1 {
        x[0] = f64::NAN;
    }
    let key = (at % 5) as u32;
    let signal = x[1] - 0.7 * x[3] + if x[0].is_nan() { 0.0 } else { x[0] } + 0.3 * random.next();
    let label = if kind.classes > 0 {
        (signal.abs() as usize % kind.classes) as f64
    } else {
        20.0 + signal
    };
    (key, x, 20.0, label)
}

pub(super) fn digest(learner: &Learner) -> Vec<u8> {
    let mut writer = Writer::new();
    learner.save(&mut writer);
    writer.into_vec()
}

pub(super) fn restored(learner: &Learner) -> Learner {
    let bytes = digest(learner);
    let mut reader = Reader::new(&bytes);
    let restored = Learner::load(&mut reader, true).expect("what was saved can be loaded");
    reader.finish().expect("all of it is read");
    assert_eq!(digest(&restored), bytes, "the same state gives the same bytes");
    restored
}

/// Serves and learns rows `from..to`, with labels that come `delay` rows late (and some never).
pub(super) fn fold(
    learner: &mut Learner,
    kind: Kind,
    pending: &mut Vec<(u32, f64)>,
    from: usize,
    to: usize,
    delay: usize,
) -> f64 {
    let mut error = 0.0;
    for at in from..to {
        let (key, x, base, label) = row(kind, &mut Random(at as u64), at);
        let served = learner.serve(&Query { key, x: &x, base }).expect("there is room");
        for number in [served.value, served.low, served.high, served.probability] {
            assert!(number.is_finite(), "{served:?} at row {at} of {kind:?}");
        }
        assert!(
            served.low <= served.value && served.value <= served.high || kind.classes > 0,
            "{served:?}"
        );
        if kind.classes > 0 {
            learner.intern_class(&format!("class {label}")).expect("there is room");
        }
        pending.push((served.slot, label));
        if pending.len() > delay {
            let (slot, label) = pending.remove(0);
            if at % 17 == 3 {
                learner.discard(slot);
            } else {
                error += learner.learn(slot, label).error;
            }
        }
    }
    error
}

#[test]
fn restore_then_continue_equals_straight_run() {
    for kind in KINDS {
        for delay in [0, 7] {
            let (mut straight, mut pending) = (Learner::new(spec(kind)), Vec::new());
            for (place, label) in (0..kind.classes).enumerate() {
                assert_eq!(straight.intern_class(&format!("class {label}")), Ok(place as u32));
            }
            let mut parts = restored(&straight);
            fold(&mut straight, kind, &mut pending, 0, 200, delay);
            let mut pending = Vec::new();
            for cut in [0, 3, 60, 64, 65, 130] {
                parts = restored(&parts);
                let next = match cut {
                    0 => 3,
                    3 => 60,
                    60 => 64,
                    64 => 65,
                    65 => 130,
                    _ => 200,
                };
                fold(&mut parts, kind, &mut pending, cut, next, delay);
            }
            assert!(
                digest(&straight) == digest(&parts),
                "{kind:?}, labels {delay} rows late"
            );
        }
    }
}

#[test]
fn classes_may_appear_at_any_time() {
    let kind = KINDS[3];
    let (mut straight, mut parts) = (Learner::new(spec(kind)), Learner::new(spec(kind)));
    let (mut waiting, mut also_waiting) = (Vec::new(), Vec::new());
    fold(&mut straight, kind, &mut waiting, 0, 150, 5);
    for at in 0..150 {
        parts = restored(&parts);
        fold(&mut parts, kind, &mut also_waiting, at, at + 1, 5);
    }
    assert!(digest(&straight) == digest(&parts));
    assert_eq!(straight.classes(), 5);
}

#[test]
fn any_numbers_in_give_finite_numbers_out() {
    let odd = [
        0.0,
        -0.0,
        1e-310,
        -1e-310,
        1e6,
        -1e6,
        1e300,
        -1e300,
        f64::MAX,
        f64::INFINITY,
        f64::NAN,
        1.0,
    ];
    for kind in KINDS {
        let mut learner = Learner::new(spec(kind));
        let mut random = Random(9);
        let mut pick = || odd[(random.next() * odd.len() as f64) as usize];
        for at in 0..600 {
            let x: Vec<f64> = (0..kind.columns).map(|_| pick()).collect();
            let served = learner
                .serve(&Query {
                    key: at % 9,
                    x: &x,
                    base: pick(),
                })
                .expect("there is room");
            for number in [served.value, served.low, served.high, served.probability] {
                assert!(number.is_finite(), "{served:?} at row {at} of {kind:?}");
            }
            let label = if kind.classes > 0 { f64::from(at % 3) } else { pick() };
            if kind.classes > 0 {
                learner.intern_class(&label.to_string()).expect("there is room");
            }
            learner.learn(served.slot, label);
        }
        let calm = restored(&learner).experts();
        assert!(calm.iter().all(|expert| expert.weight.is_finite()), "{kind:?}");
    }
}

#[test]
fn units_of_the_features_do_not_matter() {
    // Powers of two scale without rounding, so the predictions must be the same bits.
    for kind in KINDS.into_iter().filter(|kind| kind.residual || kind.classes > 0) {
        let (mut small, mut large) = (Learner::new(spec(kind)), Learner::new(spec(kind)));
        for at in 0..200 {
            let (key, x, base, label) = row(kind, &mut Random(at as u64), at);
            let mut scaled: Vec<f64> = x.iter().map(|x| x * 1024.0).collect();
            scaled[3] = x[3]; // a category has no unit
            let one = small.serve(&Query { key, x: &x, base }).expect("there is room");
            let other = large.serve(&Query { key, x: &scaled, base }).expect("there is room");
            assert_eq!(one, other, "row {at} of {kind:?}");
            for learner in [&mut small, &mut large] {
                if kind.classes > 0 {
                    learner.intern_class(&label.to_string()).expect("there is room");
                }
                learner.learn(one.slot, label);
            }
        }
    }
}

#[test]
fn slots_are_reused_and_bounded() {
    let kind = KINDS[0];
    let mut learner = Learner::new(spec(kind));
    let (key, x, base, _) = row(kind, &mut Random(1), 0);
    let query = Query { key, x: &x, base };
    let slots: Vec<u32> = (0..32)
        .map(|_| learner.serve(&query).expect("there is room").slot)
        .collect();
    assert_eq!(learner.serve(&query), Err(CoreError::Limit));
    learner.discard(slots[5]);
    assert_eq!(learner.serve(&query).map(|served| served.slot), Ok(slots[5]));
}

#[test]
fn a_learner_that_was_restored_has_room_for_as_many_rows() {
    for kind in [KINDS[0], KINDS[2]] {
        for ns in [1_000, 8_000] {
            let mut spec = spec(kind);
            spec.budget.ns = ns;
            let mut learner = Learner::new(spec);
            fold(&mut learner, kind, &mut Vec::new(), 0, 5, 5);
            assert_eq!(
                restored(&learner).rows_bytes(),
                learner.rows_bytes(),
                "{ns} ns, {kind:?}"
            );
        }
    }
}

#[test]
fn a_missed_label_is_scored_against_the_last_one_of_its_key() {
    let mut learner = Learner::new(spec(KINDS[0]));
    let x = [0.0; 5];
    let first = learner
        .serve(&Query {
            key: 1,
            x: &x,
            base: f64::NAN,
        })
        .expect("there is room");
    assert_eq!(learner.learn(first.slot, 8.0).baseline_error, 8.0);
    let other = learner
        .serve(&Query {
            key: 2,
            x: &x,
            base: f64::NAN,
        })
        .expect("there is room");
    let second = learner
        .serve(&Query {
            key: 1,
            x: &x,
            base: f64::NAN,
        })
        .expect("there is room");
    assert_eq!(learner.learn(other.slot, 5.0).baseline_error, 5.0);
    assert_eq!(learner.learn(second.slot, 5.0).baseline_error, 3.0);
}

#[test]
fn a_good_release_is_found_and_a_bad_one_ignored() {
    for good in [true, false] {
        let kind = Kind {
            classes: 0,
            residual: false,
            columns: 5,
            all: false,
        };
        let (mut learner, mut without) = (Learner::new(spec(kind)), Learner::new(spec(kind)));
        let sign = if good { 1.0 } else { -50.0 };
        let model = ReleaseModel::Ridge {
            n: 1000.0,
            coefficients: vec![sign, sign, 0.0, -0.7 * sign, 0.0],
            intercept: 20.15,
            residual_sd: 0.1,
        };
        learner.install(model, release(7, 7, 1000.0)).expect("it fits");
        let (error, alone) = (
            fold(&mut learner, kind, &mut Vec::new(), 0, 150, 0),
            fold(&mut without, kind, &mut Vec::new(), 0, 150, 0),
        );
        assert_eq!(learner.release(), Some([7; 32]));
        let release = learner
            .experts()
            .into_iter()
            .find(|expert| expert.name == "release")
            .expect("it is listed");
        if good {
            assert!(
                error < 0.8 * alone && release.weight > 0.3,
                "{error} against {alone}, {release:?}"
            );
        } else {
            assert!(
                error < 1.1 * alone + 60.0 && release.weight < 0.01,
                "{error} against {alone}, {release:?}"
            );
        }
        assert!(restored(&learner).release().is_some());
    }
}

fn release(hash: u8, line: u8, rows: f64) -> Descent {
    Descent {
        hash: [hash; 32],
        line: [line; 32],
        rows,
    }
}

fn release_line(learner: &Learner) -> ExpertReport {
    let listed = learner.experts().into_iter().find(|expert| expert.name == "release");
    listed.expect("it is listed")
}

/// A model that knows most of what there is to learn in the rows of `kind`.
fn good_model(kind: Kind) -> ReleaseModel {
    if kind.classes == 0 {
        let shift = if kind.residual { 0.15 } else { 20.15 };
        let mut coefficients = vec![0.0; kind.columns];
        (coefficients[0], coefficients[1], coefficients[3]) = (1.0, 1.0, -0.7);
        return ReleaseModel::Ridge {
            n: 1000.0,
            coefficients,
            intercept: shift,
            residual_sd: 0.1,
        };
    }
    let mut coefficients = vec![0.0; 2 * kind.columns];
    coefficients[kind.columns + 1] = 2.0;
    ReleaseModel::Lda {
        d: kind.columns,
        labels: vec!["class 0".to_owned(), "class 1".to_owned()],
        coefficients,
        intercepts: vec![0.0, -1.0],
        heads: ClassHeads::default(),
    }
}

#[test]
fn a_release_that_continues_its_line_keeps_error_and_weight_and_an_unrelated_one_begins_anew() {
    for kind in [KINDS[0], KINDS[1], KINDS[2]] {
        let mut learner = Learner::new(spec(kind));
        fold(&mut learner, kind, &mut Vec::new(), 0, 100, 0);
        learner
            .install(good_model(kind), release(1, 1, 500.0))
            .expect("it fits");
        let fresh = release_line(&learner);
        assert_eq!(fresh.error, 0.0);
        // A new release after every few labels, as a busy fleet makes them: what counts is the line.
        for (part, at) in (100..500).step_by(20).enumerate() {
            fold(&mut learner, kind, &mut Vec::new(), at, at + 20, 0);
            let before = release_line(&learner);
            let next = release(2 + part as u8, 1, 501.0 + part as f64);
            learner.install(good_model(kind), next).expect("it fits");
            let after = release_line(&learner);
            assert_eq!((after.labels, after.error), (before.labels, before.error), "{kind:?}");
            // For classes the weight is earned anew on the newest rows, by the same numbers.
            let near = if kind.classes == 0 { 0.0 } else { 0.01 };
            assert!(
                (after.weight - before.weight).abs() <= near,
                "{after:?} for {before:?} of {kind:?}"
            );
        }
        let earned = release_line(&learner);
        if kind.classes == 0 {
            assert!(earned.weight > 0.3 && earned.error < 0.4, "{earned:?} of {kind:?}");
        }
        let kept = restored(&learner);
        assert_eq!(digest(&kept), digest(&learner));
        assert_eq!(release_line(&kept), earned);
        for unrelated in [release(90, 90, 2000.0), release(1, 1, 500.0)] {
            let mut other = restored(&kept);
            other.install(good_model(kind), unrelated).expect("it fits");
            let anew = release_line(&other);
            assert_eq!(anew.error, 0.0, "another line, or a step back: {kind:?}");
            // One expert among those that are left, which are fewer than at first.
            assert!((anew.weight - fresh.weight).abs() < 0.03, "{anew:?} against {fresh:?}");
        }
    }
}

#[test]
fn rows_served_without_a_release_say_nothing_about_its_error() {
    let kind = KINDS[0];
    let mut learner = Learner::new(spec(kind));
    fold(&mut learner, kind, &mut Vec::new(), 0, 60, 0);
    let (key, x, base, label) = row(kind, &mut Random(3), 3);
    let early = learner.serve(&Query { key, x: &x, base }).expect("there is room");
    learner
        .install(good_model(kind), release(1, 1, 500.0))
        .expect("it fits");
    let late = learner.serve(&Query { key, x: &x, base }).expect("there is room");
    learner.learn(early.slot, label + 100.0);
    assert_eq!(release_line(&learner).error, 0.0);
    learner.learn(late.slot, label);
    assert!(release_line(&learner).error < 1.0);
}

#[test]
fn a_new_release_is_not_judged_by_rows_served_before_it_came() {
    let kind = KINDS[0];
    let ridge = |intercept: f64| ReleaseModel::Ridge {
        n: 1000.0,
        coefficients: vec![1.0, 1.0, 0.0, -0.7, 0.0],
        intercept,
        residual_sd: 0.1,
    };
    let weight_after = |first: f64| {
        let mut learner = Learner::new(spec(kind));
        let mut pending = Vec::new();
        learner.install(ridge(first), release(1, 1, 1000.0)).expect("it fits");
        fold(&mut learner, kind, &mut pending, 0, 100, 30);
        learner.install(ridge(20.15), release(2, 2, 1000.0)).expect("it fits");
        let installed = restored(&learner);
        let scores: Vec<Score> = pending
            .iter()
            .map(|&(slot, label)| learner.score(slot, label))
            .collect();
        for (&(slot, label), score) in pending.iter().zip(&scores) {
            assert_eq!(learner.learn(slot, label), *score, "what was served is what is scored");
        }
        let weight = |learner: &Learner| {
            let experts = learner.experts();
            let release = experts.iter().find(|expert| expert.name == "release");
            release.map_or(0.0, |release| release.weight)
        };
        [weight(&installed), weight(&learner)]
    };
    // The release before was wrong by 900: the new one must not pay for it.
    let [before, after] = weight_after(920.0);
    assert!(after > 0.5 * before, "{after} from {before}");
}

#[test]
fn a_panel_is_hardly_worse_than_the_last_value_on_a_walk_with_heavy_tails() {
    for delay in [0, 30] {
        let mut learner = Learner::new(spec(KINDS[1]));
        let mut random = Random(11);
        let mut walk = vec![0.0];
        for _ in 0..300 {
            let jump = 1.0 / (0.02 + random.next()) - 4.0;
            walk.push(walk[walk.len() - 1] + if random.next() < 0.5 { jump } else { -jump });
        }
        let (mut error, mut baseline, mut pending) = (0.0, 0.0, Vec::new());
        for at in 4..walk.len() - delay - 1 {
            let x: Vec<f64> = walk[at - 4..=at].to_vec();
            let query = Query {
                key: 0,
                x: &x,
                base: walk[at],
            };
            let served = learner.serve(&query).expect("there is room");
            pending.push((served.slot, walk[at + delay + 1]));
            if pending.len() > delay {
                let (slot, label) = pending.remove(0);
                let score = learner.learn(slot, label);
                error += score.error;
                baseline += score.baseline_error;
            }
        }
        assert!(
            error < 1.02 * baseline,
            "{error} over {baseline}, labels {delay} rows late"
        );
    }
}

#[test]
fn intervals_hold_nine_labels_in_ten() {
    let kind = KINDS[1];
    let mut learner = Learner::new(spec(kind));
    let mut inside = 0;
    for at in 0..3000 {
        let (key, x, base, label) = row(kind, &mut Random(at as u64), at);
        let served = learner.serve(&Query { key, x: &x, base }).expect("there is room");
        if at >= 1000 && served.low <= label && label <= served.high {
            inside += 1;
        }
        learner.learn(served.slot, label);
    }
    assert!((1700..=1900).contains(&inside), "{inside} of 2000");
}

#[test]
fn cut_or_changed_states_are_refused_or_go_on_but_never_panic() {
    for kind in &KINDS[..4] {
        let kind = *kind;
        let mut learner = Learner::new(spec(kind));
        let mut pending = Vec::new();
        fold(&mut learner, kind, &mut pending, 0, 80, 3);
        let bytes = digest(&learner);
        for cut in (0..bytes.len()).step_by(97) {
            assert!(
                Learner::load(&mut Reader::new(&bytes[..cut]), true).is_err(),
                "cut at {cut}"
            );
        }
        let mut random = Random(5);
        for _ in 0..300 {
            let mut changed = bytes.clone();
            let at = (random.next() * changed.len() as f64) as usize;
            changed[at] ^= 1 << (random.next() * 8.0) as u32;
            let Ok(mut loaded) = Learner::load(&mut Reader::new(&changed), true) else {
                continue;
            };
            if loaded.spec() != learner.spec() {
                continue;
            }
            for &(slot, label) in pending.iter().filter(|&&(slot, _)| learner.waits(slot)) {
                if loaded.waits(slot) {
                    loaded.learn(slot, label);
                }
            }
            let (key, x, base, _) = row(kind, &mut Random(99), 99);
            let _ = loaded.serve(&Query { key, x: &x, base });
        }
    }
}

#[test]
fn vectors_of_another_length_are_refused() {
    for kind in [KINDS[0], KINDS[2], KINDS[3]] {
        let mut learner = Learner::new(spec(kind));
        fold(&mut learner, kind, &mut Vec::new(), 0, 80, 3);
        for forge in [
            |row: &mut PanelRow| row.inputs.truncate(2),
            |row: &mut PanelRow| row.predictions.truncate(1),
            |row: &mut PanelRow| row.mixes.truncate(1),
            |row: &mut PanelRow| row.mixes.push(0.0),
        ] {
            let mut forged = restored(&learner);
            let waiting = forged.rows.iter_mut().find(|row| row.taken);
            forge(&mut waiting.expect("some wait").panel);
            assert!(
                Learner::load(&mut Reader::new(&digest(&forged)), true).is_err(),
                "{kind:?}"
            );
        }
    }
}
