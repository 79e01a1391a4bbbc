//! The engine as a whole: behaviour by example, and the laws that hold for every log.

mod contract;
mod drift;
mod formats;
mod hostile;
mod labels;
mod parts;
mod time;

use super::*;
use crate::json::{self, Value};
use crate::plan::tests::{FORECAST, OCCUPIED, UNUSUAL, building};
use crate::wire::tests::publish;

const MINUTE: i64 = 60_000;

/// Writes a log, block by block.
struct Log {
    blocks: Vec<Vec<u8>>,
    offset: u64,
    wall_ms: i64,
    /// How far the wall clock was set forward since the first block.
    set_ms: i64,
    epoch: u32,
}

impl Log {
    fn new() -> Self {
        Self {
            blocks: Vec::new(),
            offset: 0,
            wall_ms: 0,
            set_ms: 0,
            epoch: 1,
        }
    }

    fn block(&mut self, kind: u8, count: u32, payload: &[u8]) -> &mut Self {
        let mut block = Writer::new();
        block.raw(b"RVBK");
        block.u8(1);
        block.u8(kind);
        block.u16(if kind < 3 || kind == 4 { 1 } else { 0 });
        block.u32(u32::try_from(payload.len()).unwrap());
        block.u32(count);
        block.u64(self.offset);
        block.u64(self.blocks.len() as u64);
        block.i64(self.wall_ms);
        block.u64(u64::try_from(self.wall_ms - self.set_ms).unwrap() * 1000);
        block.u32(self.epoch);
        for _ in 0..3 {
            block.u32(0);
        }
        block.raw(payload);
        self.blocks.push(block.into_vec());
        self.offset += u64::from(count);
        self
    }

    fn packets(&mut self, packets: &[Vec<u8>]) -> &mut Self {
        self.block(1, u32::try_from(packets.len()).unwrap(), &packets.concat())
    }

    fn message(&mut self, topic: &str, payload: &str) -> &mut Self {
        self.packets(&[publish(0, 0, topic, payload.as_bytes(), None)])
    }

    fn reading(&mut self, room: &str, field: &str, ts: i64, value: f64) -> &mut Self {
        self.message(
            &format!("building/{room}/{field}"),
            &format!("{{\"value\":{value},\"ts\":{}}}", ts + DAY),
        )
    }

    fn tick(&mut self, wall_ms: i64) -> &mut Self {
        self.wall_ms = wall_ms;
        self.block(5, 0, &[])
    }

    fn session(&mut self, present: bool) -> &mut Self {
        self.session_of("s", present)
    }

    fn session_of(&mut self, id: &str, present: bool) -> &mut Self {
        self.epoch += 1;
        let mut payload = Writer::new();
        payload.u8(1);
        payload.bool(present);
        payload.u8(4);
        payload.str(id);
        self.block(4, 0, payload.as_slice())
    }

    fn plan(&mut self, plan: &str) -> &mut Self {
        self.block(3, 0, &[&[7; 32], plan.as_bytes()].concat())
    }
}

/// Numbers below 10^11 would be read as seconds.
const DAY: i64 = 20_000 * 86_400_000;

fn run(plan: &str, log: &Log) -> (Engine, Vec<u8>) {
    let mut engine = Engine::open(plan.as_bytes()).unwrap();
    let mut out = Writer::new();
    engine.ingest(&log.blocks.concat(), &mut out).unwrap();
    (engine, out.into_vec())
}

fn state(engine: &Engine) -> Vec<u8> {
    let mut out = Writer::new();
    engine.checkpoint(&mut out);
    out.into_vec()
}

fn report(engine: &Engine) -> Value {
    json::parse(engine.report().as_bytes()).expect("a report is JSON")
}

fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(value, |value, step| match step.parse::<usize>() {
        Ok(index) => &value.as_list().unwrap()[index],
        Err(_) => value.get(step).unwrap_or_else(|| panic!("no {step} in {value:?}")),
    })
}

fn number(value: &Value, path: &str) -> f64 {
    at(value, path)
        .as_f64()
        .unwrap_or_else(|| panic!("{path} is no number"))
}

/// `(kind, offset, ordinal)` of every output.
fn outputs(bytes: &[u8]) -> Vec<(u8, u64, u32)> {
    let mut reader = Reader::new(bytes);
    let mut records = Vec::new();
    while reader.remaining() > 0 {
        let length = reader.u32().unwrap() as usize;
        let mut record = Reader::new(reader.raw(length - 4).unwrap());
        let kind = record.u8().unwrap();
        record.raw(3).unwrap();
        records.push((kind, record.u64().unwrap(), record.u32().unwrap()));
    }
    records
}

fn kinds(bytes: &[u8]) -> Vec<u8> {
    outputs(bytes).into_iter().map(|(kind, _, _)| kind).collect()
}

/// The fates of the first source, in the order of the report.
fn fates(engine: &Engine, source: usize) -> [u64; 6] {
    let report = report(engine);
    ["used", "late", "duplicate", "retained", "filtered", "quarantined"].map(|fate| {
        let value = number(&report, &format!("sources.{source}.{fate}"));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let count = value as u64;
        count
    })
}

/// Some hours of two rooms with labels, windows, repeats, late and broken messages, a release of nothing and ticks.
fn rich_log() -> Log {
    let mut log = Log::new();
    log.plan(&rich_plan()).session(false);
    for step in 0..150_i64 {
        log.wall_ms = step * 10_000;
        for room in ["a", "b"] {
            let co2 = 400.0 + ((step * 7 + i64::from(room == "b") * 3) % 23) as f64;
            let ts = step * 10_000 - if step % 11 == 0 { 90_000 } else { 0 };
            let time = ts + DAY;
            let topic = format!("building/{room}/co2");
            let body = format!("{{\"value\":{co2},\"ts\":{time},\"seq\":{step}}}");
            let id = u16::try_from(step + 1).unwrap();
            let first = publish(0b0010, id, &topic, body.as_bytes(), None);
            if step % 13 == 5 && room == "a" {
                log.packets(&[first]).session(true);
                log.packets(&[publish(0b1010, id, &topic, body.as_bytes(), None), vec![0x62, 2, 0, 1]][..1]);
            } else if step % 17 == 3 {
                log.packets(&[
                    first,
                    publish(0, 0, "other", b"x", None),
                    publish(0, 0, &topic, b"{", None),
                ]);
            } else {
                log.packets(&[first]);
            }
            log.reading(room, "temperature", step * 10_000, 20.0 + (step % 5) as f64);
        }
        if step % 3 == 0 {
            let class = if step % 2 == 0 { "yes" } else { "no" };
            log.message(
                "labels/a/occupied",
                &format!("{{\"value\":\"{class}\",\"ts\":{}}}", (step - 6) * 10_000 + DAY),
            );
        }
        if step % 40 == 39 {
            log.tick(step * 10_000 + 5).block(6, 0, b"no release");
        }
    }
    let shorter = rich_plan().replace("\"every_ms\":60000", "\"every_ms\":30000");
    log.plan(&shorter)
        .plan(&rich_plan())
        .reading("a", "co2", 2_000_000, 444.0)
        .tick(4_000_000);
    log
}

fn rich_plan() -> String {
    building(&[FORECAST, OCCUPIED, UNUSUAL].join(","))
}

#[test]
fn a_message_is_windowed_predicted_on_and_learned_from() {
    let mut log = Log::new();
    for step in 0..200_i64 {
        log.reading("a", "co2", step * 10_000, 400.0 + (step % 10) as f64);
    }
    let (engine, out) = run(&building(FORECAST), &log);
    assert_eq!(fates(&engine, 0), [200, 0, 0, 0, 0, 0]);
    let report = report(&engine);
    // From message 64 on one prediction each, the last six of which still wait for the reading a minute later.
    assert_eq!(number(&report, "tasks.0.predictions"), 137.0);
    assert_eq!(number(&report, "tasks.0.matured"), 131.0);
    assert_eq!(number(&report, "tasks.0.pending"), 6.0);
    assert!(at(&report, "tasks.0.schema").as_str().unwrap().len() == 64);
    let kinds = kinds(&out);
    assert_eq!(kinds.iter().filter(|&&kind| kind == 1).count(), 137);
    assert_eq!(kinds.iter().filter(|&&kind| kind == 2).count(), 33);
}

#[test]
fn outputs_are_named_by_the_message_that_caused_them() {
    let mut log = Log::new();
    for step in 0..100_i64 {
        log.reading("a", "co2", step * 10_000, 400.0);
    }
    log.wall_ms += 2 * MINUTE;
    log.tick(2 * MINUTE)
        .tick(10 * MINUTE)
        .reading("a", "co2", 99 * 10_000, 1.0);
    let (_, out) = run(&building(&[FORECAST, UNUSUAL].join(",")), &log);
    let mut ids: Vec<(u64, u32)> = outputs(&out)
        .into_iter()
        .map(|(_, offset, ordinal)| (offset, ordinal))
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn a_broken_message_is_put_out_for_quarantine_and_counted() {
    let mut log = Log::new();
    log.message("building/a/co2", "{\"value\":");
    log.message("building/a/co2", "{\"value\":\"warm\",\"ts\":1732000000}");
    log.message("building/a/co2", "{\"value\":1}");
    log.message("building/a/co2", "{\"value\":1e200,\"ts\":1732000000}");
    log.message("building/a/co2", &format!("{{\"x\":\"{}\"}}", "y".repeat(5000)));
    log.packets(&[vec![0x36, 2, 0, 0]]);
    log.message("elsewhere", "1");
    let (engine, out) = run(&building(""), &log);
    assert_eq!(kinds(&out), [5; 6]);
    assert_eq!(fates(&engine, 0), [0, 0, 0, 0, 0, 5]);
    assert_eq!(fates(&engine, 1), [0, 0, 0, 0, 1, 1]);
}

#[test]
fn every_message_the_header_counts_has_a_fate_even_if_it_is_not_there() {
    let mut log = Log::new();
    let whole = publish(0, 0, "building/a/co2", b"{\"value\":1,\"ts\":1732000000}", None);
    log.block(1, 5, &[whole.clone(), whole.clone(), whole[..9].to_vec()].concat());
    log.block(1, 1, &[whole.clone(), whole].concat());
    let (engine, out) = run(&building(""), &log);
    assert_eq!(fates(&engine, 0), [3, 0, 0, 0, 0, 0]);
    assert_eq!(fates(&engine, 1), [0, 0, 0, 0, 0, 4]);
    assert_eq!(outputs(&out), [(5, 2, 0), (5, 3, 0), (5, 5, 0)]);
    assert_eq!(number(&report(&engine), "offset"), 6.0);
}

#[test]
fn a_redelivery_by_the_broker_and_a_repeat_by_the_device_count_once() {
    let mut log = Log::new();
    let body = |seq: u32| format!("{{\"value\":1,\"ts\":1732000000,\"seq\":{seq}}}").into_bytes();
    let message = |flags, id, seq| publish(flags, id, "building/a/co2", &body(seq), None);
    log.session(false).packets(&[message(2, 1, 1), message(2, 2, 2)]);
    log.session(true).packets(&[
        message(0b1010, 2, 2),
        message(2, 3, 3),
        message(2, 4, 3),
        message(2, 5, 6),
    ]);
    let (engine, _) = run(&building(""), &log);
    assert_eq!(fates(&engine, 0), [4, 0, 2, 0, 0, 0]);
    assert_eq!(number(&report(&engine), "sources.0.gaps"), 2.0);
}

#[test]
fn a_retained_message_sets_values_and_is_no_example() {
    let mut log = Log::new();
    log.packets(&[publish(
        1,
        0,
        "building/a/co2",
        b"{\"value\":1,\"ts\":1732000000}",
        None,
    )]);
    let (engine, out) = run(&building(UNUSUAL), &log);
    assert_eq!(fates(&engine, 0), [0, 0, 0, 1, 0, 0]);
    assert!(out.is_empty());
    assert_eq!(engine.state.table.series[0].last, 1.0);
    assert!(engine.state.table.keys[0].newest_ms < 0.0);
}

/// Fills the 64 messages before the features are frozen.
fn settled() -> Log {
    let mut log = Log::new();
    for step in 0..64 {
        log.reading("z", "co2", step, 400.0);
    }
    log
}

#[test]
fn numbers_too_old_to_tell_are_taken_and_counted_as_such_and_so_are_restarts() {
    let mut log = Log::new();
    let reading = |log: &mut Log, n: u32| {
        let payload = format!("{{\"value\":1,\"ts\":{DAY},\"seq\":{n}}}");
        log.message("building/a/co2", &payload);
    };
    for n in [1000, 1001, 1, 1000, 7, 8] {
        reading(&mut log, n);
    }
    let (engine, _) = run(&building(OCCUPIED), &log);
    assert_eq!(fates(&engine, 0), [5, 0, 1, 0, 0, 0]);
    let report = report(&engine);
    assert_eq!(number(&report, "sources.0.unknown"), 2.0);
    assert_eq!(number(&report, "sources.0.restarts"), 1.0);
    assert_eq!(engine.report(), Engine::restore(&state(&engine)).unwrap().report());
}

#[test]
fn a_device_that_says_the_time_but_counts_nothing_repeats_itself_where_the_source_tells_by_that() {
    let asking = |plan: &str| plan.replace("\"seq\":\"seq\"", "\"seq\":null,\"repeats\":\"event_time\"");
    let plan = asking(&building(""));
    assert!(plan.contains("event_time"), "{plan}");
    let mut log = Log::new();
    let at = |ts: i64, value: i64| format!("{{\"value\":{value},\"ts\":{ts}}}");
    for (topic, payload) in [
        ("building/a/co2", at(DAY, 1)),
        ("building/a/co2", at(DAY, 1)),
        ("building/b/co2", at(DAY, 1)),
        ("building/a/co2", at(DAY, 2)),
        ("building/a/co2", at(DAY + 1, 1)),
        ("building/a/co2", at(DAY, 1)),
    ] {
        log.message(topic, &payload);
    }
    let (engine, _) = run(&plan, &log);
    assert_eq!(fates(&engine, 0), [4, 0, 2, 0, 0, 0]);
    // It is remembered over a checkpoint.
    log.message("building/b/co2", &at(DAY, 1));
    let mut again = Engine::restore(&state(&engine)).unwrap();
    assert!(state(&again) == state(&engine));
    again.ingest(log.blocks.last().unwrap(), &mut Writer::new()).unwrap();
    assert_eq!(fates(&again, 0), [4, 0, 3, 0, 0, 0]);
    assert!(state(&again) == state(&run(&plan, &log).0));
}

#[test]
fn a_forecast_without_a_reading_near_its_horizon_expires() {
    let mut log = settled();
    log.reading("a", "co2", 0, 400.0).reading("a", "co2", 90_001, 400.0);
    let report = report(&run(&building(FORECAST), &log).0);
    assert_eq!(number(&report, "tasks.0.expired"), 1.0);
    assert_eq!(number(&report, "tasks.0.matured"), 0.0);
}

#[test]
fn a_jump_is_an_alarm_and_the_usual_is_none() {
    let mut log = Log::new();
    for step in 0..300_i64 {
        log.reading("a", "co2", step * 1000, 400.0 + (step % 7) as f64);
    }
    log.reading("a", "co2", 300_000, 900.0);
    let (engine, out) = run(&building(UNUSUAL), &log);
    let alarms: Vec<u64> = outputs(&out)
        .into_iter()
        .filter(|&(kind, _, _)| kind == 3)
        .map(|(_, offset, _)| offset)
        .collect();
    assert_eq!(alarms, [300]);
    assert_eq!(number(&report(&engine), "tasks.0.alarms"), 1.0);
}

#[test]
fn predictions_are_bounded_per_key_and_always_accounted_for() {
    let plan = building(&[FORECAST, OCCUPIED].join(",")).replace("\"pending_per_key\":50", "\"pending_per_key\":3");
    let mut log = settled();
    for step in 0..30 {
        log.reading("a", "co2", step * 10_000, 400.0);
    }
    let report = report(&run(&plan, &log).0);
    for task in ["tasks.0", "tasks.1"] {
        let count = |name: &str| number(&report, &format!("{task}.{name}"));
        assert_eq!(count("predictions"), 31.0);
        assert_eq!(count("matured") + count("expired") + count("pending"), 31.0);
        assert!(count("pending") <= 4.0);
    }
    assert!(
        number(&report, "tasks.0.matured") > 5.0,
        "the nearest to their label are kept"
    );
}

#[test]
fn keys_and_fields_over_the_limit_are_quarantined() {
    let plan = building("")
        .replace("\"keys\":100", "\"keys\":2")
        .replace("\"fields\":20", "\"fields\":2");
    let mut log = Log::new();
    log.reading("a", "x", 0, 1.0)
        .reading("b", "y", 0, 1.0)
        .reading("c", "x", 0, 1.0)
        .reading("a", "z", 0, 1.0);
    log.reading("b", "x", 0, 1.0);
    assert_eq!(fates(&run(&plan, &log).0, 0), [3, 0, 0, 0, 0, 2]);
}

#[test]
fn a_changed_plan_keeps_what_is_the_same() {
    let both = building(&[FORECAST, UNUSUAL].join(","));
    let mut log = Log::new();
    for step in 0..100_i64 {
        log.reading("a", "co2", step * 10_000, 400.0 + (step % 10) as f64);
    }
    let before = report(&run(&both, &log).0);
    let same = state(&run(&both, &log).0);
    log.plan(&both);
    let after = state(&run(&both, &log).0);
    assert_eq!(
        same.len(),
        after.len(),
        "the open plan again changes nothing but the sequence"
    );
    let other = FORECAST
        .replace("\"features\":[]", "\"features\":[\"co2\"]")
        .replace("\"horizon_ms\":60000", "\"horizon_ms\":120000")
        .replace("co2_1m", "co2_2m");
    log.plan(&building(&[UNUSUAL, &other].join(",")).replace("\"name\":\"m\"", "\"name\":\"n\""));
    log.reading("a", "co2", 2_000_000, 400.0);
    let (engine, out) = run(&both, &log);
    let after = report(&engine);
    assert_eq!(
        number(&after, "tasks.0.predictions"),
        number(&before, "tasks.1.predictions") + 1.0
    );
    assert_eq!(number(&after, "tasks.1.predictions"), 1.0);
    assert_eq!(number(&after, "sources.0.used"), 101.0);
    let windows = outputs(&out)
        .into_iter()
        .filter(|&(kind, offset, _)| kind == 2 && offset == 100);
    assert_eq!(windows.count(), 0, "the windows of the earlier plan are gone");
}

#[test]
fn accounts_of_sources_that_are_gone_stay_on_the_books() {
    let mut log = Log::new();
    log.reading("a", "co2", 0, 1.0).reading("a", "co2", 1, 1.0);
    log.plan(&building("").replace("\"name\":\"building\"", "\"name\":\"house\""))
        .reading("a", "co2", 2, 1.0);
    let (engine, _) = run(&building(""), &log);
    let report = report(&engine);
    assert_eq!(number(&report, "messages"), 3.0);
    assert_eq!(fates(&engine, 0)[0], 1);
    assert_eq!(at(&report, "sources.2.name").as_str(), Some("(earlier plans)"));
    assert_eq!(fates(&engine, 2)[0], 2);
}

#[test]
fn a_block_that_is_none_is_refused_and_changes_nothing() {
    let mut log = Log::new();
    log.reading("a", "co2", 0, 1.0).reading("a", "co2", 1, 1.0);
    let plan = building("");
    let (mut engine, _) = run(&plan, &log);
    let before = state(&engine);
    let mut refused = |change: &dyn Fn(&mut Vec<u8>), error| {
        let mut next = Log {
            blocks: vec![vec![]; 2],
            offset: 2,
            wall_ms: 5,
            set_ms: 0,
            epoch: 1,
        };
        next.reading("a", "co2", 2, 1.0).reading("a", "co2", 3, 1.0);
        let good = next.blocks[2].clone();
        change(&mut next.blocks[3]);
        let blocks = [good, next.blocks[3].clone()].concat();
        assert_eq!(engine.ingest(&blocks, &mut Writer::new()), Err(error));
        assert_eq!(state(&engine), before);
    };
    refused(&|block| block[0] = 0, CoreError::Foreign);
    refused(&|block| block[4] = 2, CoreError::TooNew);
    refused(&|block| block[5] = 9, CoreError::Foreign);
    refused(&|block| block[24] = 1, CoreError::Corrupt);
    refused(&|block| block[16] = 1, CoreError::Corrupt);
    refused(&|block| block.truncate(70), CoreError::Truncated);
    refused(&|block| block[11] = 0xff, CoreError::Corrupt);
    refused(&|block| block[5] = 3, CoreError::Corrupt);
    refused(
        &|block| {
            block[5] = 3;
            block[12] = 0;
        },
        CoreError::BadPlan,
    );
}

#[test]
fn restore_then_continue_equals_straight_run_at_every_cut() {
    let log = rich_log();
    let (straight, out) = run(&rich_plan(), &log);
    let straight = state(&straight);
    let mut engine = Engine::open(rich_plan().as_bytes()).unwrap();
    let mut outputs = Writer::new();
    for block in &log.blocks {
        engine.ingest(block, &mut outputs).unwrap();
        let saved = state(&engine);
        engine = Engine::restore(&saved).unwrap();
        assert_eq!(state(&engine), saved, "what is restored is saved the same");
    }
    assert!(state(&engine) == straight);
    assert!(outputs.as_slice() == out);
    let report = report(&engine);
    for (task, least) in [("tasks.0", 100.0), ("tasks.1", 20.0), ("tasks.2", 100.0)] {
        assert!(
            number(&report, &format!("{task}.matured")) > least,
            "the log exercises {task}: {}",
            engine.report()
        );
    }
    let fates = fates(&engine, 0);
    assert!(
        fates
            .iter()
            .enumerate()
            .all(|(fate, &count)| count > 0 || fate == 3 || fate == 4),
        "{fates:?}"
    );
}

#[test]
fn a_release_joins_the_panel_of_the_task_with_its_schema_only() {
    let mut log = Log::new();
    for step in 0..400_i64 {
        log.reading("a", "co2", step * 10_000, 400.0 + ((step * step) % 17) as f64);
    }
    let plan = building(&[FORECAST, UNUSUAL].join(","));
    let (engine, _) = run(&plan, &log);
    let mut delta = Writer::new();
    engine.delta(&mut delta);
    let mut reader = Reader::new(delta.as_slice());
    assert_eq!((reader.u32(), reader.u16()), (Ok(2), Ok(0)));
    let schema = reader.bytes().unwrap();
    assert!(
        schema
            .starts_with(br#"{"task":"co2_1m","kind":"forecast","target":"co2","horizon_ms":60000,"features":["co2","#)
    );
    let features = engine.state.tasks[0].features().len();
    let model = crate::release::ReleaseModel::Ridge {
        n: 10.0,
        coefficients: vec![0.0; features],
        intercept: 1.0,
        residual_sd: 1.0,
    };
    let mut model_bytes = Writer::new();
    model.encode(&mut model_bytes);
    let mut release = Writer::new();
    release.raw(b"RVRL");
    release.u16(2);
    release.u16(0);
    release.str("co2_1m");
    release.raw(engine.state.tasks[0].schema().unwrap().1);
    release.raw(&[0; 96]);
    release.u32(3);
    release.f64(10.0);
    release.bytes(schema);
    release.bytes(model_bytes.as_slice());
    log.block(6, 0, release.as_slice())
        .block(6, 0, b"none")
        .reading("a", "co2", 4_000_000, 401.0);
    let report = report(&run(&plan, &log).0);
    assert_eq!(number(&report, "tasks.0.releases"), 1.0);
    assert_eq!(number(&report, "tasks.1.releases"), 0.0);
    assert_eq!(number(&report, "releases_refused"), 1.0);
    assert_eq!(at(&report, "tasks.0.release").as_str().unwrap().len(), 64);
}
