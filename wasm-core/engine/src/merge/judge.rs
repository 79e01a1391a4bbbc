//! The class-mean test: does a gateway's idea of the classes fit everybody else's? Where all gateways look at one world,
//! the mean of a class on one differs from that on the others by chance alone, and its squared distance, in units of what
//! chance gives, is about 1. Statistics that were made up (labels flipped, numbers scaled) stand out by much. Where the
//! typical distance is large even without the farthest, or many are far, the fleet is not one world, and nobody is judged:
//! that is a matter for clusters.
//!
//! `χ_i = mean over the classes of i of (m_ik − m_k)ᵀ S⁻¹ (m_ik − m_k) / (d (1/n_ik + 1/n_k))`, where m_k and n_k are
//! those of the others and S is the covariance within classes and gateways. Costs d²/2 per gateway and class, and d per
//! gateway and class for each one that is set aside.

use crate::cholesky::{Cholesky, dot, row_start};
use crate::statistics::{ClassStatistics, SQUARES_MIN};

use super::tree::GatewayHash;

/// Fewer gateways than this have no majority that one could stand out from.
pub const JUDGED_GATEWAYS_MIN: usize = 5;
/// A typical distance above this is not chance: the gateways do not look at one world.
const WORLD_MEDIAN_MAX: f64 = 2.0;
/// A distance is suspicious from this many typical ones on, however many numbers are behind it …
const LIMIT_MIN: f64 = 1.35;
/// … and from this normal quantile on, when few are: one honest gateway in 300,000 is as far by chance.
const LIMIT_QUANTILE: f64 = 4.5;
/// When more than this share does not fit, it is another world, not a few who made their numbers up.
const SHARE_MAX: f64 = 0.25;
/// Relative to the diagonal of the correlation matrix, as small as keeps copies of a feature solvable.
const RIDGE: f64 = 1e-6;

/// What the test says of a fleet.
#[derive(Clone, Debug, PartialEq)]
pub enum Judgement {
    /// Too few gateways, rows or classes to tell.
    Silent,
    /// The gateways do not look at one world: nobody is judged.
    ManyWorlds {
        /// The typical distance.
        median: f64,
    },
    /// Those that do not fit, the farthest first.
    OneWorld {
        /// The typical distance without them.
        median: f64,
        /// Who does not fit.
        suspects: Vec<Suspect>,
    },
}

/// A gateway whose class means do not fit those of the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Suspect {
    /// SHA-256 of its id.
    pub gateway: GatewayHash,
    /// Its distance, and the one from which on it is suspicious.
    pub distance: f64,
    /// The limit at the time it was set aside.
    pub limit: f64,
    /// Its rows.
    pub rows: f64,
}

/// One class of one gateway: its rows, and its mean in coordinates in which chance is a sphere.
struct Mean {
    class: usize,
    n: f64,
    place: Vec<f64>,
}

/// Judges the gateways of a fleet, given in hash order.
#[must_use]
pub fn judge(gateways: &[(&GatewayHash, &ClassStatistics)]) -> Judgement {
    let Some(fleet) = Fleet::new(gateways) else {
        return Judgement::Silent;
    };
    let mut within: Vec<usize> = (0..gateways.len()).filter(|&at| !fleet.means[at].is_empty()).collect();
    if within.len() < JUDGED_GATEWAYS_MIN {
        return Judgement::Silent;
    }
    let most = (SHARE_MAX * within.len() as f64) as usize;
    let mut suspects = Vec::new();
    loop {
        let distances = fleet.distances(&within);
        let median = median(&distances);
        let mut farthest = 0;
        for (place, distance) in distances.iter().enumerate() {
            if *distance > distances[farthest] {
                farthest = place;
            }
        }
        let at = within[farthest];
        // Classes that vary less than the others put honest gateways closer together than chance would.
        let limit = if median > 1.0 { median } else { 1.0 } * fleet.limit(at);
        if distances[farthest] <= limit {
            // Judged at the end: those that do not fit pull the means of all others, and so make them look apart.
            return if median > WORLD_MEDIAN_MAX {
                Judgement::ManyWorlds { median }
            } else {
                Judgement::OneWorld { median, suspects }
            };
        }
        if suspects.len() >= most {
            return Judgement::ManyWorlds { median };
        }
        suspects.push(Suspect {
            gateway: *gateways[at].0,
            distance: distances[farthest],
            limit,
            rows: gateways[at].1.n(),
        });
        within.remove(farthest);
    }
}

/// The class means of all gateways.
struct Fleet {
    d: usize,
    classes: usize,
    means: Vec<Vec<Mean>>,
}

impl Fleet {
    /// None when there is too little, or nothing varies.
    fn new(gateways: &[(&GatewayHash, &ClassStatistics)]) -> Option<Self> {
        let d = gateways.first()?.1.d();
        let mut scatter = vec![0.0; row_start(d)];
        let (mut rows, mut groups) = (0.0, 0.0);
        let mut labels: Vec<&str> = Vec::new();
        for (_, statistics) in gateways {
            for (sum, element) in scatter.iter_mut().zip(statistics.scatter()) {
                *sum += element;
            }
            rows += statistics.n();
            groups += statistics.classes().len() as f64;
            labels.extend(statistics.classes().iter().map(|class| class.label.as_str()));
        }
        labels.sort_unstable();
        labels.dedup();
        let freedom = rows - groups;
        let used: Vec<usize> = (0..d).filter(|&i| scatter[row_start(i) + i] > SQUARES_MIN).collect();
        if used.is_empty() || freedom < 2.0 * d as f64 {
            return None;
        }
        let deviations: Vec<f64> = (0..d).map(|i| scatter[row_start(i) + i].sqrt()).collect();
        let mut correlation = Vec::with_capacity(row_start(used.len()));
        for (row, &i) in used.iter().enumerate() {
            for &j in &used[..row] {
                correlation.push(scatter[row_start(i) + j] / deviations[i] / deviations[j]);
            }
            correlation.push(1.0 + RIDGE);
        }
        let cholesky = Cholesky::new(used.len(), correlation, 0.0).ok()?;
        let centre = centre_of(gateways, d);
        let scale = freedom.sqrt();
        let whitened = |mean: &[f64]| {
            let mut place: Vec<f64> = used
                .iter()
                .map(|&i| (mean[i] - centre[i]) / deviations[i] * scale)
                .collect();
            cholesky.whiten(&mut place);
            place
        };
        let means = gateways
            .iter()
            .map(|(_, statistics)| {
                let classes = statistics.classes().iter();
                classes
                    .map(|class| Mean {
                        class: labels
                            .binary_search(&class.label.as_str())
                            .expect("every label was listed"),
                        n: class.n,
                        place: whitened(&class.means),
                    })
                    .collect()
            })
            .collect();
        Some(Self {
            d: used.len(),
            classes: labels.len(),
            means,
        })
    }

    /// The distance of each of these gateways from the others among them; 0 for one whose classes nobody else has.
    fn distances(&self, within: &[usize]) -> Vec<f64> {
        let mut counts = vec![0.0; self.classes];
        let mut sums = vec![0.0; self.classes * self.d];
        for mean in within.iter().flat_map(|&at| &self.means[at]) {
            counts[mean.class] += mean.n;
            for (sum, place) in sums[mean.class * self.d..].iter_mut().zip(&mean.place) {
                *sum += mean.n * place;
            }
        }
        let mut apart = vec![0.0; self.d];
        let mut distance = |at: &usize| {
            let (mut total, mut present) = (0.0, 0.0);
            for mean in &self.means[*at] {
                let others = counts[mean.class] - mean.n;
                if others < 1.0 {
                    continue;
                }
                let sum = &sums[mean.class * self.d..][..self.d];
                for ((apart, place), sum) in apart.iter_mut().zip(&mean.place).zip(sum) {
                    *apart = place - (sum - mean.n * place) / others;
                }
                total += dot(&apart, &apart) / (self.d as f64 * (1.0 / mean.n + 1.0 / others));
                present += 1.0;
            }
            if present > 0.0 { total / present } else { 0.0 }
        };
        within.iter().map(&mut distance).collect()
    }

    /// From how many typical distances on that of a gateway is suspicious: a mean of few squares spreads widely, as a
    /// chi-square does (Wilson & Hilferty 1931, over the median).
    fn limit(&self, at: usize) -> f64 {
        let squares = (self.d * self.means[at].len()) as f64;
        let share = 2.0 / (9.0 * squares);
        let root = 1.0 + LIMIT_QUANTILE * share.sqrt() / (1.0 - share);
        let chance = root * root * root;
        if chance > LIMIT_MIN { chance } else { LIMIT_MIN }
    }
}

/// The mean of all rows: means are looked at from here, so that far-off units lose no digits.
fn centre_of(gateways: &[(&GatewayHash, &ClassStatistics)], d: usize) -> Vec<f64> {
    let rows: f64 = gateways.iter().map(|(_, statistics)| statistics.n()).sum();
    let mut centre = vec![0.0; d];
    for class in gateways.iter().flat_map(|(_, statistics)| statistics.classes()) {
        for (sum, mean) in centre.iter_mut().zip(&class.means) {
            *sum += class.n / rows * mean;
        }
    }
    centre
}

/// The middle one; of an even number the lower.
fn median(distances: &[f64]) -> f64 {
    let mut sorted = distances.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted[(sorted.len() - 1) / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small reproducible source of numbers (splitmix64).
    struct Random(u64);

    impl Random {
        fn even(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        }

        /// Nearly normal, variance 1.
        fn normal(&mut self) -> f64 {
            (0..12).map(|_| self.even()).sum::<f64>() - 6.0
        }
    }

    const LABELS: [&str; 4] = ["a", "b", "c", "d"];

    /// What one gateway of a world sees: class k stands at its own place; `label` may lie about it.
    fn gateway(seed: u64, d: usize, world: f64, label: impl Fn(usize) -> usize) -> ClassStatistics {
        let mut random = Random(seed);
        let mut statistics = ClassStatistics::new(d);
        for _ in 0..400 {
            let class = (random.even() * 4.0) as usize;
            let x: Vec<f64> = (0..d)
                .map(|i| 1e4 + if i % 4 == class { 1.5 } else { world } + random.normal())
                .collect();
            assert!(statistics.push(&x, LABELS[label(class)]));
        }
        statistics
    }

    fn judged(fleet: &[ClassStatistics]) -> Judgement {
        let hashes: Vec<GatewayHash> = (0..fleet.len()).map(|at| [at as u8; 32]).collect();
        judge(&hashes.iter().zip(fleet).collect::<Vec<_>>())
    }

    #[test]
    fn honest_gateways_of_one_world_are_never_suspected() {
        for d in [1, 3, 20, 60] {
            for seed in 0..20 {
                let fleet: Vec<_> = (0..12).map(|at| gateway(seed * 100 + at, d, 0.0, |k| k)).collect();
                let Judgement::OneWorld { median, suspects } = judged(&fleet) else {
                    panic!("it is one world: d {d}, seed {seed}, {:?}", judged(&fleet));
                };
                assert!(suspects.is_empty(), "d {d}, seed {seed}, median {median}: {suspects:?}");
            }
        }
    }

    #[test]
    fn flipped_labels_are_found_and_nobody_else() {
        for d in [4, 20, 60] {
            for seed in 0..10 {
                let fleet: Vec<_> = (0..12_u8)
                    .map(|at| {
                        let flips = at % 5 == 1;
                        gateway(
                            seed * 100 + u64::from(at),
                            d,
                            0.0,
                            move |k| if flips { 3 - k } else { k },
                        )
                    })
                    .collect();
                let Judgement::OneWorld { suspects, .. } = judged(&fleet) else {
                    panic!("most of it is one world");
                };
                let mut found: Vec<u8> = suspects.iter().map(|suspect| suspect.gateway[0]).collect();
                found.sort_unstable();
                assert_eq!(found, [1, 6, 11], "d {d}, seed {seed}");
                assert!(
                    suspects
                        .iter()
                        .all(|suspect| suspect.distance > suspect.limit && suspect.rows == 400.0)
                );
            }
        }
    }

    #[test]
    fn where_every_gateway_has_a_world_of_its_own_nobody_is_judged() {
        let fleet: Vec<_> = (0..8).map(|at| gateway(at, 6, at as f64 * 0.5, |k| k)).collect();
        let Judgement::ManyWorlds { median } = judged(&fleet) else {
            panic!("{:?}", judged(&fleet));
        };
        assert!(median > WORLD_MEDIAN_MAX);
    }

    #[test]
    fn too_little_is_not_judged() {
        let few: Vec<_> = (0..4).map(|at| gateway(at, 3, 0.0, |k| k)).collect();
        assert_eq!(judged(&few), Judgement::Silent);
        assert_eq!(judged(&[]), Judgement::Silent);
        let constant: Vec<_> = (0..6)
            .map(|_| {
                let mut statistics = ClassStatistics::new(2);
                (0..50).for_each(|_| assert!(statistics.push(&[1.0, 2.0], "a")));
                statistics
            })
            .collect();
        assert_eq!(judged(&constant), Judgement::Silent);
    }
}
