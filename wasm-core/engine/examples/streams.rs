//! Runs the forecaster over many small streams that nobody chose for it (the recorded NAB series, random walks, spikes,
//! a directory of CSV columns if given) and prints how it compares with the last value, stream by stream:
//! `cargo run --release --example streams -- ../../../shared/data [DIRECTORY] [--all]`. Each stream is forecast 1, 10
//! and 30 rows ahead, from the value alone and from features such as a gateway makes.

use std::process::Command;

use rivulet_engine::evaluate::{Evaluation, EvaluationKind, EvaluationSpec};
use rivulet_engine::learner::Column;
use rivulet_engine::panel::budget::Budget;
use rivulet_engine::panel::choice::Choice;

/// A forecast counts as bad when its error is above the last value's by more than this.
const WORSE: f64 = 1.02;

struct Stream {
    group: &'static str,
    name: String,
    values: Vec<f64>,
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / 9_007_199_254_740_992.0
    }

    fn gauss(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    /// Three degrees of freedom.
    fn heavy(&mut self) -> f64 {
        let chi: f64 = (0..3).map(|_| self.gauss()).map(|g| g * g).sum();
        self.gauss() / (chi / 3.0).sqrt()
    }
}

fn synthetic() -> Vec<Stream> {
    let mut streams = Vec::new();
    for seed in 1..=4u64 {
        for length in [200, 2_000] {
            let mut random = Random(seed * 7_919 + length as u64);
            let (mut walk, mut fat, mut slow, mut level) = (0.0, 0.0, 0.0, 0.0f64);
            let mut series: [Vec<f64>; 6] = Default::default();
            for _ in 0..length {
                walk += random.gauss();
                fat += random.heavy();
                slow = 0.95 * slow + random.heavy();
                series[0].push(walk);
                series[1].push(fat);
                series[2].push(slow);
                let spike = if random.uniform() < 0.05 {
                    50.0 * random.uniform()
                } else {
                    0.0
                };
                series[3].push(10.0 + random.gauss() + spike);
                if random.uniform() < 0.02 {
                    level = 100.0 * random.uniform();
                }
                series[4].push(level);
                series[5].push((level + 3.0 * random.gauss() + spike).max(0.0));
            }
            for (values, name) in
                series
                    .into_iter()
                    .zip(["walk", "fat walk", "fat ar", "spikes", "steps", "noisy steps"])
            {
                streams.push(Stream {
                    group: "made",
                    name: format!("{name} {length} {seed}"),
                    values,
                });
            }
        }
    }
    streams
}

fn read(command: &mut Command) -> String {
    let output = command.output().expect("the reader runs");
    String::from_utf8(output.stdout).expect("the data is text")
}

fn recorded(data: &str) -> Vec<Stream> {
    let list = read(Command::new("find").args([&format!("{data}/nab/data"), "-name", "*.csv.gz"]));
    let mut files: Vec<&str> = list.lines().collect();
    files.sort_unstable();
    files
        .into_iter()
        .map(|file| Stream {
            group: "nab",
            name: file.rsplit('/').next().unwrap_or(file).replace(".csv.gz", ""),
            values: read(Command::new("zcat").arg(file))
                .lines()
                .filter_map(|line| line.split(',').nth(1)?.parse().ok())
                .collect(),
        })
        .collect()
}

fn columns_of(directory: &str) -> Vec<Stream> {
    let list = read(Command::new("find").args([directory, "-name", "*.csv"]));
    let mut streams = Vec::new();
    for file in list.lines() {
        let text = read(Command::new("cat").arg(file));
        let head = text.lines().next().unwrap_or_default();
        for (place, name) in head.split(',').enumerate() {
            streams.push(Stream {
                group: "file",
                name: name.to_owned(),
                values: text
                    .lines()
                    .skip(1)
                    .filter_map(|line| line.split(',').nth(place)?.parse().ok())
                    .collect(),
            });
        }
    }
    streams
}

/// The error and the last value's.
fn run(values: &[f64], horizon: usize, rich: bool) -> (f64, f64) {
    let names: &[&str] = if rich {
        &[
            "lag1", "lag2", "lag4", "delta", "mean10", "min10", "max10", "sin", "cos",
        ]
    } else {
        &[]
    };
    let columns: Vec<Column> = names
        .iter()
        .map(|name| Column {
            name: (*name).to_owned(),
            categorical: false,
        })
        .collect();
    let mut bytes = Vec::new();
    bytes.extend((values.len() as u32).to_le_bytes());
    bytes.extend((columns.len() as u32).to_le_bytes());
    for (at, value) in values.iter().enumerate() {
        bytes.extend(0u32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
        if rich {
            let back = |rows: usize| at.checked_sub(rows).map_or(f64::NAN, |at| values[at]);
            let closed = at / 10 * 10;
            let window = &values[closed.saturating_sub(10)..closed];
            let turn = at as f64 / 288.0 * std::f64::consts::TAU;
            let known = |value: f64| if window.is_empty() { f64::NAN } else { value };
            for x in [
                back(1),
                back(2),
                back(4),
                value - back(1),
                known(window.iter().sum::<f64>() / window.len() as f64),
                known(window.iter().copied().fold(f64::INFINITY, f64::min)),
                known(window.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
                libm::sin(turn),
                libm::cos(turn),
            ] {
                bytes.extend(x.to_le_bytes());
            }
        }
    }
    let spec = EvaluationSpec {
        kind: EvaluationKind::Forecast,
        columns,
        target: "value".to_owned(),
        horizon,
        label_delay: 0,
        classes_max: 0,
        drift: None,
        budget: Budget::default(),
        experts: Choice::default(),
    };
    let mut evaluation = Evaluation::new(spec).expect("the specification is valid");
    evaluation.rows(&bytes).expect("the rows are valid");
    let report = evaluation.report();
    let number = |key: &str| {
        let rest = &report[report.find(key).expect("the metric is there") + key.len()..];
        let end = rest.find([',', '}']).expect("a number ends");
        rest[..end].parse::<f64>().expect("a number")
    };
    (number("\"mae\":"), number("\"mae_last_value\":"))
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let data = arguments.first().map_or("../../../shared/data", String::as_str);
    let mut streams = recorded(data);
    streams.extend(synthetic());
    if let Some(directory) = arguments.get(1).filter(|name| !name.starts_with("--")) {
        streams.extend(columns_of(directory));
    }
    let all = arguments.iter().any(|argument| argument == "--all");
    println!("group horizon features: streams, worse than the last value by over 2 %, median and worst ratio");
    for group in ["nab", "made", "file"] {
        for rich in [false, true] {
            for horizon in [1, 10, 30] {
                let mut ratios: Vec<(f64, &str)> = Vec::new();
                for stream in streams.iter().filter(|stream| stream.group == group) {
                    let (mae, last) = run(&stream.values, horizon, rich);
                    // A stream that never moves has nothing to be worse than: rounding is no error.
                    let scale = stream.values.iter().fold(0.0f64, |most, value| most.max(value.abs()));
                    let ratio = if last > 1e-12 * scale {
                        mae / last
                    } else {
                        1.0 + mae / scale
                    };
                    ratios.push((ratio, &stream.name));
                }
                ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
                if let Some(&(worst, name)) = ratios.last() {
                    println!(
                        "{group} {horizon:2} {}: {} streams, {} worse, median {:.3}, worst {worst:.3} {name}",
                        if rich { "rich " } else { "value" },
                        ratios.len(),
                        ratios.iter().filter(|(ratio, _)| *ratio > WORSE).count(),
                        ratios[ratios.len() / 2].0,
                    );
                    for (ratio, name) in ratios.iter().rev().filter(|(ratio, _)| all && *ratio > WORSE) {
                        println!("    {ratio:.3} {name}");
                    }
                }
            }
        }
    }
}
