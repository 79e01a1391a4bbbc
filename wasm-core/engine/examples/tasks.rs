//! Runs the learner over the prequential tasks of the recorded data (their rules are in TASKS.md beside the data) and
//! prints what it reaches: `cargo run --release --example tasks -- ../../../shared/data [TASK] [--panel]`.

#![allow(clippy::disallowed_methods, reason = "a tool that measures reads the clock")]

use std::process::Command;
use std::time::Instant;

use rivulet_engine::evaluate::{Evaluation, EvaluationKind, EvaluationSpec};
use rivulet_engine::learner::Column;

struct Task {
    name: &'static str,
    classes: bool,
    /// Rows from a row to its label; 0: the label is the row's own.
    horizon: usize,
    rows: Vec<(f64, Vec<f64>)>,
}

fn lines(data: &str, file: &str) -> Vec<Vec<String>> {
    let output = Command::new("zcat")
        .arg(format!("{data}/{file}"))
        .output()
        .expect("zcat runs");
    let text = String::from_utf8(output.stdout).expect("the data is text");
    text.lines()
        .map(|line| {
            line.split(',')
                .map(|cell| cell.trim().trim_matches('"').to_owned())
                .collect()
        })
        .collect()
}

fn table(data: &str, file: &str, label: &str, features: &[&str], truth: fn(&str) -> f64) -> Vec<(f64, Vec<f64>)> {
    let lines = lines(data, file);
    let shift = lines[1].len() - lines[0].len();
    let at = |name: &str| {
        shift
            + lines[0]
                .iter()
                .position(|head| head == name)
                .expect("the column is there")
    };
    let columns: Vec<usize> = features.iter().map(|name| at(name)).collect();
    let number = |text: &String| text.parse().unwrap_or(f64::NAN);
    let rows = lines[1..].iter();
    rows.map(|row| {
        (
            truth(&row[at(label)]),
            columns.iter().map(|&column| number(&row[column])).collect(),
        )
    })
    .collect()
}

fn beijing(data: &str) -> Vec<(f64, Vec<f64>)> {
    let numbers = [
        "month", "hour", "PM2.5", "PM10", "SO2", "NO2", "CO", "O3", "TEMP", "PRES", "DEWP", "RAIN", "WSPM",
    ];
    let winds = [
        "N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW",
    ];
    let lines = lines(data, "beijing-air-quality/aotizhongxin.csv.gz");
    let at = |name: &str| {
        lines[0]
            .iter()
            .position(|head| head == name)
            .expect("the column is there")
    };
    let mut last = vec![0.0; 15];
    let mut rows = Vec::new();
    for pair in lines[1..].windows(2) {
        for (place, name) in numbers.iter().enumerate() {
            if let Ok(value) = pair[0][at(name)].parse() {
                last[place] = value;
            }
        }
        if let Some(wind) = winds.iter().position(|wind| *wind == pair[0][at("wd")]) {
            let angle = (22.5 * wind as f64).to_radians();
            last[13] = (libm::sin(angle) * 1e6).round() / 1e6;
            last[14] = (libm::cos(angle) * 1e6).round() / 1e6;
        }
        if let Ok(label) = pair[1][at("PM2.5")].parse() {
            rows.push((label, last.clone()));
        }
    }
    rows
}

fn tasks(data: &str) -> Vec<Task> {
    let number = |text: &str| text.parse().unwrap_or(f64::NAN);
    let office = ["Temperature", "Humidity", "Light", "CO2", "HumidityRatio"];
    let mut occupancy = Vec::new();
    for file in ["datatest", "datatraining", "datatest2"] {
        occupancy.extend(table(
            data,
            &format!("occupancy/{file}.csv.gz"),
            "Occupancy",
            &office,
            number,
        ));
    }
    let market = [
        "date",
        "day",
        "period",
        "nswprice",
        "nswdemand",
        "vicprice",
        "vicdemand",
        "transfer",
    ];
    let electricity = table(data, "elec2/electricity.csv.gz", "class", &market, |text| {
        f64::from(u8::from(text == "UP"))
    });
    let phishing_head = lines(data, "river/phishing.csv.gz").swap_remove(0);
    let (phishing_label, phishing_features) = phishing_head.split_last().expect("there are columns");
    let features: Vec<&str> = phishing_features.iter().map(String::as_str).collect();
    let phishing = table(data, "river/phishing.csv.gz", phishing_label, &features, number);
    let bananas = lines(data, "river/bananas.txt.gz").into_iter().map(|line| {
        let mut tokens = line[0].split_whitespace();
        let label = f64::from(u8::from(tokens.next() == Some("1")));
        let mut x = vec![0.0; 2];
        for token in tokens {
            let (index, value) = token.split_once(':').expect("libsvm tokens have a colon");
            x[index.parse::<usize>().expect("an index") - 1] = number(value);
        }
        (label, x)
    });
    let polls = [
        "ordinal_date",
        "gallup",
        "ipsos",
        "morning_consult",
        "rasmussen",
        "you_gov",
    ];
    let trump = table(data, "river/trump_approval.csv.gz", "five_thirty_eight", &polls, number);
    let chick = table(
        data,
        "river/chick-weights.csv.gz",
        "weight",
        &["time", "chick", "diet"],
        number,
    );
    // The same station as a forecast: the target is the current value, the label comes with a later row.
    let current: Vec<_> = beijing(data).into_iter().map(|(_, mut x)| (x.remove(2), x)).collect();
    vec![
        Task {
            name: "elec2",
            classes: true,
            horizon: 0,
            rows: electricity,
        },
        Task {
            name: "phishing",
            classes: true,
            horizon: 0,
            rows: phishing,
        },
        Task {
            name: "bananas",
            classes: true,
            horizon: 0,
            rows: bananas.collect(),
        },
        Task {
            name: "occupancy",
            classes: true,
            horizon: 0,
            rows: occupancy,
        },
        Task {
            name: "trump",
            classes: false,
            horizon: 0,
            rows: trump,
        },
        Task {
            name: "chick",
            classes: false,
            horizon: 0,
            rows: chick,
        },
        Task {
            name: "beijing",
            classes: false,
            horizon: 0,
            rows: beijing(data),
        },
        Task {
            name: "beijing 1h",
            classes: false,
            horizon: 1,
            rows: current.clone(),
        },
        Task {
            name: "beijing 6h",
            classes: false,
            horizon: 6,
            rows: current,
        },
    ]
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let data = arguments.first().map_or("../../../shared/data", String::as_str);
    let only = arguments.get(1).filter(|name| !name.starts_with("--"));
    for task in tasks(data)
        .into_iter()
        .filter(|task| only.is_none_or(|name| *name == task.name))
    {
        for label_delay in [0, 100] {
            run(
                &task,
                label_delay,
                arguments.iter().any(|argument| argument == "--panel"),
            );
        }
    }
}

#[allow(clippy::disallowed_methods)] // a tool may look at the clock; the engine may not
fn run(task: &Task, label_delay: usize, panel: bool) {
    let kind = if task.horizon > 0 {
        EvaluationKind::Forecast
    } else if task.classes {
        EvaluationKind::Classification
    } else {
        EvaluationKind::Regression
    };
    let columns: Vec<Column> = (0..task.rows[0].1.len())
        .map(|column| Column {
            name: column.to_string(),
            categorical: false,
        })
        .collect();
    let mut bytes = Vec::new();
    bytes.extend((task.rows.len() as u32).to_le_bytes());
    bytes.extend((columns.len() as u32).to_le_bytes());
    let mut order: Vec<u64> = Vec::new();
    for (label, x) in &task.rows {
        bytes.extend(0u32.to_le_bytes());
        let label = if task.classes {
            let bits = label.to_bits();
            let place = order.iter().position(|&known| known == bits).unwrap_or(order.len());
            if place == order.len() {
                order.push(bits);
            }
            place as f64
        } else {
            *label
        };
        bytes.extend(label.to_le_bytes());
        bytes.extend(x.iter().flat_map(|x| x.to_le_bytes()));
    }
    let classes_max = if task.classes { order.len().max(2) } else { 0 };
    let spec = EvaluationSpec {
        kind,
        columns,
        target: "y".to_owned(),
        horizon: task.horizon,
        label_delay,
        classes_max,
    };
    let mut evaluation = Evaluation::new(spec).expect("the specification is valid");
    let start = Instant::now();
    evaluation.rows(&bytes).expect("the rows are valid");
    let us = start.elapsed().as_secs_f64() * 1e6 / task.rows.len() as f64;
    let report = evaluation.report();
    let end = report.find(",\"classes\"").unwrap_or(report.len());
    println!(
        "{:10} {:3} {us:6.2} us/row  {}",
        task.name,
        label_delay,
        &report[report.find("metrics").unwrap_or(0)..end]
    );
    if panel {
        println!("{}", report[end..].replace('{', "\n  {"));
    }
}
