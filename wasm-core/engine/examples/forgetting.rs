//! Worlds that return: concepts A B A B … of made streams, and of a table whose second concept turns its labels around.
//! What a panel loses in the first rows after each return, and in all, with each part of what `drift: { do: … }` offers
//! switched on by itself and together: `cargo run --release --example forgetting -- [TABLE.csv]` in `wasm-core/engine`
//! (label in the last column, 0 or 1). One line of JSON each: error and log loss. `npm run bench -- forgetting` runs it.

use rivulet_engine::drift::watch::{Place, Watch};
use rivulet_engine::learner::{Column, Learner, LearnerKind, LearnerSpec, Query};
use rivulet_engine::panel::budget::Budget;
use rivulet_engine::panel::experts::anchors::Memory;
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
    });
    for class in ["no", "yes"] {
        learner.intern_class(class).expect("there is room for two");
    }
    let only_error = DriftPlan {
        prediction: false,
        ..DriftPlan::default()
    };
    let mut watch = Watch::new(&only_error, d);
    let mut sums = [0.0; 4];
    let mut returns = 0.0;
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
        sums[2] += score.error;
        sums[3] += loss;
        if row >= 2 * SEGMENT && row % SEGMENT < FIRST {
            sums[0] += score.error;
            sums[1] += loss;
            returns += 1.0;
        }
    }
    let all = rows.len() as f64;
    [sums[0] / returns, sums[1] / returns, sums[2] / all, sums[3] / all]
}

fn main() {
    let memory = |reset: bool, anchor: bool, replay: bool| Memory { reset, anchor, replay };
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
            },
        ),
    ];
    let given = std::env::args().nth(1);
    let streams: [(&str, &dyn Fn(u64) -> Rows); 3] = [("sea", &sea), ("sine", &sine), ("hyperplane", &hyperplane)];
    let made = streams.map(|(name, make)| (name, (1..=REPETITIONS).map(make).collect::<Vec<Rows>>()));
    let read = given.map(|path| ("table", vec![table(&path)]));
    for (name, repetitions) in made.into_iter().chain(read) {
        for (parts_name, parts) in variants {
            let mut means = [0.0; 4];
            for rows in &repetitions {
                for (mean, value) in means.iter_mut().zip(run(rows, parts)) {
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
