//! `npm run bench -- drift` runs this: every detector over the drift streams, one line of JSON each. Arguments: repetitions
//! of each stream, run length.

use rivulet_engine::drift::streams::{CHANGE, ROWS, stream};
use rivulet_engine::drift::{Detector, Kind, Verdict, new};

const STREAMS: usize = 10;

/// First alarm from the change on, and alarms before it (or all, where nothing changes).
fn alarms(detector: &mut dyn Detector, kind: usize, values: &[f64]) -> (Option<usize>, usize) {
    let changes = !kind.is_multiple_of(5);
    let (mut first, mut wrong) = (None, 0);
    for (row, &x) in values.iter().enumerate() {
        if detector.update(x) == Verdict::Drift {
            if !changes || row < CHANGE {
                wrong += 1;
            } else if first.is_none() {
                first = Some(row - CHANGE);
            }
        }
    }
    (first, wrong)
}

/// Nanoseconds that this thread has had a processor, which other processes do not lengthen; NaN where there is no `/proc`.
fn spent() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    first.unwrap_or(f64::NAN)
}

fn main() {
    let number = |place: usize, absent: f64| -> f64 {
        let given = std::env::args().nth(place);
        given.map_or(absent, |text| text.parse().expect("a number"))
    };
    let (repetitions, run_length) = (number(1, 100.0) as u64, number(2, 1e5));
    let streams: Vec<Vec<Vec<f64>>> = (0..STREAMS)
        .map(|kind| (0..repetitions).map(|repetition| stream(kind, repetition)).collect())
        .collect();
    for (name, kind) in Kind::ALL {
        let mut cells = Vec::new();
        let began = spent();
        for (of, repeated) in streams.iter().enumerate() {
            let (mut delays, mut missed, mut wrong) = (0, 0, 0);
            for values in repeated {
                let (first, alarms) = alarms(&mut *new(kind, run_length), of, values);
                wrong += alarms;
                match first {
                    Some(delay) => delays += delay,
                    None => missed += 1,
                }
            }
            cells.push(format!("[{delays},{missed},{wrong}]"));
        }
        let values = repetitions as f64 * (STREAMS * ROWS) as f64;
        let micros = (spent() - began) / 1000.0 / values;
        // NaN is no JSON.
        let micros = if micros.is_finite() {
            micros.to_string()
        } else {
            "null".into()
        };
        println!(
            "{{\"detector\":\"{name}\",\"micros\":{micros},\"streams\":[{}]}}",
            cells.join(",")
        );
    }
}
