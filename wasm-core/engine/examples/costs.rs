//! What every expert says that it takes beside what it took here: nominal and measured nanoseconds to serve and learn a
//! row, for rows of 2, 8, 15 and 60 columns, then the same for whole panels with their inputs and mixes.
//! `cargo run --release --example costs` in `wasm-core/engine`. Measured natively, alone and warm; what experts say is for wasm,
//! where a row takes about a third more. `npm run bench -- learn` has whole panels in wasm.

use std::time::Instant;

use rivulet_engine::learner::{Column, Learner, LearnerKind, LearnerSpec, Query};
use rivulet_engine::panel::budget::{Budget, Cost};
use rivulet_engine::panel::choice::Choice;
use rivulet_engine::panel::experts::anchors::Memory;
use rivulet_engine::panel::experts::prior::Prior;
use rivulet_engine::panel::experts::{Cells, ClassRow, NumberRow, Truth, inputs_of, outputs};
use rivulet_engine::panel::inputs::Inputs;
use rivulet_engine::panel::row::PanelRow;
use rivulet_engine::panel::{classifier, regressor};

/// Rows of a pass, in slices.
const ROWS: usize = 500;
const SLICE: usize = 25;
const PASSES: usize = 20;

struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / 9_007_199_254_740_992.0
    }
}

/// Rows of `d` columns, of which one in three has few values.
fn rows(d: usize) -> Vec<Vec<f64>> {
    let mut random = Random(7);
    let cell = |random: &mut Random, column: usize| {
        let value = random.uniform();
        if column % 3 == 2 { (value * 5.0).floor() } else { value }
    };
    (0..ROWS * 3)
        .map(|_| (0..d).map(|column| cell(&mut random, column)).collect())
        .collect()
}

/// Nanoseconds of one of `ROWS` calls. The best of `PASSES` counts for every slice of some rows: a slice is shorter than
/// what a scheduler gives to others.
// The core reads no clock; what measures it from outside has to.
#[allow(clippy::disallowed_methods)]
fn best(mut call: impl FnMut(usize)) -> f64 {
    let mut least = [f64::INFINITY; ROWS / SLICE];
    for _ in 0..PASSES {
        for (slice, least) in least.iter_mut().enumerate() {
            let start = Instant::now();
            (slice * SLICE..(slice + 1) * SLICE).for_each(&mut call);
            *least = least.min(start.elapsed().as_secs_f64());
        }
    }
    least.iter().sum::<f64>() * 1e9 / ROWS as f64
}

fn print(names: &[String], cost: Cost, measured: f64) {
    let name = names.first().map_or("", String::as_str);
    println!("{name:44} {:8.0} {measured:8.0} {:9.2}", cost.ns, cost.ns / measured);
}

fn served(inputs: &mut Inputs, rows: &[Vec<f64>], classes: usize) -> Vec<PanelRow> {
    let mut panel_rows = Vec::new();
    for (serial, x) in rows.iter().enumerate() {
        let mut row = PanelRow {
            serial: serial as u64 + 1,
            last: f64::NAN,
            bases: [1.0, 2.0, 1.5, 1.2],
            ..PanelRow::default()
        };
        inputs.serve(0, x, &mut row.inputs);
        inputs.series_served(0, row.serial);
        inputs.series_arrived(0, row.serial, label(x, classes));
        inputs.arrived(0, x, label(x, classes));
        panel_rows.push(row);
    }
    panel_rows.split_off(rows.len() - ROWS)
}

fn label(x: &[f64], classes: usize) -> f64 {
    if classes == 0 {
        x.iter().sum()
    } else {
        (x[0] * classes as f64).floor()
    }
}

fn classes(d: usize, count: usize) {
    println!("\n{d} columns, {count} classes: nominal ns, measured ns, nominal / measured");
    let rows = rows(d);
    let mut inputs = Inputs::new(vec![false; d], 1, false).with_series();
    let panel_rows = served(&mut inputs, &rows, count);
    let mut prior = Prior::new(count);
    prior.learn(None, 1);
    let mut scratch = Vec::new();
    for expert in &mut classifier::roster::experts(&inputs, Choice::all(true), Memory::default()) {
        expert.begin(&inputs, outputs(count));
        expert.grow(count);
        let width = expert.width();
        let mut cells = vec![0.0; width * count];
        let measured = best(|place| {
            let (row, x) = (&panel_rows[place], &rows[rows.len() - ROWS + place]);
            let Some(z) = inputs_of(expert.map(), row, &inputs, &mut scratch) else {
                return;
            };
            let seen = ClassRow {
                z,
                x,
                serial: row.serial,
                last: None,
                prior: &prior,
                inputs: &inputs,
                release: None,
            };
            expert.predict(&seen, &mut Cells::new(&mut cells, width, 0, count));
            let class = label(x, count) as usize;
            expert.learn(&seen, Truth { class, classes: count });
        });
        print(&expert.names(), expert.cost(outputs(count)), measured);
    }
}

fn numbers(d: usize) {
    println!("\n{d} columns, a number: nominal ns, measured ns, nominal / measured");
    let rows = rows(d);
    let mut inputs = Inputs::new(vec![false; d], 1, false).with_series();
    let panel_rows = served(&mut inputs, &rows, 0);
    let mut scratch = Vec::new();
    for expert in &mut regressor::roster::experts(&inputs, false, Choice::all(false)) {
        expert.begin(&inputs, 1);
        let mut out = vec![0.0; expert.width()];
        let errors = vec![1.0; expert.width()];
        let measured = best(|place| {
            let (row, x) = (&panel_rows[place], &rows[rows.len() - ROWS + place]);
            let Some(z) = inputs_of(expert.map(), row, &inputs, &mut scratch) else {
                return;
            };
            let seen = NumberRow {
                z,
                x,
                serial: row.serial,
                key: 0,
                bases: &row.bases,
                range: (-1e9, 1e9),
                inputs: &inputs,
                release: None,
            };
            expert.predict(&seen, &mut out);
            expert.learn(&seen, label(x, 0), &errors);
        });
        print(&expert.names(), expert.cost(1), measured);
    }
}

/// A whole panel under a budget, after it has settled.
fn panel(d: usize, count: usize, ns: u32) {
    let rows = rows(d);
    let mut learner = Learner::new(LearnerSpec {
        kind: if count == 0 {
            LearnerKind::Regression
        } else {
            LearnerKind::Classification
        },
        columns: (0..d)
            .map(|column| Column {
                name: format!("c{column}"),
                categorical: false,
            })
            .collect(),
        residual: false,
        keys_max: 1,
        pending_max: 4,
        classes_max: count.max(2),
        memory: Memory::default(),
        experts: Choice::default(),
        budget: Budget {
            ns,
            ..Budget::default()
        },
    });
    for class in 0..count {
        learner
            .intern_class(&class.to_string())
            .expect("there is room for the class");
    }
    let mut run = |x: &[f64]| {
        let served = learner
            .serve(&Query {
                key: 0,
                x,
                base: f64::NAN,
            })
            .expect("a slot is free");
        learner.learn(served.slot, label(x, count));
    };
    for x in rows.iter().chain(&rows).chain(&rows) {
        run(x);
    }
    let measured = best(|place| run(&rows[place]));
    let what = if count == 0 {
        "a number".to_owned()
    } else {
        format!("{count} classes")
    };
    println!(
        "{d:3} columns, {what:10} budget {ns:6}: nominal {:7.0}, measured {measured:7.0}",
        learner.nominal_ns()
    );
}

fn main() {
    let only = std::env::args().nth(1);
    if only.as_deref() != Some("panels") {
        for d in [2, 8, 15, 60] {
            classes(d, 2);
            numbers(d);
        }
        classes(8, 6);
    }
    println!();
    for d in [2, 10, 20, 60] {
        for count in [0, 2, 6] {
            for ns in [1_000, 2_000, 8_000, 50_000] {
                panel(d, count, ns);
            }
        }
    }
}
