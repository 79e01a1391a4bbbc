//! Event time: what is late, what a clock that jumps does, and when silence closes windows.

use super::*;

#[test]
fn a_reading_behind_its_closed_windows_is_late_and_put_out() {
    let mut log = Log::new();
    log.reading("a", "co2", 0, 1.0)
        .reading("a", "co2", 64_999, 2.0)
        .reading("a", "co2", 59_000, 3.0);
    log.reading("a", "co2", 65_000, 4.0)
        .reading("a", "co2", 59_000, 5.0)
        .reading("b", "co2", 0, 6.0);
    let (engine, out) = run(&building(""), &log);
    assert_eq!(fates(&engine, 0), [5, 1, 0, 0, 0, 0]);
    assert_eq!(outputs(&out), [(2, 3, 0), (4, 4, 0)]);
}

#[test]
fn without_windows_a_reading_behind_the_watermark_is_late() {
    let windows = building("").replace("\"of\":[]", "\"of\":[\"other\"]");
    let mut log = Log::new();
    log.reading("a", "co2", 10_000, 1.0)
        .reading("a", "co2", 5000, 2.0)
        .reading("a", "co2", 4999, 3.0);
    assert_eq!(fates(&run(&windows, &log).0, 0), [2, 1, 0, 0, 0, 0]);
}

#[test]
fn an_event_time_too_far_ahead_is_quarantined() {
    let plan = building("").replace("\"clock_skew_max_ms\":0", "\"clock_skew_max_ms\":60000");
    let mut log = Log::new();
    log.wall_ms = DAY;
    log.reading("a", "co2", 60_000, 1.0).reading("a", "co2", 60_001, 1.0);
    assert_eq!(fates(&run(&plan, &log).0, 0), [1, 0, 0, 0, 0, 1]);
}

#[test]
fn a_gateways_clock_set_forward_and_back_by_a_day_loses_nothing_and_stops_no_window() {
    const A_DAY: i64 = 86_400_000;
    let plan = building("");
    for (plan, own_time) in [(plan.replace("\"time\":\"ts\"", "\"time\":null"), false), (plan, true)] {
        let mut log = Log::new();
        for step in 0..300_i64 {
            log.set_ms = if (100..200).contains(&step) { A_DAY } else { 0 };
            log.wall_ms = DAY + step * 10_000 + log.set_ms;
            log.reading("a", "co2", step * 10_000, 1.0);
        }
        let straight = run(&plan, &log);
        assert_eq!(fates(&straight.0, 0), [300, 0, 0, 0, 0, 0]);
        let windows = kinds(&straight.1).iter().filter(|&&kind| kind == 2).count();
        // Six readings are a minute, the first jump cuts one in two; set back, arrival goes on at half pace.
        assert_eq!(windows, if own_time { 49 } else { 17 + 17 + 8 });
        // Then silence: the last window closes by the clock that only goes forward.
        let due_ms = straight.0.next_due_ms();
        assert!(
            due_ms > DAY as f64 + 3_000_000.0 && due_ms < DAY as f64 + 3_200_000.0,
            "{due_ms}"
        );
        log.tick(log.wall_ms + 200_000);
        let (engine, out) = run(&plan, &log);
        let closed = kinds(&out).iter().filter(|&&kind| kind == 2).count();
        assert_eq!(closed, windows + 1);
        // Whoever speaks again after the silence is not late.
        log.wall_ms += 1000;
        log.reading("a", "co2", log.wall_ms - DAY, 1.0);
        assert_eq!(fates(&run(&plan, &log).0, 0), [301, 0, 0, 0, 0, 0]);
        assert!(engine.next_due_ms() == f64::INFINITY);
    }
}

#[test]
fn a_silent_key_closes_while_its_source_goes_on() {
    let mut log = Log::new();
    log.reading("a", "co2", 1000, 1.0);
    for step in 0..8 {
        log.wall_ms = step * 10_000;
        log.reading("b", "co2", 600_000 + step, 1.0);
    }
    let (_, out) = run(&building(""), &log);
    // Room a is silent for a minute of arrival time at the block with offset 7.
    assert_eq!(outputs(&out), [(2, 7, CLOCK_ORDINALS)]);
}

#[test]
fn a_silent_source_closes_by_ticks_when_its_events_run_with_the_wall_clock() {
    let mut log = Log::new();
    log.wall_ms = DAY + 2000;
    log.reading("a", "co2", 1000, 1.0);
    let (engine, _) = run(&building(""), &log);
    #[expect(clippy::cast_precision_loss, reason = "a date")]
    let start = DAY as f64;
    assert_eq!(engine.next_due_ms(), start + 62_000.0);
    log.tick(DAY + 62_000);
    let (engine, out) = run(&building(""), &log);
    assert!(out.is_empty());
    // The window ends at 60 s and is kept open for 5 s; the source's time runs 1 s behind the wall clock.
    assert_eq!(engine.next_due_ms(), start + 66_000.0);
    log.tick(DAY + 66_000);
    let (engine, out) = run(&building(""), &log);
    assert_eq!(kinds(&out), [2]);
    assert_eq!(engine.next_due_ms(), f64::INFINITY);
}

#[test]
fn a_source_whose_events_run_on_their_own_time_asks_for_no_ticks() {
    let mut log = Log::new();
    log.reading("a", "co2", 1000, 1.0).tick(10 * MINUTE);
    let (engine, out) = run(&building(""), &log);
    assert!(out.is_empty());
    assert_eq!(engine.next_due_ms(), f64::INFINITY);
}
