//! Laws of what remembers concepts: it returns with its world, it is bounded, and restoring is continuing.

use super::laws::{Kind, Random, digest, restored, row, spec};
use super::*;
use crate::codec::Reader;
use crate::panel::experts::anchors::Memory;

const KIND: Kind = Kind {
    classes: 2,
    residual: false,
    columns: 5,
    all: false,
};
const ALL: Memory = Memory {
    reset: true,
    anchor: true,
    replay: true,
    hold: true,
    columns: true,
};

fn learner(memory: Memory) -> Learner {
    let mut learner = Learner::new(LearnerSpec { memory, ..spec(KIND) });
    for class in ["class 0", "class 1"] {
        learner.intern_class(class).unwrap();
    }
    learner
}

/// One row of a world in which labels may be turned around; the log loss of its label.
fn live(learner: &mut Learner, at: usize, turned: bool) -> f64 {
    let (key, x, base, _) = row(KIND, &mut Random(at as u64), at);
    let label = f64::from(u8::from(x[4] + 0.3 * (x[1] - 1.5) > 0.0));
    let label = if turned { 1.0 - label } else { label };
    let slot = learner.serve(&Query { key, x: &x, base }).unwrap().slot;
    let loss = -libm::log(learner.probability(slot, label as u32));
    assert!(loss.is_finite());
    learner.learn(slot, label);
    loss
}

#[test]
fn restored_at_any_time_it_goes_on_with_its_anchors_as_if_nothing_had_been() {
    let (mut straight, mut parts) = (learner(ALL), learner(ALL));
    for at in 0..2_500 {
        let turned = at / 500 % 2 == 1;
        live(&mut straight, at, turned);
        live(&mut parts, at, turned);
        if at % 500 == 60 {
            straight.changed();
            parts.changed();
        }
        if at % 333 == 0 {
            parts = restored(&parts);
        }
    }
    assert!(digest(&parts) == digest(&straight));
}

#[test]
fn a_world_that_returns_is_known_again() {
    let lost_after_return = |memory: Memory| {
        let mut learner = learner(memory);
        let mut sum = 0.0;
        for at in 0..6_000 {
            let loss = live(&mut learner, at, at / 1_000 % 2 == 1);
            if at % 1_000 == 80 && at > 1_000 {
                learner.changed();
            }
            if at >= 3_000 && at % 1_000 < 60 {
                sum += loss;
            }
        }
        sum / 180.0
    };
    let (as_it_is, anchored) = (lost_after_return(Memory::default()), lost_after_return(ALL));
    assert!(anchored < as_it_is, "{anchored} of {as_it_is}");
}

#[test]
fn however_often_the_world_changes_memory_is_bounded() {
    let mut learner = learner(ALL);
    let mut longest = [0; 2];
    for at in 0..12_000 {
        live(&mut learner, at, at / 400 % 2 == 1);
        if at % 400 == 399 {
            learner.changed();
            let place = usize::from(at > 8_000);
            longest[place] = digest(&learner).len().max(longest[place]);
        }
    }
    // Trees still grow a little; what they may come to is a test of theirs.
    assert!(longest[1] <= longest[0] + 16_384, "{longest:?}");
}

#[test]
fn a_third_class_may_come_when_there_are_anchors() {
    let mut learner = learner(ALL);
    for at in 0..1_200 {
        live(&mut learner, at, at / 300 % 2 == 1);
        if at % 300 == 60 {
            learner.changed();
        }
    }
    learner.intern_class("class 2").unwrap();
    for at in 1_200..1_400 {
        let (key, x, base, label) = row(KIND, &mut Random(at as u64), at);
        let label = if at % 3 == 0 { 2.0 } else { label };
        let slot = learner.serve(&Query { key, x: &x, base }).unwrap().slot;
        assert!((0..3).all(|class| learner.probability(slot, class).is_finite()));
        learner.learn(slot, label);
    }
    let again = restored(&learner);
    assert!(digest(&again) == digest(&learner));
}

#[test]
fn cut_states_with_anchors_are_refused() {
    let mut learner = learner(ALL);
    for at in 0..700 {
        live(&mut learner, at, at >= 500);
    }
    learner.changed();
    let bytes = digest(&learner);
    for cut in (0..bytes.len()).step_by(211) {
        assert!(
            Learner::load(&mut Reader::new(&bytes[..cut]), true).is_err(),
            "cut at {cut}"
        );
    }
}
