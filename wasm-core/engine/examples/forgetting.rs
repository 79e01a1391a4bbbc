//! Worlds that return: concepts A B A B … of made streams, and of a table whose second concept turns its labels around.
//! What a panel loses in the first rows after each return, and in all, with each part of what `drift: { do: … }` offers
//! switched on by itself and together: `cargo run --release --example forgetting -- [TABLE.csv]` in `wasm-core/engine`
//! (label in the last column, 0 or 1). The network is there in the panel and by itself, with each of its parts switched off.
//! One line of JSON each: error and log loss. `npm run bench -- forgetting` runs it.

use rivulet_engine::drift::watch::{Place, Watch};
use rivulet_engine::learner::{Column, Learner, LearnerKind, LearnerSpec, Query};
use rivulet_engine::panel::budget::Budget;
use rivulet_engine::panel::choice::Choice;
use rivulet_engine::panel::experts::anchors::Memory;
use rivulet_engine::panel::experts::network::{Network, Parts as NetworkParts};
use rivulet_engine::panel::experts::prior::Prior;
use rivulet_engine::panel::experts::{Cells, ClassExpert, ClassRow, Expert, Truth, inputs_of};
use rivulet_engine::panel::inputs::Inputs;
use rivulet_engine::panel::row::PanelRow;
use rivulet_engine::plan::DriftPlan;

/// Rows of a concept before the other one comes, and how often one comes.
const SEGMENT: usize = 2_000;
const SEGMENTS: usize = 10;
/// Rows after a return.
const FIRST: usize = 100;
const REPETITIONS: u64 = 3;
const PLACE: Place = Place {
    key: 0,
    at_ms: 0.0,
    offset: 0,
};

/// splitmix64.
struct Draw(u64);

impl Draw {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 * libm::ldexp(1.0, -53)
    }
}

type Rows = Vec<(Vec<f64>, bool)>;

/// Which concept a row is of.
fn second(row: usize) -> bool {
    row / SEGMENT % 2 == 1
}

/// SEA (Street & Kim 2001): two of three numbers against a threshold, 10 % of the labels wrong.
fn sea(seed: u64) -> Rows {
    let mut draw = Draw(seed);
    let rows = 0..SEGMENT * SEGMENTS;
    rows.map(|row| {
        let x: Vec<f64> = (0..3).map(|_| 10.0 * draw.uniform()).collect();
        let limit = if second(row) { 13.0 } else { 7.0 };
        let wrong = draw.uniform() < 0.1;
        let label = (x[0] + x[1] <= limit) != wrong;
        (x, label)
    })
    .collect()
}

/// SINE (Gama et al. 2004): below a curve, then above it, among two numbers that say nothing.
fn sine(seed: u64) -> Rows {
    let mut draw = Draw(seed ^ 0x51);
    let rows = 0..SEGMENT * SEGMENTS;
    rows.map(|row| {
        let x: Vec<f64> = (0..4).map(|_| draw.uniform()).collect();
        let below = x[1] < 0.5 + 0.3 * libm::sin(3.0 * std::f64::consts::PI * x[0]);
        (x, below != second(row))
    })
    .collect()
}

/// A turning hyperplane (Hulten et al. 2001) that jumps between two places, 5 % of the labels wrong.
fn hyperplane(seed: u64) -> Rows {
    let mut draw = Draw(seed ^ 0xA7);
    let planes: Vec<Vec<f64>> = (0..2)
        .map(|_| (0..10).map(|_| draw.uniform() - 0.5).collect())
        .collect();
    let rows = 0..SEGMENT * SEGMENTS;
    rows.map(|row| {
        let x: Vec<f64> = (0..10).map(|_| draw.uniform() - 0.5).collect();
        let plane = &planes[usize::from(second(row))];
        let side: f64 = x.iter().zip(plane).map(|(x, w)| x * w).sum();
        let wrong = draw.uniform() < 0.05;
        (x, (side > 0.0) != wrong)
    })
    .collect()
}

/// The first rows of a table; the second concept turns its labels around.
fn table(path: &str) -> Rows {
    let text = std::fs::read_to_string(path).expect("the table can be read");
    let rows = text.lines().skip(1).take(SEGMENT * SEGMENTS).enumerate();
    rows.map(|(row, line)| {
        let mut cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap_or(f64::NAN)).collect();
        let label = cells.pop() == Some(1.0);
        (cells, label != second(row))
    })
    .collect()
}

/// What is switched on.
#[derive(Clone, Copy, Default)]
struct Parts {
    adapt: bool,
    memory: Memory,
    /// The network takes part.
    network: bool,
}

/// Sums of error and log loss, of the rows right after a return and of all.
#[derive(Default)]
struct Tally {
    sums: [f64; 4],
    returns: f64,
    rows: f64,
}

impl Tally {
    fn add(&mut self, row: usize, error: f64, loss: f64) {
        self.sums[2] += error;
        self.sums[3] += loss;
        self.rows += 1.0;
        if row >= 2 * SEGMENT && row % SEGMENT < FIRST {
            self.sums[0] += error;
            self.sums[1] += loss;
            self.returns += 1.0;
        }
    }

    fn means(&self) -> [f64; 4] {
        let [error, loss, error_all, loss_all] = self.sums;
        let (returns, rows) = (self.returns, self.rows);
        [error / returns, loss / returns, error_all / rows, loss_all / rows]
    }
}

fn watch(d: usize) -> Watch {
    let only_error = DriftPlan {
        prediction: false,
        ..DriftPlan::default()
    };
    Watch::new(&only_error, d)
}

/// The network alone, over the panel's inputs.
fn alone(rows: &Rows, parts: NetworkParts) -> [f64; 4] {
    let d = rows[0].0.len();
    let mut inputs = Inputs::new(vec![false; d], 1, false);
    let mut network = Network::new(&inputs, 0, parts).expect("the rows are narrow");
    let mut prior = Prior::new(2);
    let (mut watch, mut tally) = (watch(d), Tally::default());
    let (mut served, mut scratch) = (PanelRow::default(), Vec::new());
    for (row, (x, label)) in rows.iter().enumerate() {
        inputs.serve(0, x, &mut served.inputs);
        let z = inputs_of(network.map(), &served, &inputs, &mut scratch).expect("its inputs are there at once");
        let seen = ClassRow {
            z,
            x,
            serial: row as u64 + 1,
            last: None,
            prior: &prior,
            inputs: &inputs,
            release: None,
        };
        let mut cells = [0.5; 2];
        network.predict(&seen, &mut Cells::new(&mut cells, 1, 0, 2));
        let class = usize::from(*label);
        network.learn(&seen, Truth { class, classes: 2 });
        let error = f64::from(u8::from((cells[1] > cells[0]) != *label));
        tally.add(row, error, -libm::log(cells[class].max(1e-15)));
        watch.matured(PLACE, error, |_| network.changed());
        prior.learn(None, class);
        inputs.arrived(0, x, if *label { 1.0 } else { -1.0 });
    }
    tally.means()
}

/// Error and log loss of the rows right after a return, then of all.
fn run(rows: &Rows, parts: Parts) -> [f64; 4] {
    let d = rows[0].0.len();
    let column = |place: usize| Column {
        name: format!("x{place}"),
        categorical: false,
    };
    let mut learner = Learner::new(LearnerSpec {
        kind: LearnerKind::Classification,
        columns: (0..d).map(column).collect(),
        residual: false,
        classes_max: 2,
        pending_max: 1,
        keys_max: 1,
        budget: Budget::default(),
        memory: parts.memory,
        experts: Choice::named(
            ["default", "network"].into_iter().take(1 + usize::from(parts.network)),
            true,
        )
        .expect("both are known"),
    });
    for class in ["no", "yes"] {
        learner.intern_class(class).expect("there is room for two");
    }
    let (mut watch, mut tally) = (watch(d), Tally::default());
    for (row, (x, label)) in rows.iter().enumerate() {
        let query = Query {
            key: 0,
            x,
            base: f64::NAN,
        };
        let slot = learner.serve(&query).expect("one row waits").slot;
        let class = u32::from(*label);
        let loss = -libm::log(learner.probability(slot, class).max(1e-15));
        let score = learner.learn(slot, f64::from(class));
        watch.matured(PLACE, score.error, |_| {
            if parts.adapt {
                learner.adapt();
            }
            learner.changed();
        });
        tally.add(row, score.error, loss);
    }
    tally.means()
}

fn main() {
    let memory = |reset: bool, anchor: bool, replay: bool| Memory {
        reset,
        anchor,
        replay,
        ..Memory::default()
    };
    let variants = [
        ("panel as it is", Parts::default()),
        (
            "adapt",
            Parts {
                adapt: true,
                ..Parts::default()
            },
        ),
        (
            "reset",
            Parts {
                memory: memory(true, false, false),
                ..Parts::default()
            },
        ),
        (
            "reset, replay",
            Parts {
                memory: memory(true, false, true),
                ..Parts::default()
            },
        ),
        (
            "anchor",
            Parts {
                memory: memory(true, true, false),
                ..Parts::default()
            },
        ),
        (
            "anchor, replay",
            Parts {
                memory: memory(true, true, true),
                ..Parts::default()
            },
        ),
        (
            "anchor, replay, adapt",
            Parts {
                adapt: true,
                memory: memory(true, true, true),
                ..Parts::default()
            },
        ),
        (
            "network in the panel",
            Parts {
                network: true,
                ..Parts::default()
            },
        ),
        (
            "network in the panel, anchor",
            Parts {
                network: true,
                memory: memory(true, true, false),
                ..Parts::default()
            },
        ),
    ];
    let network = |replay, prioritised, hold, columns| NetworkParts {
        replay,
        prioritised,
        hold,
        columns,
    };
    let networks = [
        ("network alone, nothing", network(false, false, false, false)),
        ("network alone, replay", network(true, false, false, false)),
        ("network alone, prioritised", network(true, true, false, false)),
        ("network alone, ewc", network(false, false, true, false)),
        ("network alone, columns", network(false, false, false, true)),
        ("network alone, prioritised, ewc", network(true, true, true, false)),
        ("network alone, prioritised, columns", network(true, true, false, true)),
    ];
    let given = std::env::args().nth(1);
    let streams: [(&str, &dyn Fn(u64) -> Rows); 3] = [("sea", &sea), ("sine", &sine), ("hyperplane", &hyperplane)];
    let made = streams.map(|(name, make)| (name, (1..=REPETITIONS).map(make).collect::<Vec<Rows>>()));
    let read = given.map(|path| ("table", vec![table(&path)]));
    for (name, repetitions) in made.into_iter().chain(read) {
        let panels = variants.iter().map(|&(name, parts)| (name, Ok(parts)));
        let networks = networks.iter().map(|&(name, parts)| (name, Err(parts)));
        for (parts_name, parts) in panels.chain(networks) {
            let mut means = [0.0; 4];
            for rows in &repetitions {
                let one = match parts {
                    Ok(parts) => run(rows, parts),
                    Err(parts) => alone(rows, parts),
                };
                for (mean, value) in means.iter_mut().zip(one) {
                    *mean += value / repetitions.len() as f64;
                }
            }
            let [error, loss, error_all, loss_all] = means;
            println!(
                "{{\"stream\":\"{name}\",\"parts\":\"{parts_name}\",\"after_return\":[{error},{loss}],\"in_all\":[{error_all},{loss_all}]}}"
            );
        }
    }
}
