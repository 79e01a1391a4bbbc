//! Made streams whose change is known: ten kinds of 10,000 values, the change at value 5,000; zeros and ones (0 to 4) or
//! normal (5 to 9). The same numbers bit for bit wherever splitmix64 is, so that detectors can be compared across languages.

/// Values of a stream, and the place of the change.
pub const ROWS: usize = 10_000;
/// The first value that may be of the new level.
pub const CHANGE: usize = 5_000;
/// Level before, level after, rows over which it comes.
const LEVELS: [(f64, f64, usize); 10] = [
    (0.2, 0.2, 0),
    (0.2, 0.3, 0),
    (0.2, 0.5, 0),
    (0.2, 0.5, 1000),
    (0.05, 0.15, 0),
    (0.0, 0.0, 0),
    (0.0, 0.5, 0),
    (0.0, 1.0, 0),
    (0.0, 2.0, 0),
    (0.0, 1.0, 1000),
];
/// Streams below this are of zeros and ones.
const NORMAL: usize = 5;

/// Stream `kind` (below 10), drawn with the seed of a repetition.
#[must_use]
pub fn stream(kind: usize, repetition: u64) -> Vec<f64> {
    let mut state = 1_000_003 * kind as u64 + repetition;
    let mut uniform = move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 * libm::ldexp(1.0, -53)
    };
    let (before, after, over) = LEVELS[kind];
    let level = |row: usize| {
        if row < CHANGE {
            before
        } else if row < CHANGE + over {
            before + (after - before) * (row - CHANGE) as f64 / over as f64
        } else {
            after
        }
    };
    (0..ROWS)
        .map(|row| {
            if kind < NORMAL {
                f64::from(u8::from(uniform() < level(row)))
            } else {
                (0..12).fold(0.0, |sum, _| sum + uniform()) - 6.0 + level(row)
            }
        })
        .collect()
}
