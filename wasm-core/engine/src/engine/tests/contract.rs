//! Contracts of fields on a running engine: what is refused, flagged, left out and counted, and that none of it depends on
//! how the log is cut.

use super::*;

/// One source `s/{dev}` whose messages are lists of `{ts, v, w}`; `v` has a contract.
fn plan(contract: &str) -> String {
    format!(
        concat!(
            r#"{{"plan":1,"gateway":"g","limits":{{"keys":100,"fields":20,"pending_per_key":50,"payload_bytes":4096,"classes":8}},"#,
            r#""sources":[{{"name":"s","topic":"s/{{dev}}","door":null,"format":"json","key":"{{dev}}","#,
            r#""fields":[{{"name":"v","path":"[*].v","sense":{{"words":[{{"is":"off","means":0}}],"linear":[],"range":[0,100],{}}}}},{{"name":"w","path":"[*].w"}}],"#,
            r#""time":"[*].ts","seq":null,"lateness_ms":5000,"clock_skew_max_ms":0,"idle_ms":60000}}],"windows":[],"tasks":[],"#,
            r#""forward":[{{"of":[],"where":null,"every_ms":0,"deadband":0,"relative":false,"at_least_ms":0,"one_in":1}}]}}"#
        ),
        contract
    )
}

const ALL: &str = r#""rate_max":[10,1000],"stuck_readings":3"#;

fn say(log: &mut Log, readings: &[(i64, &str)]) {
    let readings: Vec<String> = readings
        .iter()
        .map(|(second, value)| format!("{{\"ts\":{},\"v\":{value},\"w\":1}}", second * 1000 + DAY))
        .collect();
    log.message("s/a", &format!("[{}]", readings.join(",")));
}

/// Field and value of a reading that was forwarded.
type Passed = (String, f64);
/// Code and place of a message that was quarantined.
type Refused = (i32, String);

/// What was forwarded, and what was quarantined.
fn passed(bytes: &[u8]) -> (Vec<Passed>, Vec<Refused>) {
    let (mut readings, mut refused) = (Vec::new(), Vec::new());
    let mut reader = Reader::new(bytes);
    while reader.remaining() > 0 {
        let length = reader.u32().unwrap() as usize;
        let mut record = Reader::new(reader.raw(length - 4).unwrap());
        let kind = record.u8().unwrap();
        record.raw(3 + 12).unwrap();
        if kind == 6 {
            record.str().unwrap();
            let field = record.str().unwrap().to_owned();
            record.f64().unwrap();
            readings.push((field, record.f64().unwrap()));
        } else if kind == 5 {
            record.u16().unwrap();
            let code = i32::from_le_bytes(record.raw(4).unwrap().try_into().unwrap());
            record.raw(12).unwrap();
            refused.push((code, record.str().unwrap().to_owned()));
        }
    }
    (readings, refused)
}

fn readings_of(outputs: &[u8], wanted: &str) -> Vec<f64> {
    let (readings, _) = passed(outputs);
    let of_field = readings.into_iter().filter(|(field, _)| field == wanted);
    of_field.map(|(_, value)| value).collect()
}

/// One violation of each kind, among readings that are good.
fn violations() -> Log {
    let mut log = Log::new();
    say(&mut log, &[(0, "20"), (1, "25")]);
    say(&mut log, &[(2, "36")]);
    say(&mut log, &[(3, "140")]);
    say(&mut log, &[(4, "\"broken\"")]);
    for second in 12..16 {
        say(&mut log, &[(second, "50")]);
    }
    say(&mut log, &[(20, "51")]);
    log
}

#[test]
fn a_flagged_reading_passes_with_its_quality_beside_it() {
    let (engine, out) = run(&plan(&format!("{ALL},\"on_violation\":\"flag\"")), &violations());
    assert_eq!(fates(&engine, 0), [9, 0, 0, 0, 0, 0]);
    // A word that is none has a quality and no value. What is both out of range and too fast is counted as both.
    assert_eq!(
        readings_of(&out, "v"),
        [20.0, 25.0, 36.0, 140.0, 50.0, 50.0, 50.0, 50.0, 51.0]
    );
    let quality = [0.0, 0.0, 2.0, 1.0, 4.0, 0.0, 0.0, 0.0, 3.0, 0.0];
    assert_eq!(readings_of(&out, "v_quality"), quality);
    let report = report(&engine);
    for (word, count) in [("range", 1.0), ("rate", 2.0), ("stuck", 1.0), ("word", 1.0)] {
        assert_eq!(
            number(&report, &format!("sources.0.violations.{word}")),
            count,
            "{word}"
        );
    }
}

#[test]
fn a_dropped_reading_is_left_out_and_the_rest_of_its_message_stays() {
    let (engine, out) = run(&plan(&format!("{ALL},\"on_violation\":\"drop\"")), &violations());
    // What is dropped is not what the next is compared with.
    assert_eq!(readings_of(&out, "v"), [20.0, 25.0, 50.0, 50.0, 50.0, 51.0]);
    assert_eq!(readings_of(&out, "w").len(), 10);
    assert_eq!(fates(&engine, 0), [9, 0, 0, 0, 0, 0]);
}

#[test]
fn a_message_of_which_all_is_dropped_is_filtered() {
    let plan = plan(&format!("{ALL},\"on_violation\":\"drop\"")).replace(r#",{"name":"w","path":"[*].w"}"#, "");
    let (engine, _) = run(&plan, &violations());
    assert_eq!(fates(&engine, 0), [5, 0, 0, 0, 4, 0]);
}

#[test]
fn a_quarantined_message_leaves_nothing_behind_and_says_where_what_is_wrong_stands() {
    let mut log = violations();
    // The first reading of it is good, and forgotten with the rest.
    say(&mut log, &[(30, "60"), (31, "90")]);
    say(&mut log, &[(32, "52")]);
    let (engine, out) = run(&plan(&format!("{ALL},\"on_violation\":\"quarantine\"")), &log);
    let (_, refused) = passed(&out);
    let place = |code: CoreError, place: &str| (code as i32, String::from(place));
    assert_eq!(
        refused,
        [
            place(CoreError::TooFast, "/0/v"),
            place(CoreError::OutOfRange, "/0/v"),
            place(CoreError::UnknownWord, "/0/v"),
            place(CoreError::Stuck, "/0/v"),
            place(CoreError::TooFast, "/1/v"),
        ]
    );
    assert_eq!(readings_of(&out, "v"), [20.0, 25.0, 50.0, 50.0, 50.0, 51.0, 52.0]);
    let report = report(&engine);
    assert_eq!(number(&report, "sources.0.quarantined_by.-15"), 2.0);
    assert_eq!(number(&report, "sources.0.quarantined_by.-16"), 1.0);
}

#[test]
fn a_single_reading_from_the_future_does_not_end_the_comparing() {
    let plan = plan(&format!("{ALL},\"on_violation\":\"flag\""));
    let mut log = Log::new();
    log.wall_ms = DAY;
    say(&mut log, &[(0, "20"), (80_000, "20"), (1, "20")]);
    // Compared again, with what came after it.
    say(&mut log, &[(2, "60")]);
    for second in 10..14 {
        say(&mut log, &[(second, "50")]);
    }
    let (engine, _) = run(&plan, &log);
    let report = report(&engine);
    assert_eq!(number(&report, "sources.0.violations.rate"), 1.0);
    assert_eq!(number(&report, "sources.0.violations.stuck"), 1.0);
    // One that is merely late is compared with nothing, and nothing with it.
    let mut log = Log::new();
    log.wall_ms = DAY + 30_000;
    say(&mut log, &[(0, "20"), (30, "20"), (1, "90"), (31, "21")]);
    let (engine, _) = run(&plan, &log);
    assert!(
        at(&super::report(&engine), "sources.0.violations")
            .get("rate")
            .is_none()
    );
}

#[test]
fn a_time_that_is_none_is_named_too() {
    let mut log = Log::new();
    log.message("s/a", r#"[{"ts":"noon","v":1}]"#);
    let (_, out) = run(&plan(ALL), &log);
    assert_eq!(passed(&out).1, [(CoreError::BadTime as i32, String::from("/0/ts"))]);
}

#[test]
fn judging_does_not_depend_on_cuts_and_restores() {
    for on_violation in ["quarantine", "flag", "drop"] {
        let plan = plan(&format!("{ALL},\"on_violation\":\"{on_violation}\""));
        let log = violations();
        let (straight, expected) = run(&plan, &log);
        let mut engine = Engine::open(plan.as_bytes()).unwrap();
        let mut out = Writer::new();
        for block in &log.blocks {
            engine.ingest(block, &mut out).unwrap();
            engine = Engine::restore(&state(&engine)).unwrap();
        }
        assert!(state(&engine) == state(&straight) && out.as_slice() == expected);
    }
}

#[test]
fn a_condition_of_the_source_lets_rows_in_by_their_own_readings_or_the_last_of_their_key() {
    let plan =
        plan(r#""on_violation":"flag""#).replacen(r#""time":"#, r#""where":"v > 21 && v < 60 && w == 1","time":"#, 1);
    let mut log = Log::new();
    say(&mut log, &[(0, "20"), (1, "25")]);
    say(&mut log, &[(2, "5")]);
    log.message("s/a", &format!("[{{\"ts\":{},\"w\":1}}]", 3000 + DAY));
    let (engine, out) = run(&plan, &log);
    assert_eq!(fates(&engine, 0), [2, 0, 0, 0, 1, 0]);
    assert_eq!(readings_of(&out, "v"), [25.0]);
    // The last message says no `v`: that of its key counts.
    assert_eq!(readings_of(&out, "w"), [1.0, 1.0]);
}

#[test]
fn a_capture_that_is_absent_may_have_a_name_of_its_own() {
    let plan = plan(ALL).replacen(
        r#""key":"{dev}""#,
        r#""captures":[{"name":"tag","path":"[*].tag","absent":"-"}],"key":"{dev}/{tag}""#,
        1,
    );
    let mut log = Log::new();
    log.message(
        "s/a",
        &format!("[{{\"ts\":{DAY},\"v\":1,\"tag\":\"x\"}},{{\"ts\":{DAY},\"v\":2}}]"),
    );
    let (engine, _) = run(&plan, &log);
    let keys: Vec<&str> = (0..2).map(|key| engine.state.table.key_names.name(key)).collect();
    assert_eq!(keys, ["a/x", "a/-"]);
}

#[test]
fn a_million_new_keys_are_refused_beyond_the_limit_counted_and_leave_nothing_behind() {
    let plan = plan(ALL).replacen(r#""keys":100"#, r#""keys":1000"#, 1);
    let mut engine = Engine::open(plan.as_bytes()).unwrap();
    let mut out = Writer::new();
    let mut log = Log::new();
    let mut size_at_limit = 0;
    for batch in 0..1000_i64 {
        let packets: Vec<Vec<u8>> = (0..1000)
            .map(|n| {
                let body = format!("[{{\"ts\":{},\"v\":1}}]", batch * 10 + DAY);
                publish(0, 0, &format!("s/{:06}", batch * 1000 + n), body.as_bytes(), None)
            })
            .collect();
        log.packets(&packets);
        engine.ingest(&log.blocks.pop().unwrap(), &mut out).unwrap();
        log.blocks.push(Vec::new());
        out.truncate(0);
        if batch == 0 {
            size_at_limit = state(&engine).len();
        }
    }
    assert_eq!(fates(&engine, 0), [1000, 0, 0, 0, 0, 999_000]);
    assert_eq!(number(&report(&engine), "sources.0.quarantined_by.-7"), 999_000.0);
    assert_eq!(state(&engine).len(), size_at_limit);
    // The old ones go on.
    log.message("s/000007", &format!("[{{\"ts\":{},\"v\":2}}]", 20_000 + DAY));
    engine.ingest(log.blocks.last().unwrap(), &mut out).unwrap();
    assert_eq!(fates(&engine, 0)[0], 1001);
}

#[test]
fn labels_come_in_other_formats_and_in_records_one_for_each() {
    let label = |format: &str, path: &str, time: &str| {
        let label = format!(
            r#""label":{{"topic":"labels/{{room}}/occupied","key":"{{room}}","path":"{path}","time":"{time}","format":{format}}}"#
        );
        let before = r#""label":{"topic":"labels/{room}/occupied","key":"{room}","path":"value","time":"ts"}"#;
        building(
            &OCCUPIED
                .replacen(before, &label, 1)
                .replacen(r#""features":[]"#, r#""features":["co2"]"#, 1),
        )
    };
    let readings = || {
        let mut log = Log::new();
        for step in 0..6 {
            log.reading("a", "co2", step * 10_000, 400.0 + step as f64);
        }
        log
    };
    let csv = r#"{"csv":{"separator":",","columns":["at","who"],"header":false}}"#;
    let mut log = readings();
    log.message(
        "labels/a/occupied",
        &format!("{},yes\n{},no\n", DAY + 10_000, DAY + 20_000),
    );
    log.message("labels/a/occupied", &format!("{},yes\nnoon,no\n", DAY + 30_000));
    let (engine, _) = run(&label(csv, "who", "at"), &log);
    assert_eq!(fates(&engine, 1), [1, 0, 0, 0, 0, 1]);
    assert_eq!(number(&report(&engine), "tasks.0.matured"), 2.0);
    // The same label as CBOR: {"t": 2026-…, "v": "yes"}.
    let mut body = vec![0xa2, 0x61, b't', 0xfb];
    body.extend_from_slice(&((DAY + 10_000) as f64).to_be_bytes());
    body.extend_from_slice(&[0x61, b'v', 0x63, b'y', b'e', b's']);
    let mut log = readings();
    log.packets(&[publish(0, 0, "labels/a/occupied", &body, None)]);
    let (engine, _) = run(&label(r#""cbor""#, "v", "t"), &log);
    assert_eq!(number(&report(&engine), "tasks.0.matured"), 1.0);
}

#[test]
fn a_violation_counts_once_however_often_its_reading_comes_and_one_of_a_retained_message_never() {
    let plan = plan(r#""on_violation":"flag""#).replace(r#""seq":null"#, r#""seq":"[*].n""#);
    let mut log = Log::new();
    let reading = |n: u32| format!("[{{\"ts\":{},\"v\":140,\"w\":1,\"n\":{n}}}]", DAY + 1000);
    for _ in 0..2 {
        log.message("s/a", &reading(1));
    }
    let (engine, _) = run(&plan, &log);
    assert_eq!(number(&report(&engine), "sources.0.duplicate"), 1.0);
    assert_eq!(number(&report(&engine), "sources.0.violations.range"), 1.0);
    // Beside one that is new.
    let row = |n: u32| format!("{{\"ts\":{},\"v\":140,\"n\":{n}}}", DAY + 1000 * i64::from(n));
    log.message("s/a", &format!("[{},{},{}]", row(1), row(2), row(1)));
    let (engine, _) = run(&plan, &log);
    assert_eq!(number(&report(&engine), "sources.0.violations.range"), 2.0);
    // A retained one, and a message of another source that fails before it is read.
    let packed = concat!(
        r#""idle_ms":60000},{"name":"z","topic":"z/{dev}","door":null,"format":"json","key":"{dev}","compression":"gzip","#,
        r#""fields":[{"name":"v","path":"v"}],"time":null,"seq":null,"lateness_ms":0,"clock_skew_max_ms":0,"idle_ms":60000}]"#
    );
    let plan = plan.replace(r#""idle_ms":60000}]"#, packed);
    let mut log = Log::new();
    log.packets(&[publish(1, 0, "s/a", reading(2).as_bytes(), None)]);
    log.message("z/a", "no gzip");
    let (engine, _) = run(&plan, &log);
    assert_eq!(number(&report(&engine), "sources.1.quarantined"), 1.0);
    assert!(at(&report(&engine), "sources.1.violations").get("range").is_none());
}

#[test]
fn a_label_that_is_refused_takes_no_other_of_its_message_along() {
    let label = concat!(
        r#""label":{"topic":"labels/{room}/occupied","key":"{room}","path":"who","time":"at","conflicts":"quarantine","#,
        r#""format":{"csv":{"separator":",","columns":["at","who"],"header":false}}}"#
    );
    let before = r#""label":{"topic":"labels/{room}/occupied","key":"{room}","path":"value","time":"ts"}"#;
    let task = OCCUPIED
        .replacen(before, label, 1)
        .replacen(r#""features":[]"#, r#""features":["co2"]"#, 1);
    let mut log = Log::new();
    for step in 0..6 {
        log.reading("a", "co2", step * 10_000, 400.0 + step as f64);
    }
    let lines = |lines: &[(i64, &str)]| {
        let line = |&(second, who): &(i64, &str)| format!("{},{who}\n", DAY + second * 1000);
        lines.iter().map(line).collect::<String>()
    };
    log.message("labels/a/occupied", &lines(&[(10, "yes")]));
    log.message("labels/a/occupied", &lines(&[(10, "perhaps"), (20, "no")]));
    let (engine, _) = run(&building(&task), &log);
    assert_eq!(fates(&engine, 1), [1, 0, 0, 0, 0, 1]);
    let report = report(&engine);
    assert_eq!(number(&report, "tasks.0.conflicting"), 1.0);
    assert_eq!(number(&report, "tasks.0.matured"), 2.0, "that of 20 s counts");
    let learner = engine.state.tasks[0].learner().unwrap();
    assert_eq!(learner.classes(), 2, "what is refused makes no class");
}
