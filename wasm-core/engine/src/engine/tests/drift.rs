//! Drift on a live gateway: what is found is put out with its evidence and kept in the state.

use super::*;

/// A quiet room that becomes a restless one at reading 900 of 1,500.
fn restless_log(plan: &str) -> Log {
    let mut log = Log::new();
    log.plan(plan);
    let mut noise = 12_345_u64;
    for step in 0..1500_i64 {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let swing = if step < 900 { 1.0 } else { 40.0 };
        let value = 400.0 + swing * ((noise >> 40) as f64 / 16_777_216.0 - 0.5);
        log.wall_ms = step * 10_000;
        log.reading("a", "co2", step * 10_000, value);
    }
    log
}

fn with_drift(drift: &str) -> String {
    building(&FORECAST.replace("\"threshold\":0}", &format!("\"threshold\":0{drift}}}")))
}

#[test]
fn an_error_that_rises_is_put_out_with_its_evidence_and_kept() {
    let plan = with_drift("");
    let (engine, out) = run(&plan, &restless_log(&plan));
    let found = kinds(&out).iter().filter(|&&kind| kind == 8).count();
    let report = report(&engine);
    assert!(found >= 1 && number(&report, "tasks.0.drift.alarms") == found as f64);
    let evidence = at(&report, "tasks.0.drift.evidence").as_list().unwrap();
    let error = evidence
        .iter()
        .find(|finding| at(finding, "of").as_str() == Some("error"))
        .expect("the error has risen");
    assert!(number(error, "after") > 3.0 * number(error, "before"));
    let reading = (number(error, "at") - DAY as f64) / 10_000.0;
    assert!((900.0..1300.0).contains(&reading), "{reading}");
    assert_eq!(at(error, "key").as_str(), Some("a"));
    let restored = Engine::restore(&state(&engine)).unwrap();
    assert_eq!(restored.report(), engine.report());
}

#[test]
fn what_is_watched_may_change_without_a_loss_of_what_was_learned() {
    let first = with_drift("");
    let every = r#","drift":{"detector":"cusum","run_length":1000,"on":["error","prediction","features","multivariate"],"do":["alert","sync","adapt"]}"#;
    let mut log = restless_log(&first);
    let (before, _) = run(&first, &log);
    log.plan(&with_drift(every));
    let (after, _) = run(&first, &log);
    for path in ["tasks.0.matured", "tasks.0.drift.alarms", "tasks.0.rows"] {
        assert_eq!(number(&report(&after), path), number(&report(&before), path), "{path}");
    }
    assert_eq!(at(&report(&after), "tasks.0.drift.detector").as_str(), Some("cusum"));
    let all = with_drift(every);
    let (engine, out) = run(&all, &restless_log(&all));
    assert!(kinds(&out).contains(&8));
    let restored = Engine::restore(&state(&engine)).unwrap();
    assert_eq!(state(&restored), state(&engine));
}

#[test]
fn a_watch_over_nothing_finds_nothing_and_another_plan_than_there_is_is_refused() {
    let off = with_drift(r#","drift":{"detector":"adwin","run_length":100000,"on":[],"do":["alert"]}"#);
    let (engine, out) = run(&off, &restless_log(&off));
    assert!(!kinds(&out).contains(&8));
    assert_eq!(number(&report(&engine), "tasks.0.drift.alarms"), 0.0);
    for wrong in [
        r#"{"detector":"none","run_length":100000,"on":[],"do":[]}"#,
        r#"{"detector":"adwin","run_length":999,"on":[],"do":[]}"#,
        r#"{"detector":"adwin","run_length":100000,"on":["weather"],"do":[]}"#,
        r#"{"detector":"adwin","run_length":100000,"on":[],"do":["panic"]}"#,
        r#"{"detector":"adwin","run_length":100000,"on":[]}"#,
        "7",
    ] {
        let plan = with_drift(&format!(",\"drift\":{wrong}"));
        assert_eq!(Engine::open(plan.as_bytes()).err(), Some(CoreError::BadPlan), "{wrong}");
    }
}
