//! Windows of every shape by example; the slow reference of all of them is in test/windows.

use super::*;
use crate::json;

/// A window from its JSON, with name, fields and statistics filled in.
fn window(rest: &str) -> Window {
    let lateness = if rest.contains("step") { 0 } else { 5000 };
    let text = format!(r#"{{"name":"m","of":[],"stats":["mean"],"lateness_ms":{lateness},{rest}}}"#);
    Window::parse(&json::parse(text.as_bytes()).unwrap()).unwrap()
}

fn minute() -> Window {
    window(r#""every_ms":60000"#)
}

/// What a span puts out for readings in the order of arrival, the time of the key being the latest of them; at the end
/// all is closed. `(start, end, count, revision, final)`.
fn results(definition: &Window, readings: &[(f64, f64)]) -> Vec<(f64, f64, u64, u32, bool)> {
    let mut span = Span::new(0, definition);
    let mut complete_ms = f64::NEG_INFINITY;
    let mut results = Vec::new();
    let mut put_out = |frame: &Frame| {
        let count = frame.aggregate.map_or(0, |aggregate| aggregate.count);
        results.push((frame.start, frame.end, count, frame.revision, frame.is_final));
    };
    for &(time, value) in readings {
        complete_ms = if time > complete_ms { time } else { complete_ms };
        span.close(definition, complete_ms, &mut put_out);
        if span.accepts(definition, time, complete_ms) {
            let due_ms = span.add(definition, time, value, complete_ms);
            if due_ms <= complete_ms {
                span.close(definition, complete_ms, &mut put_out);
            }
        }
    }
    span.close(definition, 1e15, &mut put_out);
    results
}

#[test]
fn a_window_takes_readings_until_its_end_plus_lateness_and_is_put_out_once() {
    let definition = minute();
    let mut span = Span::new(0, &definition);
    span.add(&definition, 1000.0, 2.0, 1000.0);
    span.add(&definition, 61_000.0, 9.0, 61_000.0);
    assert!(span.accepts(&definition, 59_999.0, 64_999.0));
    span.add(&definition, 500.0, 4.0, 64_999.0);
    assert!(!span.accepts(&definition, 59_999.0, 65_000.0));
    let mut put_out = Vec::new();
    let next = span.close(&definition, 65_000.0, |frame| {
        put_out.push((frame.start, frame.aggregate.unwrap().clone()))
    });
    assert_eq!(next, 125_000.0);
    assert_eq!(put_out.len(), 1);
    let (start, window) = &put_out[0];
    assert_eq!(
        (*start, window.count, window.sum(), window.mean(), window.std()),
        (0.0, 2, 6.0, 3.0, 1.0)
    );
    assert_eq!((window.min, window.max, window.last), (2.0, 4.0, 2.0));
    assert_eq!(span.close(&definition, 1e9, |_| ()), f64::INFINITY);
    assert_eq!(span.closed.as_ref().unwrap().last, 9.0);
}

#[test]
fn windows_that_open_out_of_order_close_in_order() {
    let definition = minute();
    let mut span = Span::new(0, &definition);
    for time in [130_000.0, 10_000.0, 70_000.0, -10.0] {
        span.add(&definition, time, time, time);
    }
    let mut starts = Vec::new();
    span.close(&definition, f64::MAX, |frame| starts.push(frame.start));
    assert_eq!(starts, [-60_000.0, 0.0, 60_000.0, 120_000.0]);
}

#[test]
fn a_time_just_below_a_boundary_is_in_the_window_before_it() {
    let every_ms = 0.1 + 1.0;
    for step in 1..1000 {
        let boundary = f64::from(step) * every_ms;
        let below = f64::from_bits(boundary.to_bits() - 1);
        assert!(floor_to(below, every_ms) <= below);
    }
}

#[test]
fn a_late_reading_corrects_a_result_that_is_out_until_the_time_allowed_is_over() {
    let definition = window(r#""every_ms":60000,"allowed_lateness_ms":60000"#);
    let readings = [
        (1e3, 1.0),
        (65e3, 1.0),
        (2e3, 1.0),
        (3e3, 1.0),
        (126e3, 1.0),
        (4e3, 1.0),
    ];
    assert_eq!(
        results(&definition, &readings),
        [
            (0.0, 60e3, 1, 0, false),
            (0.0, 60e3, 2, 1, false),
            (0.0, 60e3, 3, 2, false),
            (0.0, 60e3, 3, 3, true),
            (60e3, 120e3, 1, 0, false),
            (60e3, 120e3, 1, 1, true),
            (120e3, 180e3, 1, 0, true),
        ]
    );
}

#[test]
fn sliding_windows_overlap_and_are_put_out_as_long_as_there_are_readings() {
    let definition = window(r#""size_ms":60000,"every_ms":25000"#);
    assert_eq!(
        results(&definition, &[(1e3, 1.0), (26e3, 1.0), (59e3, 1.0), (200e3, 1.0)]),
        [
            (-50e3, 10e3, 1, 0, true),
            (-25e3, 35e3, 2, 0, true),
            (0.0, 60e3, 3, 0, true),
            (25e3, 85e3, 2, 0, true),
            (50e3, 110e3, 1, 0, true),
            (150e3, 210e3, 1, 0, true),
            (175e3, 235e3, 1, 0, true),
            (200e3, 260e3, 1, 0, true),
        ]
    );
}

#[test]
fn a_session_ends_with_its_gap_and_a_late_reading_joins_two_and_withdraws_one() {
    let definition = window(r#""gap_ms":10000,"allowed_lateness_ms":60000"#);
    assert_eq!(
        results(
            &definition,
            &[(1e3, 1.0), (20e3, 1.0), (40e3, 1.0), (12e3, 1.0), (10.5e3, 1.0)]
        ),
        [
            (1e3, 11e3, 1, 0, false),
            (20e3, 30e3, 1, 0, false),
            (20e3, 30e3, 0, 1, true),
            (12e3, 30e3, 2, 0, false),
            (12e3, 30e3, 0, 1, true),
            (1e3, 30e3, 4, 1, false),
            (1e3, 30e3, 4, 2, true),
            (40e3, 50e3, 1, 0, true),
        ]
    );
}

#[test]
fn count_windows_are_put_out_when_they_are_full() {
    let readings: Vec<(f64, f64)> = (0..8).map(|n| (f64::from(n) * 10.0, 1.0)).collect();
    assert_eq!(
        results(&window(r#""count":3,"step":3"#), &readings),
        [(0.0, 20.0, 3, 0, true), (30.0, 50.0, 3, 0, true)]
    );
    let ends: Vec<f64> = results(&window(r#""count":4,"step":2"#), &readings)
        .iter()
        .map(|result| result.1)
        .collect();
    assert_eq!(ends, [30.0, 50.0, 70.0]);
}

/// Ten thousand keys with ten windows have a hundred thousand of each.
#[test]
fn the_plain_case_stays_small() {
    assert!(size_of::<Aggregate>() <= 72, "{}", size_of::<Aggregate>());
    assert!(size_of::<Span>() <= 112, "{}", size_of::<Span>());
}

#[test]
fn a_span_is_loaded_as_it_was_saved() {
    for rest in [
        r#""every_ms":60000"#,
        r#""size_ms":60000,"every_ms":7000"#,
        r#""size_ms":60000,"every_ms":7000,"allowed_lateness_ms":9000"#,
        r#""count":7,"step":2"#,
        r#""gap_ms":9000,"allowed_lateness_ms":9000,"trigger":{"count":2,"every_ms":1000,"field":null,"reset":false}"#,
        r#""trigger":{"count":0,"every_ms":1000,"field":"x","value":1,"reset":true}"#,
    ] {
        let definition = window(rest);
        let mut span = Span::new(3, &definition);
        for step in 0..100_u32 {
            let time = f64::from(step * 7919 % 60_000 + step * 1000);
            if span.accepts(&definition, time, time) {
                span.add(&definition, time, time, time);
            }
            span.close(&definition, time, |_| ());
            let mut writer = Writer::new();
            span.save(&definition, &mut writer);
            let mut reader = Reader::new(writer.as_slice());
            assert_eq!(
                Span::load(3, &definition, u16::MAX, &mut reader),
                Ok(span.clone()),
                "{rest}"
            );
            assert_eq!(reader.remaining(), 0);
        }
    }
}

/// What a span puts out, to the bit, for readings of which some come late; a copy of it that is saved and loaded on the way says
/// the same, whatever either has kept of merges.
#[test]
fn a_span_that_was_saved_and_loaded_goes_on_as_the_one_that_was_not() {
    for rest in [
        r#""size_ms":20000,"every_ms":100"#,
        r#""size_ms":12000,"every_ms":1000,"allowed_lateness_ms":9000"#,
        r#""count":150,"step":1"#,
    ] {
        let definition = window(rest);
        let (mut straight, mut parts) = (Span::new(0, &definition), Span::new(0, &definition));
        let (mut complete_ms, mut seed, mut results) = (f64::NEG_INFINITY, 7_u32, 0);
        for step in 0..700_u32 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let late = if seed >> 28 == 0 {
                f64::from((seed >> 12) & 0x3fff)
            } else {
                0.0
            };
            let (time, value) = (f64::from(step * 90) - late, f64::from(seed >> 20) / 7.0);
            complete_ms = if time > complete_ms { time } else { complete_ms };
            let said = [&mut straight, &mut parts].map(|span| {
                let mut said = Vec::new();
                let mut put_out = |frame: &Frame| {
                    let sums = frame
                        .aggregate
                        .map(|aggregate| (aggregate.count, aggregate.sum().to_bits()));
                    said.push((frame.start.to_bits(), frame.end.to_bits(), sums, frame.revision));
                };
                span.close(&definition, complete_ms, &mut put_out);
                if span.accepts(&definition, time, complete_ms)
                    && span.add(&definition, time, value, complete_ms) <= complete_ms
                {
                    span.close(&definition, complete_ms, &mut put_out);
                }
                let mut writer = Writer::new();
                span.save(&definition, &mut writer);
                (said, writer.into_vec())
            });
            assert!(said[0] == said[1], "{rest} at {step}");
            results += said[0].0.len();
            if (seed >> 8) & 7 == 0 {
                parts = Span::load(0, &definition, u16::MAX, &mut Reader::new(&said[1].1)).unwrap();
            }
        }
        assert!(results > 50, "{rest} put out {results}");
    }
}
