//! Runs the learner over CSV tables, prequentially, natively: what a change of the panel does, in a minute.
//!
//! `cargo run --release --example tables -- [--delay 0,100] [--budget-ns NS] [--experts NAMES] [--panel]
//! [--limit ROWS] TABLE_OR_DIRECTORY…` in `wasm-core/engine`. Names of experts are those of a task's configuration, `all` those that fit. A table is `name.csv` with the label in its last column; `name.json` beside it may say
//! `"kind":"regression"` or `"classification"`, else labels that are few whole numbers are classes. `npm run bench --
//! learn` leaves such tables in its cache. Per table: accuracy and log loss, or mean absolute error and that of the last
//! value, then CPU µs per row.

use std::path::{Path, PathBuf};

use rivulet_engine::evaluate::{Evaluation, EvaluationKind, EvaluationSpec};
use rivulet_engine::learner::Column;
use rivulet_engine::panel::budget::Budget;
use rivulet_engine::panel::choice::Choice;

/// Distinct whole labels up to which a table without a note is taken to be of classes.
const CLASSES_GUESSED_MAX: usize = 12;

struct Table {
    name: String,
    classes: usize,
    columns: Vec<Column>,
    /// Rows in the format of FORMATS §3.
    bytes: Vec<u8>,
    rows: usize,
}

fn read(path: &Path, limit: usize) -> Table {
    let text = std::fs::read_to_string(path).expect("the table can be read");
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("there is a header").split(',').collect();
    let cells: Vec<Vec<&str>> = lines.take(limit).map(|line| line.split(',').collect()).collect();
    let d = names.len() - 1;
    let numbers = |column: usize| {
        cells
            .iter()
            .all(|row| row[column].is_empty() || row[column].parse::<f64>().is_ok())
    };
    let columns: Vec<Column> = (0..d)
        .map(|column| Column {
            name: names[column].to_owned(),
            categorical: !numbers(column),
        })
        .collect();
    let note = std::fs::read_to_string(path.with_extension("json")).unwrap_or_default();
    let mut labels: Vec<&str> = cells.iter().map(|row| row[d]).collect();
    labels.sort_unstable();
    labels.dedup();
    let few = labels.len() <= CLASSES_GUESSED_MAX && labels.iter().all(|label| label.parse::<u32>().is_ok());
    let classes = if note.contains("regression") || (note.is_empty() && !few) {
        0
    } else {
        labels.len()
    };
    let mut known: Vec<Vec<&str>> = vec![Vec::new(); d + 1];
    let mut bytes = Vec::new();
    bytes.extend((cells.len() as u32).to_le_bytes());
    bytes.extend((d as u32).to_le_bytes());
    for row in &cells {
        let mut code = |column: usize, named: bool| {
            let cell = row[column];
            if !named {
                return cell.parse::<f64>().unwrap_or(f64::NAN);
            }
            let place = known[column].iter().position(|other| *other == cell);
            place.unwrap_or_else(|| {
                known[column].push(cell);
                known[column].len() - 1
            }) as f64
        };
        bytes.extend(0u32.to_le_bytes());
        let named = classes > 0 && labels.iter().any(|label| label.parse::<u32>().is_err());
        bytes.extend(code(d, named).to_le_bytes());
        for (column, about) in columns.iter().enumerate() {
            bytes.extend(code(column, about.categorical).to_le_bytes());
        }
    }
    Table {
        name: path
            .file_stem()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
        classes,
        columns,
        rows: cells.len(),
        bytes,
    }
}

fn tables(arguments: &[String]) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for argument in arguments {
        let path = PathBuf::from(argument);
        if path.is_dir() {
            let inside = std::fs::read_dir(path).expect("the directory can be read");
            paths.extend(inside.map(|entry| entry.expect("the entry can be read").path()));
        } else {
            paths.push(path);
        }
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "csv"));
    paths.sort();
    paths
}

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.remove(at);
        Some(arguments.remove(at))
    };
    let delays = option("--delay").unwrap_or_else(|| "0,100".to_owned());
    let limit = option("--limit").map_or(usize::MAX, |text| text.parse().expect("a number of rows"));
    let mut budget = Budget::default();
    if let Some(text) = option("--budget-ns") {
        budget.ns = text.parse().expect("a number of nanoseconds");
    }
    let experts = option("--experts").unwrap_or_else(|| "default".to_owned());
    let panel = arguments.iter().any(|argument| argument == "--panel");
    arguments.retain(|argument| argument != "--panel");
    for path in tables(&arguments) {
        let table = read(&path, limit);
        for delay in delays.split(',') {
            run(
                &table,
                delay.parse().expect("a delay is a number of rows"),
                budget,
                &experts,
                panel,
            );
        }
    }
}

/// CPU time of this process so far (Linux), since elapsed time says little on a busy machine.
fn cpu_ns() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split(' ')
        .next()
        .and_then(|ns| ns.parse().ok())
        .unwrap_or(f64::NAN)
}

fn run(table: &Table, label_delay: usize, budget: Budget, experts: &str, panel: bool) {
    let experts = match experts {
        "all" => Choice::all(table.classes > 0),
        names => Choice::named(names.split(','), table.classes > 0).expect("experts of this kind of task"),
    };
    let mut evaluation = Evaluation::new(EvaluationSpec {
        kind: if table.classes > 0 {
            EvaluationKind::Classification
        } else {
            EvaluationKind::Regression
        },
        columns: table.columns.clone(),
        target: "label".to_owned(),
        horizon: 0,
        label_delay,
        classes_max: table.classes.max(2),
        drift: None,
        budget,
        experts,
    })
    .expect("the specification is valid");
    let start = cpu_ns();
    evaluation.rows(&table.bytes).expect("the rows are valid");
    let us = (cpu_ns() - start) / 1e3 / table.rows as f64;
    let report = evaluation.report();
    let number = |key: &str| {
        let rest = &report[report.find(key).expect("the metric is there") + key.len() + 2..];
        rest[..rest.find([',', '}']).expect("a number ends")]
            .parse::<f64>()
            .unwrap_or(f64::NAN)
    };
    let (first, second) = if table.classes > 0 {
        (number("accuracy"), number("log_loss"))
    } else {
        (number("mae"), number("mae_last_value"))
    };
    println!("{:16} {label_delay:4} {first:10.5} {second:10.5} {us:7.2}", table.name);
    if panel {
        println!(
            "{}",
            report[report.find("\"panel\"").unwrap_or(0)..].replace('{', "\n  {")
        );
    }
}
