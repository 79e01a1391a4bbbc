//! Features by example: what each kind is for a room with a neighbour.

use super::*;
use crate::codec::Writer;
use crate::output::Outputs;
use crate::plan::tests::{FORECAST, building};

fn table(plan: &Plan) -> (Table, u32) {
    let mut table = Table::new(plan);
    let key = table.key("r1", plan).unwrap();
    let series = table.series(key, "co2", plan).unwrap();
    table.add(series, 0.0, 400.0, &plan.windows, &mut Outputs::new(&mut Writer::new()));
    table.add(
        series,
        1_800_000.0,
        410.0,
        &plan.windows,
        &mut Outputs::new(&mut Writer::new()),
    );
    table.complete(key, 70_000.0, &plan.windows, &mut Outputs::new(&mut Writer::new()));
    (table, key)
}

#[test]
fn every_kind_of_feature_has_its_value() {
    let plan = Plan::parse(building(FORECAST).as_bytes()).unwrap();
    let (mut table, key) = table(&plan);
    let names = [
        "co2",
        "co2.delta",
        "co2.rate",
        "co2.lag1",
        "co2.lag2",
        "m.co2.mean",
        "m.co2.count",
        "temp",
        "time.day_sin",
    ];
    let features = Features::resolve(names.map(String::from).to_vec(), &plan, &mut table.field_names);
    let (mut x, mut past) = (Vec::new(), Vec::new());
    features.remember(&table, key, &mut past);
    features.fill(&plan, &table, key, 21_600_000.0, &past, &mut x);
    assert_eq!(x[..4], [410.0, 10.0, 20.0, 410.0]);
    assert!(x[4].is_nan() && x[7].is_nan());
    assert_eq!(x[5..7], [400.0, 1.0]);
    assert!((x[8] - 1.0).abs() < 1e-15);
}

#[test]
fn a_window_keeps_what_a_feature_asks_of_it() {
    let asked = FORECAST.replace(
        "\"features\":[]",
        r#""features":["m.co2.p50","m.co2.delta","m.co2.top_3"]"#,
    );
    let plan = Plan::parse(building(&asked).as_bytes()).unwrap();
    let (mut table, key) = table(&plan);
    let features = Features::resolve(plan.tasks[0].features.clone(), &plan, &mut table.field_names);
    let mut x = Vec::new();
    features.fill(&plan, &table, key, 0.0, &[], &mut x);
    assert_eq!(x[..2], [400.0, 0.0]);
    assert!(x[2].is_nan(), "a list is no number");
}

#[test]
fn the_day_begins_at_midnight_also_before_1970() {
    assert_eq!(time_of(1, -DAY_MS), 1.0);
    assert!((time_of(0, -DAY_MS + 6.0 * HOUR_MS) - 1.0).abs() < 1e-12);
    // 1969-12-31 06:00 was a Wednesday, 2000-01-01 a Saturday.
    let wednesday = -DAY_MS + 6.0 * HOUR_MS;
    assert_eq!([6, 7, 8].map(|which| time_of(which, wednesday)), [6.0, 2.0, 0.0]);
    assert_eq!([7, 8].map(|which| time_of(which, 946_684_800_000.0)), [5.0, 1.0]);
}

#[test]
fn joins_look_at_other_keys_and_tables_as_of_the_time_asked_for() {
    let lookups =
        r#""lookups":[{"name":"rooms","columns":["area","floor"],"rows":[["r1",20.5,null],["r2",9,1]]}],"windows""#;
    let plan = Plan::parse(building(FORECAST).replacen("\"windows\"", lookups, 1).as_bytes()).unwrap();
    let (mut table, key) = table(&plan);
    for (name, at_ms, value) in [
        ("r2", 1_000_000.0, 500.0),
        ("r2", 2_000_000.0, 600.0),
        ("out.side", 0.0, 420.0),
    ] {
        let key = table.key(name, &plan).unwrap();
        let series = table.series(key, "co2", &plan).unwrap();
        table.add(
            series,
            at_ms,
            value,
            &plan.windows,
            &mut Outputs::new(&mut Writer::new()),
        );
    }
    let names = [
        "co2@r2",
        "co2@out.side",
        "co2@nobody",
        "co2.neighbours",
        "co2.age",
        "temp.age",
        "temp.missing",
        "co2.missing",
        "lookup.rooms.area",
        "lookup.rooms.floor",
        "lookup.rooms.nothing",
        "co2.diff1",
    ];
    let features = Features::resolve(names.map(String::from).to_vec(), &plan, &mut table.field_names);
    let (mut x, mut past) = (Vec::new(), Vec::new());
    features.remember(&table, key, &mut past);
    let shown = |x: &[f64]| x.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
    features.fill(&plan, &table, key, 1_860_000.0, &past, &mut x);
    assert_eq!(shown(&x), "500 420 NaN 460 60 NaN 1 0 20.5 NaN NaN 0");
    // A reading from later is not seen, though it has come.
    features.fill(&plan, &table, key, 1_000_000.0, &past, &mut x);
    assert_eq!(shown(&x), "500 420 NaN 460 1000 NaN 1 0 20.5 NaN NaN -10");
    features.fill(&plan, &table, key, 12_700_000.0, &past, &mut x);
    assert_eq!(shown(&x[3..4]), "600", "the one outside fell silent long ago");
}
