//! Detectors with River's settings alarm at River's rows on the drift streams (`drift/reference.py` wrote the rows).

use rivulet_engine::drift::adwin::Adwin;
use rivulet_engine::drift::ddm::Ddm;
use rivulet_engine::drift::eddm::Eddm;
use rivulet_engine::drift::hddm_a::HddmA;
use rivulet_engine::drift::hddm_w::HddmW;
use rivulet_engine::drift::kswin::Kswin;
use rivulet_engine::drift::page_hinkley::PageHinkley;
use rivulet_engine::drift::streams::stream;
use rivulet_engine::drift::{Detector, Verdict};

fn with_rivers_settings(name: &str) -> Box<dyn Detector> {
    match name {
        "adwin" => Box::new(Adwin::new(0.002, 32)),
        "page_hinkley" => Box::new(PageHinkley::new(0.005, 20.0, 0.9999)),
        "ddm" => Box::new(Ddm::new(2.0, 3.0)),
        "eddm" => Box::new(Eddm::new(0.95, 0.9)),
        "hddm_a" => Box::new(HddmA::new(0.001, 0.005, false)),
        "hddm_a both" => Box::new(HddmA::new(0.001, 0.005, true)),
        "hddm_w" => Box::new(HddmW::new(0.001, 0.005, 0.05, false)),
        "hddm_w both" => Box::new(HddmW::new(0.001, 0.005, 0.05, true)),
        "kswin" => Box::new(Kswin::new(0.005)),
        _ => panic!("no detector is called {name}"),
    }
}

#[test]
fn alarms_come_at_the_rows_of_the_reference() {
    let mut alarms = 0;
    for line in include_str!("drift/reference.txt").lines() {
        let [name, k, r, rows] = line.split("; ").map(str::trim).chain([""]).take(4).collect::<Vec<_>>()[..] else {
            panic!("four parts: {line}");
        };
        let k: usize = k.parse().unwrap();
        let r: u64 = r.trim_end_matches(';').parse().unwrap();
        let expected: Vec<usize> = rows.split_whitespace().map(|row| row.parse().unwrap()).collect();
        let mut detector = with_rivers_settings(name);
        let mut found = Vec::new();
        for (row, x) in stream(k, r).into_iter().enumerate() {
            if detector.update(x) == Verdict::Drift {
                found.push(row);
                if name == "adwin" {
                    detector.reset(); // as River's does; ours keeps the window that is left
                }
            }
        }
        assert_eq!(found, expected, "{name} on stream {k}, repetition {r}");
        alarms += found.len();
    }
    assert!(alarms > 500, "the reference has alarms to compare: {alarms}");
}
