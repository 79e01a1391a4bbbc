//! Labels: by prediction, again, against what was said before, and from a source that is suddenly another one.

use super::*;
use crate::learner::{Column, Learner, LearnerKind, LearnerSpec, Query};
use crate::panel::budget::Budget;

/// The task OCCUPIED with more said about its labels.
fn labelled(more: &str) -> String {
    building(&OCCUPIED.replace(r#""time":"ts"}"#, &format!(r#""time":"ts"{more}}}"#)))
}

fn served() -> Log {
    let mut log = settled();
    for step in 0..4 {
        log.reading("a", "co2", step * 10_000, 400.0);
    }
    log
}

fn label(log: &mut Log, value: &str, more: &str) {
    log.message("labels/a/occupied", &format!("{{\"value\":\"{value}\"{more}}}"));
}

fn counts(engine: &Engine, names: &[&str]) -> Vec<f64> {
    let report = report(engine);
    names
        .iter()
        .map(|name| number(&report, &format!("tasks.0.{name}")))
        .collect()
}

#[test]
fn a_label_may_name_its_prediction() {
    let plan = labelled(r#","id":"of""#);
    let mut log = served();
    let (_, out) = run(&plan, &log);
    let predictions: Vec<(u8, u64, u32)> = outputs(&out).into_iter().filter(|output| output.0 == 1).collect();
    let (_, offset, ordinal) = predictions[predictions.len() - 3];
    let ts = format!(",\"ts\":{}", DAY + 30_000);
    label(&mut log, "yes", &format!(",\"of\":\"{offset}-{ordinal}\"{ts}"));
    label(&mut log, "yes", &format!(",\"of\":\"{offset}-{ordinal}\"{ts}"));
    label(&mut log, "yes", &format!(",\"of\":\"999999-0\"{ts}"));
    label(&mut log, "yes", &ts); // names none: by its time
    label(&mut log, "yes", &format!(",\"of\":\"twelve\"{ts}"));
    let (engine, _) = run(&plan, &log);
    let counted = counts(&engine, &["matured", "repeated", "unmatched", "conflicting"]);
    assert_eq!(counted, [2.0, 1.0, 1.0, 0.0]);
    assert_eq!(fates(&engine, 1)[5], 1, "what is no prediction's name is quarantined");
}

#[test]
fn a_second_label_that_contradicts_is_counted_and_what_becomes_of_it_is_the_plans() {
    for (policy, corrected, quarantined) in [
        ("", 0.0, 0),
        (r#","conflicts":"quarantine""#, 0.0, 1),
        (r#","conflicts":"last""#, 1.0, 0),
    ] {
        let plan = labelled(policy);
        let mut log = served();
        let ts = format!(",\"ts\":{}", DAY + 30_000);
        for value in ["yes", "no", "no"] {
            label(&mut log, value, &ts);
        }
        let (engine, _) = run(&plan, &log);
        // The third says what stands where the second corrected the first, else it contradicts again.
        let again = if corrected > 0.0 { [1.0, 1.0] } else { [2.0, 0.0] };
        let counted = counts(&engine, &["matured", "conflicting", "repeated", "corrected"]);
        assert_eq!(counted, [1.0, again[0], again[1], corrected], "{policy}");
        assert_eq!(fates(&engine, 1)[5], 2 * quarantined, "{policy}");
        let restored = Engine::restore(&state(&engine)).unwrap();
        assert_eq!(state(&restored), state(&engine));
    }
}

#[test]
fn a_label_that_flips_teaches_no_more_than_a_few_times() {
    let plan = labelled(r#","conflicts":"last""#);
    let flips = |times: usize| {
        let mut log = served();
        for flip in 0..times {
            let value = if flip % 2 == 0 { "yes" } else { "no" };
            label(&mut log, value, &format!(",\"ts\":{}", DAY + 30_000));
        }
        run(&plan, &log).0
    };
    let (few, many) = (flips(5), flips(50));
    assert_eq!(counts(&few, &["conflicting", "corrected"]), [4.0, 4.0]);
    // The last that is taken says yes: it is contradicted from then on, and repeated.
    assert_eq!(
        counts(&many, &["conflicting", "repeated", "corrected"]),
        [27.0, 22.0, 4.0]
    );
    let [taught, no_more] = [&few, &many].map(|engine| engine.state.tasks[0].learner().unwrap().statistics());
    assert_eq!(taught, no_more);
    assert_eq!(state(&Engine::restore(&state(&many)).unwrap()), state(&many));
}

#[test]
fn a_corrected_example_is_in_the_statistics_once_with_the_label_that_stayed() {
    let spec = || LearnerSpec {
        kind: LearnerKind::Classification,
        columns: ["a", "b"]
            .map(|name| Column {
                name: name.to_owned(),
                categorical: false,
            })
            .into(),
        residual: false,
        classes_max: 4,
        pending_max: 8,
        keys_max: 1,
        budget: Budget::default(),
        memory: crate::panel::experts::anchors::Memory::default(),
        experts: crate::panel::choice::Choice::default(),
    };
    let (mut corrected, mut at_once) = (Learner::new(spec()), Learner::new(spec()));
    for learner in [&mut corrected, &mut at_once] {
        ["yes", "no"].iter().for_each(|class| {
            learner.intern_class(class).unwrap();
        });
    }
    for row in 0..40_u32 {
        let x = [f64::from(row % 7), f64::from(row % 5)];
        let query = Query {
            key: 0,
            x: &x,
            base: f64::NAN,
        };
        let right = f64::from(row % 2);
        let slot = corrected.serve(&query).unwrap().slot;
        let wrong = corrected.learn_and_keep(slot, 1.0 - right);
        let score = corrected.correct(slot, right);
        assert_eq!(wrong.error + score.error, 1.0, "the row is scored as it was served");
        corrected.settle(slot, right);
        let slot = at_once.serve(&query).unwrap().slot;
        at_once.learn(slot, right);
    }
    assert_eq!(corrected.statistics(), at_once.statistics());
}

/// Labels of a room that are yes so often: of ten, before, in between and after.
fn turning(plan: &str, shares: [(i64, u64); 3]) -> Log {
    let mut log = settled();
    log.plan(plan);
    let (mut step, mut noise) = (0_i64, 7_u64);
    for (rows, of_ten) in shares {
        for _ in 0..rows {
            step += 1;
            log.wall_ms = step * 10_000;
            log.reading("a", "co2", step * 10_000, 400.0);
            noise = noise
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let value = if (noise >> 33) % 10 < of_ten { "yes" } else { "no" };
            label(&mut log, value, &format!(",\"ts\":{}", DAY + step * 10_000));
        }
    }
    log
}

#[test]
fn a_source_that_is_suddenly_another_one_is_not_learned_from_until_it_shows_what_it_is() {
    let names = [
        "predictions",
        "matured",
        "expired",
        "pending",
        "breaker.opened",
        "breaker.dropped",
    ];
    let guarded = |policy: &str, shares| {
        let plan = labelled(&format!(r#","breaker":"{policy}""#));
        let (engine, out) = run(&plan, &turning(&plan, shares));
        assert!(kinds(&out).contains(&8), "it is put out");
        let restored = Engine::restore(&state(&engine)).unwrap();
        assert_eq!(state(&restored), state(&engine));
        let [predictions, matured, expired, pending, opened, dropped] = counts(&engine, &names)[..] else {
            panic!("six counts");
        };
        assert_eq!(predictions, matured + expired + pending);
        [opened, dropped, number(&report(&engine), "tasks.0.breaker.open")]
    };
    let comes_back = [(600, 1), (30, 10), (200, 1)];
    let stays = [(600, 1), (400, 9), (100, 9)];
    for policy in ["ignore", "hold"] {
        let [opened, dropped, open] = guarded(policy, comes_back);
        assert_eq!((opened, open), (1.0, 0.0), "{policy}");
        assert!((30.0..=200.0).contains(&dropped), "{policy} {dropped}");
    }
    assert_eq!(
        guarded("hold", stays),
        [1.0, 0.0, 0.0],
        "what was held is learned after all"
    );
    let [opened, dropped, _] = guarded("ignore", stays);
    assert_eq!((opened, dropped), (1.0, 256.0));
}

#[test]
fn while_a_breaker_is_open_a_second_label_is_for_no_other_row_and_corrects_nothing() {
    for (policy, dropped, held) in [("ignore", 1.0, 0.0), ("hold", 0.0, 1.0)] {
        let plan = labelled(&format!(r#","breaker":"{policy}","conflicts":"last""#));
        let mut log = turning(&plan, [(600, 1), (0, 0), (0, 0)]);
        let (mut step, mut opened) = (600, false);
        while !opened {
            step += 1;
            assert!(step < 1000, "it opens");
            log.wall_ms = step * 10_000;
            log.reading("a", "co2", step * 10_000, 400.0);
            label(&mut log, "yes", &format!(",\"ts\":{}", DAY + step * 10_000));
            opened = number(&report(&run(&plan, &log).0), "tasks.0.breaker.open") == 1.0;
        }
        let names = ["pending", "corrected", "breaker.dropped", "repeated", "conflicting"];
        let before = counts(&run(&plan, &log).0, &names);
        assert_eq!(before[2], dropped, "{policy}");
        for (ago, value) in [(0, "yes"), (0, "no"), (1, "no")] {
            label(&mut log, value, &format!(",\"ts\":{}", DAY + (step - ago) * 10_000));
        }
        let (engine, _) = run(&plan, &log);
        let expected = [before[0], 0.0, dropped, before[3] + 1.0, before[4] + 2.0];
        assert_eq!(counts(&engine, &names), expected, "{policy}");
        assert_eq!(engine.state.tasks[0].breaker().unwrap().held(), held as usize);
        let restored = Engine::restore(&state(&engine)).unwrap();
        assert_eq!(state(&restored), state(&engine));
    }
}

#[test]
fn an_example_enters_the_statistics_when_its_time_for_corrections_is_over() {
    let plan = labelled(r#","conflicts":"last""#);
    let (engine, _) = run(&plan, &turning(&plan, [(100, 5), (0, 0), (0, 0)]));
    let rows = engine.state.tasks[0].statistics().unwrap().n();
    // A label is waited for 600 s, and there is one each 10 s.
    assert_eq!(rows, 100.0 - 61.0);
}

#[test]
fn a_source_without_a_breaker_is_learned_from_whatever_it_says() {
    let plan = labelled("");
    let (engine, _) = run(&plan, &turning(&plan, [(300, 1), (100, 10), (50, 1)]));
    let counted = counts(&engine, &["matured", "breaker.opened", "breaker.dropped"]);
    assert_eq!(counted, [450.0, 0.0, 0.0]);
}

#[test]
fn policies_that_there_are_not_are_refused() {
    for wrong in [
        r#","conflicts":"coin""#,
        r#","breaker":"fuse""#,
        r#","breaker":7"#,
        r#","id":"*""#,
    ] {
        assert_eq!(
            Engine::open(labelled(wrong).as_bytes()).err(),
            Some(CoreError::BadPlan),
            "{wrong}"
        );
    }
}

#[test]
fn a_label_matures_the_latest_prediction_before_its_time() {
    let mut log = settled();
    for step in 0..4 {
        log.reading("a", "co2", step * 10_000, 400.0);
    }
    log.message(
        "labels/a/occupied",
        &format!("{{\"value\":true,\"ts\":{}}}", DAY + 15_000),
    );
    log.message("labels/a/occupied", &format!("{{\"value\":1,\"ts\":{}}}", DAY + 15_000));
    log.message("labels/a/occupied", &format!("{{\"value\":\"no\",\"ts\":{}}}", DAY - 1));
    log.message("labels/nowhere/occupied", &format!("{{\"value\":\"no\",\"ts\":{DAY}}}"));
    log.message("labels/a/occupied", "{\"value\":null,\"ts\":1732000000}");
    let (engine, _) = run(&building(OCCUPIED), &log);
    let report = report(&engine);
    assert_eq!(fates(&engine, 1), [4, 0, 0, 0, 0, 1]);
    // At 15 s: the prediction at 10 s; another label for the same time is for the same one.
    assert_eq!(number(&report, "tasks.0.matured"), 1.0);
    assert_eq!(number(&report, "tasks.0.conflicting"), 1.0);
    assert_eq!(number(&report, "tasks.0.unmatched"), 2.0);
    assert_eq!(number(&report, "tasks.0.pending"), 4.0);
}

#[test]
fn a_label_with_a_number_counts_once_however_it_comes_again() {
    let numbered = OCCUPIED.replace(r#""time":"ts"}"#, r#""time":"ts","seq":"n"}"#);
    let mut log = settled();
    for step in 0..4 {
        log.reading("a", "co2", step * 10_000, 400.0);
    }
    let label = |log: &mut Log, room: &str, n: u32| {
        let payload = format!("{{\"value\":true,\"ts\":{},\"n\":{n}}}", DAY + 15_000);
        log.message(&format!("labels/{room}/occupied"), &payload);
    };
    label(&mut log, "a", 1);
    label(&mut log, "a", 1); // Sent again by a device that lost its connection: nothing else tells.
    label(&mut log, "a", 4);
    label(&mut log, "b", 1); // Another topic counts for itself.
    let (engine, _) = run(&building(&numbered), &log);
    assert_eq!(fates(&engine, 1), [3, 0, 1, 0, 0, 0]);
    let report = report(&engine);
    assert_eq!(number(&report, "sources.1.gaps"), 2.0);
    assert_eq!(number(&report, "tasks.0.matured"), 1.0);
    assert_eq!(number(&report, "tasks.0.repeated"), 1.0);
    // Without a number the same label is used each time, and teaches once.
    let (engine, _) = run(&building(OCCUPIED), &log);
    assert_eq!(fates(&engine, 1), [4, 0, 0, 0, 0, 0]);
}

#[test]
fn a_label_after_expiry_is_counted_and_not_learned() {
    let mut log = settled();
    log.reading("a", "co2", 0, 400.0).reading("a", "co2", 600_001, 400.0);
    log.message("labels/a/occupied", &format!("{{\"value\":true,\"ts\":{DAY}}}"));
    let (engine, _) = run(&building(OCCUPIED), &log);
    let report = report(&engine);
    assert_eq!(number(&report, "tasks.0.expired"), 1.0);
    assert_eq!(number(&report, "tasks.0.unmatched"), 1.0);
    assert_eq!(number(&report, "tasks.0.matured"), 0.0);
}
