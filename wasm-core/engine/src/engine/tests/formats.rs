//! Every payload format and its refusals, messages about several devices, a flood of keys.

use super::*;

/// A plan with one source, written as JSON without its bounds on time.
fn source_plan(source: &str) -> String {
    format!(
        concat!(
            r#"{{"plan":1,"gateway":"g","limits":{{"keys":4,"fields":20,"pending_per_key":50,"payload_bytes":4096,"classes":8}},"#,
            r#""sources":[{{"name":"s","topic":"t/{{site}}","door":null,{},"#,
            r#""lateness_ms":5000,"clock_skew_max_ms":0,"idle_ms":60000}}],"#,
            r#""windows":[{{"name":"m","every_ms":60000,"of":[],"stats":["mean"],"lateness_ms":0}}],"tasks":[]}}"#
        ),
        source
    )
}

/// The latest value of every series, as `key/field=value`.
fn latest(engine: &Engine) -> Vec<String> {
    let table = &engine.state.table;
    let series = table.series.iter().map(|series| {
        let (key, field) = (table.key_names.name(series.key), table.field_names.name(series.field));
        format!("{key}/{field}={}", series.last)
    });
    series.collect()
}

const GATEWAY: &str = r#""format":"json","captures":[{"name":"unit","path":"devices.*.unit"}],"key":"{site}/{dev}","fields":[{"name":"{unit}","path":"devices.{dev}.v"},{"name":"battery","path":"devices.{dev}.b"}],"time":"ts","seq":"devices.*.n""#;

#[test]
fn a_message_about_several_devices_is_a_row_for_each() {
    let mut log = Log::new();
    let ts = DAY + MINUTE;
    log.message(
        "t/x",
        &format!(r#"{{"devices":{{"a":{{"unit":"C","v":1,"b":9,"n":1}},"b":{{"v":2,"unit":"F","n":1}},"c":{{"w":1}}}},"ts":{ts}}}"#),
    );
    // The number of a is a repeat, that of b is not; d has a reading without its unit, so that its name is not known.
    log.message(
        "t/x",
        &format!(
            r#"{{"ts":{ts},"devices":{{"a":{{"unit":"C","v":5,"n":1}},"b":{{"v":6,"unit":"F","n":3}},"d":{{"v":7}}}}}}"#
        ),
    );
    log.message(
        "t/x",
        &format!(r#"{{"ts":{ts},"devices":{{"a":{{"unit":"C","v":5,"n":1}}}}}}"#),
    );
    let (engine, _) = run(&source_plan(GATEWAY), &log);
    assert_eq!(latest(&engine), ["x/a/C=1", "x/a/battery=9", "x/b/F=6"]);
    assert_eq!(fates(&engine, 0), [2, 0, 1, 0, 0, 0]);
    assert_eq!(number(&report(&engine), "sources.0.gaps"), 1.0);
}

#[test]
fn a_message_is_used_whole_or_not_at_all() {
    let mut log = Log::new();
    for payload in [
        r#"{"ts":1760000000000,"devices":{"a":{"unit":"C","v":1},"b":{"unit":"C","v":1e300}}}"#,
        r#"{"ts":1760000000000,"devices":{"a":{"unit":"C","v":1},"b":"#,
        r#"{"ts":"never","devices":{"a":{"unit":"C","v":1}}}"#,
        r#"{"ts":1760000000000,"devices":{"a":{"unit":{},"v":1}}}"#,
    ] {
        log.message("t/x", payload);
    }
    let (engine, _) = run(&source_plan(GATEWAY), &log);
    assert_eq!(fates(&engine, 0), [0, 0, 0, 0, 0, 4]);
    assert!(latest(&engine).is_empty());
}

#[test]
fn a_flood_of_new_keys_is_refused_with_its_code_and_the_known_go_on() {
    let mut log = Log::new();
    let plan = source_plan(
        r#""format":"json","captures":[{"name":"id","path":"id"}],"key":"{id}","fields":[{"name":"v","path":"v"}],"time":null,"seq":null"#,
    );
    for id in 0..100 {
        log.message("t/x", &format!(r#"{{"id":{id},"v":1}}"#));
    }
    log.message("t/x", r#"{"id":2,"v":5}"#);
    let (engine, _) = run(&plan, &log);
    assert_eq!(fates(&engine, 0), [5, 0, 0, 0, 0, 96]);
    assert_eq!(latest(&engine), ["0/v=1", "1/v=1", "2/v=5", "3/v=1"]);
}

#[test]
fn a_key_with_many_fields_finds_each_in_whatever_order_they_come() {
    let plan =
        source_plan(r#""format":"json","key":"k","fields":[{"name":"{f}","path":"{f}"}],"time":null,"seq":null"#)
            .replace(r#""fields":20"#, r#""fields":200"#);
    let mut log = Log::new();
    let message = |order: &mut dyn Iterator<Item = u32>, add: u32| {
        let members: Vec<String> = order.map(|field| format!(r#""f{field}":{}"#, field + add)).collect();
        format!("{{{}}}", members.join(","))
    };
    log.message("t/x", &message(&mut (0..150), 0));
    log.message("t/x", &message(&mut (0..150).rev(), 1000));
    log.message("t/y", &message(&mut (0..150).step_by(7), 2000));
    let (engine, _) = run(&plan, &log);
    let expected = (0..150).map(|field| format!("k/f{field}={}", field + if field % 7 == 0 { 2000 } else { 1000 }));
    assert_eq!(latest(&engine), expected.collect::<Vec<_>>());
    // And behind a checkpoint, which does not hold how they are found.
    let mut state = Writer::new();
    engine.checkpoint(&mut state);
    let restored = Engine::restore(state.as_slice()).unwrap();
    let table = &restored.state.table;
    let found = (0..150).map(|field| table.find(0, table.field_names.find(&format!("f{field}")).unwrap()));
    assert_eq!(found.collect::<Vec<_>>(), (0..150).map(Some).collect::<Vec<_>>());
}

#[test]
fn text_may_begin_with_a_byte_order_mark() {
    for (format, payload) in [
        (r#""json""#, "\u{feff}{\"v\":1.5}"),
        (r#""auto""#, "\u{feff}{\"v\":1.5}"),
        (
            r#"{"csv":{"separator":",","columns":[],"header":true}}"#,
            "\u{feff}v,w\r\n1.5,2\r\n",
        ),
    ] {
        let plan = source_plan(&format!(
            r#""format":{format},"key":"k","fields":[{{"name":"v","path":"v"}}],"time":null,"seq":null"#
        ));
        let mut log = Log::new();
        log.message("t/x", payload);
        log.message("t/x", payload.trim_start_matches('\u{feff}'));
        let (engine, _) = run(&plan, &log);
        assert_eq!(fates(&engine, 0), [2, 0, 0, 0, 0, 0], "{format}");
        assert_eq!(latest(&engine), ["k/v=1.5"], "{format}");
    }
}

/// Sources of every format, a payload each, and the series it leaves.
const FORMATS: [(&str, &[u8], &[&str]); 8] = [
    (
        r#""format":"cbor","key":"k","fields":[{"name":"t","path":"t"}],"time":null,"seq":null"#,
        b"\xa1\x61t\xf9\x4d\x40",
        &["k/t=21"],
    ),
    (
        r#""format":"msgpack","captures":[{"name":"id","path":"id"}],"key":"{id}","fields":[{"name":"t","path":"t[1]"}],"time":"at","seq":null"#,
        b"\x83\xa2id\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa1t\x92\x01\xca\x41\xac\x00\x00\xa2at\xd6\xff\x68\xe7\x78\x00",
        &["18446744073709551615/t=21.5"],
    ),
    (
        r#""format":"senml","captures":[{"name":"n","path":"n"},{"name":"bn","path":"bn"}],"key":"{bn}","fields":[{"name":"{n}","path":"v"}],"time":"t","seq":null"#,
        br#"[{"bn":"dev:","bt":1.76e9,"n":"a","v":1},{"n":"b","t":-5,"v":2.5},{"n":"c","vs":"x"}]"#,
        &["dev:/a=1", "dev:/b=2.5"],
    ),
    (
        r#""format":"senml","key":"k","fields":[{"name":"volts","path":"[?n=a].v"},{"name":"amps","path":"[?name=b].v"}],"time":"t","seq":null"#,
        b"\x82\xa2\x00\x61a\x02\x18\xe6\xa3\x00\x61b\x02\x03\x06\x05",
        &["k/volts=230", "k/amps=3"],
    ),
    (
        r#""format":{"influx":{"precision":"ns"}},"captures":[{"name":"host","path":"tags.host"},{"name":"m","path":"measurement"}],"key":"{host}","fields":[{"name":"{m}.{f}","path":"fields.{f}"}],"time":"time","seq":null"#,
        b"cpu,host=a\\ b usage=0.5,n=3i,s=\"text\" 1760000000000000000\nmem,host=c free=7u\nmem free=1i\n",
        &["a b/cpu.usage=0.5", "a b/cpu.n=3", "c/mem.free=7"],
    ),
    (
        r#""format":{"csv":{"separator":";","columns":["dev","ts","t"],"header":false}},"captures":[{"name":"dev","path":"dev"}],"key":"{site}/{dev}","fields":[{"name":"t","path":"t"}],"time":"ts","seq":null"#,
        b"a;1760000000;21.5\r\n\"b;\"\"c\";1760000000;-3\r\nd;1760000000;\r\n",
        &["x/a/t=21.5", "x/b;\"c/t=-3"],
    ),
    (
        r#""format":{"csv":{"separator":",","columns":[],"header":true}},"key":"k","fields":[{"name":"t","path":"temp"}],"time":null,"seq":null"#,
        b"hum,temp\n40,21.5\n41,22",
        &["k/t=22"],
    ),
    (
        r#""format":{"binary":{"length":4,"values":[{"name":"t","at":0,"type":"i16","endian":"big","bits":[],"scale":0.01,"add":0},{"name":"open","at":2,"type":"u8","endian":"big","bits":[3,1],"scale":1,"add":0}]}},"key":"k","fields":[{"name":"t","path":"t"},{"name":"open","path":"open"}],"time":null,"seq":null"#,
        b"\xf8\x63\x08\x00",
        &["k/t=-19.49", "k/open=1"],
    ),
];

#[test]
fn every_format_gives_readings() {
    for (source, payload, series) in FORMATS {
        let mut log = Log::new();
        log.wall_ms = 1_760_000_000_000;
        log.packets(&[publish(0, 0, "t/x", payload, None)]);
        let (engine, _) = run(&source_plan(source), &log);
        assert_eq!(fates(&engine, 0), [1, 0, 0, 0, 0, 0], "{source}");
        assert_eq!(latest(&engine), series, "{source}");
    }
}

#[test]
fn every_truncation_of_every_format_has_a_fate() {
    for (source, payload, _) in FORMATS {
        let mut log = Log::new();
        log.wall_ms = 1_760_000_000_000;
        let ends = 0..payload.len();
        log.packets(
            &ends
                .map(|end| publish(0, 0, "t/x", &payload[..end], None))
                .collect::<Vec<_>>(),
        );
        let (engine, _) = run(&source_plan(source), &log);
        let fates = fates(&engine, 0);
        assert_eq!(fates.iter().sum::<u64>(), payload.len() as u64);
        // Text that ends too soon may still be a number in a line; in the other formats nothing is.
        let lines = source.contains("influx") || source.contains("csv");
        assert!(lines || fates[5] == payload.len() as u64, "{source} {fates:?}");
    }
}

#[test]
fn numbers_that_are_none_are_refused_with_their_code() {
    let mut log = Log::new();
    log.packets(&[
        publish(0, 0, "t/x", b"\xa1\x61t\xf9\x7e\x00", None),
        publish(0, 0, "t/x", b"\xa1\x61t\xf9\xfc\x00", None),
        publish(0, 0, "t/x", b"\xa1\x61t\xfb\x7f\xef\xff\xff\xff\xff\xff\xff", None),
    ]);
    let (engine, out) = run(&source_plan(FORMATS[0].0), &log);
    assert_eq!(fates(&engine, 0), [0, 0, 0, 0, 0, 3]);
    let code = (CoreError::BadNumbers as i32).to_le_bytes();
    assert_eq!(out.windows(4).filter(|bytes| *bytes == code).count(), 3);
}

#[test]
fn a_plan_with_a_format_out_of_range_is_refused() {
    for (index, from, to) in [
        (0, "cbor", "xml"),
        (4, "\"ns\"", "\"h\""),
        (5, "\";\"", "\"\\\"\""),
        (5, "\"path\":\"t\"", "\"path\":\"u\""),
        (5, "\"header\":false", "\"header\":true"),
        (7, "i16", "f16"),
        (7, "[3,1]", "[3,6]"),
        (7, "[3,1]", "[3]"),
        (7, "\"scale\":0.01", "\"scale\":0"),
        (7, "\"length\":4", "\"length\":2"),
        (7, "\"path\":\"t\"", "\"path\":\"*\""),
        (7, "\"path\":\"t\"", "\"path\":\"t.x\""),
    ] {
        let good = source_plan(FORMATS[index].0);
        assert!(Engine::open(good.as_bytes()).is_ok());
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        assert_eq!(Engine::open(bad.as_bytes()).err(), Some(CoreError::BadPlan), "{to}");
    }
}
