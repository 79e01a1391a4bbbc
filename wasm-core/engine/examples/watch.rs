//! What the watch of a live task costs, and what it says where nothing changes: `cargo run --release --example watch --
//! [RUN_LENGTH]` in `wasm-core/engine`. Per line: microseconds per row of the watch as it is by default (error and
//! prediction), with every feature, with all of them at once; then alarms per million rows of streams without a change, of a
//! detector alone and behind batch means.

use rivulet_engine::drift::watch::{Place, Watch};
use rivulet_engine::drift::{DriftSpec, Kind, Verdict, new};
use rivulet_engine::plan::DriftPlan;

const PLACE: Place = Place {
    key: 0,
    at_ms: 0.0,
    offset: 0,
};
const ROWS: usize = 1_000_000;

/// Uniform numbers between -0.5 and 0.5.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 * libm::ldexp(1.0, -53) - 0.5
    }
}

/// Nanoseconds that this thread has had a processor; NaN where there is no `/proc`.
fn spent() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    first.unwrap_or(f64::NAN)
}

fn cost(plan: &DriftPlan, features: usize) -> f64 {
    let mut noise = Noise(1);
    let rows: Vec<Vec<f64>> = (0..1000)
        .map(|_| (0..features).map(|_| noise.next()).collect())
        .collect();
    let errors: Vec<f64> = (0..1000).map(|_| noise.next().abs()).collect();
    let mut watch = Watch::new(plan, features);
    let began = spent();
    for row in 0..ROWS {
        let x = &rows[row % 1000];
        watch.served(PLACE, x, errors[(row + 7) % 1000], |_| {});
        watch.matured(PLACE, errors[row % 1000], |_| {});
    }
    (spent() - began) / 1000.0 / ROWS as f64
}

fn main() {
    let run_length = std::env::args()
        .nth(1)
        .map_or(1e5, |text| text.parse().expect("a number"));
    let kind = Kind::Adwin;
    let spec = DriftSpec { kind, run_length };
    let usual = DriftPlan {
        spec,
        ..DriftPlan::default()
    };
    let each = DriftPlan {
        features: true,
        ..usual.clone()
    };
    let at_once = DriftPlan {
        multivariate: true,
        ..usual.clone()
    };
    println!("µs per row, error and prediction      {:.3}", cost(&usual, 10));
    println!("  and each of 10 features             {:.3}", cost(&each, 10));
    println!("  and 10 features at once             {:.3}", cost(&at_once, 10));
    println!("  and 100 features at once            {:.3}", cost(&at_once, 100));
    for memory in [0.0, 0.5, 0.9, 0.99] {
        let only = DriftPlan {
            error: false,
            ..usual.clone()
        };
        let (mut watch, mut alone) = (Watch::new(&only, 0), new(kind, run_length));
        let (mut noise, mut level, mut bare) = (Noise(3), 0.0, 0);
        for _ in 0..ROWS {
            level = memory * level + noise.next();
            bare += u64::from(alone.update(level) == Verdict::Drift);
            watch.served(PLACE, &[], level, |_| {});
        }
        println!(
            "alarms per million, autocorrelation {memory:.2}  alone {bare}, behind batch means {}",
            watch.alarms()
        );
    }
}
