//! The tree whose shape depends on gateway ids alone: 4,096 buckets by the first 12 bits of the SHA-256 of the id, in
//! hash order inside a bucket, a fixed binary tree above. Empty nodes are skipped, not added: adding nothing would
//! still be an addition. A change marks one path stale; the next look at the root computes stale nodes only, in the
//! memory that they have.

use std::collections::BTreeMap;

use crate::error::{CoreError, Result};
use crate::statistics::{CLASSES_MAX, Statistics};

/// SHA-256 of a gateway's id.
pub type GatewayHash = [u8; 32];

/// Buckets, by the first 12 bits of the hash. Part of the format: another number gives other last bits.
const BUCKETS: usize = 4096;

/// Least step in which memory is taken.
const ROOM_BYTES_MIN: usize = 1 << 20;
/// What a gateway takes beside its numbers: its place in a bucket, with room for the next ones, and what the allocator adds.
const PLACE_BYTES: usize = 128;

/// The newest statistics of each gateway, and their sums.
pub struct Tree {
    d: usize,
    gateways: usize,
    room: Room,
    labels: LabelCounts,
    buckets: Vec<Vec<Leaf>>,
    /// Working memory of a sum.
    deviation: Vec<f64>,
    /// Node 1 is the root, the children of node i are 2i and 2i + 1, node `BUCKETS + b` is bucket b. Node 0 is unused.
    nodes: Vec<Node>,
}

/// A gateway. Buckets move their leaves when one comes in between, so these are small.
type Leaf = (GatewayHash, Box<Statistics>);

#[derive(Clone, Default)]
struct Node {
    stale: bool,
    /// None: nothing is under it. Of a stale node what was there before.
    sum: Option<Box<Statistics>>,
}

impl Node {
    /// The sum of `parts`, in place of what was there.
    fn set<'a>(&mut self, mut parts: impl Iterator<Item = &'a Statistics>, deviation: &mut Vec<f64>) {
        self.stale = false;
        let Some(first) = parts.next() else {
            self.sum = None;
            return;
        };
        let total = match &mut self.sum {
            Some(total) => {
                (**total).clone_from(first);
                total
            }
            none => none.insert(Box::new(first.clone())),
        };
        for part in parts {
            total
                .merge_within(part, deviation)
                .expect("all statistics of a tree have one form and one number of features");
        }
    }
}

/// Memory of a WebAssembly instance grows by pages of 64 KiB, and each time the host looks at all of it anew and collects
/// its garbage: with 100,000 gateways that cost thirty times what the statistics do. So room for what will be put is taken
/// in steps of an eighth of what is there, and given back to the allocator at once, which keeps it.
#[derive(Default)]
struct Room {
    /// What all gateways take.
    leaves: usize,
    /// Buckets that have some.
    buckets: usize,
    taken: usize,
}

impl Room {
    /// Makes room for so many gateways and their sums: a bucket comes with those of a leaf of the tree and of the node above two of
    /// them, each about as large as a gateway's.
    fn make(&mut self, gateways: usize) {
        let sums = (2 * self.buckets).saturating_mul(self.leaves / gateways.max(1));
        let used = self.leaves.saturating_add(sums);
        if used > self.taken {
            let step = ROOM_BYTES_MIN.max(used / 8);
            self.taken = used.saturating_add(step);
            // Where there is no step left, what is needed may still be there.
            let mut room = Vec::<u8>::new();
            let _ = room.try_reserve_exact(step);
            drop(core::hint::black_box(room));
        }
    }
}

impl Tree {
    /// A tree without gateways, for statistics of `d` features and one form.
    #[must_use]
    pub fn new(d: usize) -> Self {
        Self {
            d,
            gateways: 0,
            room: Room::default(),
            labels: LabelCounts::default(),
            buckets: std::iter::repeat_with(Vec::new).take(BUCKETS).collect(),
            deviation: Vec::with_capacity(d + 1),
            nodes: vec![Node::default(); 2 * BUCKETS],
        }
    }

    /// Gateways in the tree.
    #[must_use]
    pub fn gateways(&self) -> usize {
        self.gateways
    }

    /// Sets the statistics of a gateway, in place of earlier ones. The caller has checked their form and numbers.
    ///
    /// # Errors
    /// `SchemaMismatch` for another number of features, `Limit` when the fleet would know more than `CLASSES_MAX`
    /// classes; nothing is changed then.
    pub fn put(&mut self, gateway: GatewayHash, statistics: Statistics) -> Result<()> {
        if statistics.d() != self.d {
            return Err(CoreError::SchemaMismatch);
        }
        let bucket = bucket_of(&gateway);
        let place = find(&self.buckets[bucket], &gateway);
        let earlier = place.ok().map(|at| &*self.buckets[bucket][at].1);
        self.labels.exchange(earlier, Some(&statistics))?;
        self.room.leaves += bytes_of(&statistics);
        match place {
            Ok(at) => {
                let place = &mut *self.buckets[bucket][at].1;
                self.room.leaves -= bytes_of(place);
                self.room.make(self.gateways);
                *place = statistics;
            }
            Err(at) => {
                let bucket = &mut self.buckets[bucket];
                self.gateways += 1;
                self.room.buckets += usize::from(bucket.is_empty());
                self.room.make(self.gateways);
                bucket.reserve_exact(1 + bucket.len() / 8);
                bucket.insert(at, (gateway, Box::new(statistics)));
            }
        }
        self.mark_stale(bucket);
        Ok(())
    }

    /// Takes a gateway out; true when it was there. The tree is then the tree of a fleet that never had it.
    pub fn remove(&mut self, gateway: &GatewayHash) -> bool {
        let bucket = bucket_of(gateway);
        let Ok(at) = find(&self.buckets[bucket], gateway) else {
            return false;
        };
        let (_, statistics) = self.buckets[bucket].remove(at);
        self.room.leaves -= bytes_of(&statistics);
        self.room.buckets -= usize::from(self.buckets[bucket].is_empty());
        self.labels
            .exchange(Some(&statistics), None)
            .expect("taking labels out stays under the limit");
        self.gateways -= 1;
        self.mark_stale(bucket);
        true
    }

    /// All gateways in hash order.
    pub fn leaves(&self) -> impl Iterator<Item = (&GatewayHash, &Statistics)> {
        self.buckets
            .iter()
            .flatten()
            .map(|(gateway, statistics)| (gateway, &**statistics))
    }

    /// The sum over all gateways; none when there are no gateways. Computes the stale nodes: after one change one
    /// bucket and 12 merges.
    pub fn root(&mut self) -> Option<&Statistics> {
        self.refresh(1);
        self.nodes[1].sum.as_deref()
    }

    fn mark_stale(&mut self, bucket: usize) {
        let mut node = BUCKETS + bucket;
        // A stale node has stale nodes above it only.
        while node >= 1 && !self.nodes[node].stale {
            self.nodes[node].stale = true;
            node /= 2;
        }
    }

    fn refresh(&mut self, node: usize) {
        if !self.nodes[node].stale {
            return;
        }
        if node >= BUCKETS {
            let leaves = &self.buckets[node - BUCKETS];
            self.nodes[node].set(leaves.iter().map(|(_, statistics)| &**statistics), &mut self.deviation);
            return;
        }
        self.refresh(2 * node);
        self.refresh(2 * node + 1);
        // Children stand behind their parent.
        let (above, below) = self.nodes.split_at_mut(2 * node);
        above[node].set(
            below[..2].iter().filter_map(|child| child.sum.as_deref()),
            &mut self.deviation,
        );
    }
}

/// What a gateway takes.
fn bytes_of(statistics: &Statistics) -> usize {
    statistics.memory_bytes() + PLACE_BYTES
}

/// How many gateways have each label; holds the merged classes under `CLASSES_MAX`.
#[derive(Default)]
struct LabelCounts {
    counts: BTreeMap<String, usize>,
}

impl LabelCounts {
    /// Counts the labels of `later` in the place of those of `earlier`, or refuses and changes nothing.
    fn exchange(&mut self, earlier: Option<&Statistics>, later: Option<&Statistics>) -> Result<()> {
        let earlier = earlier.map_or_else(Vec::new, labels_of);
        let later = later.map_or_else(Vec::new, labels_of);
        let is_last = |label: &&&str| self.counts.get(**label) == Some(&1) && later.binary_search(label).is_err();
        let gone = earlier.iter().filter(is_last).count();
        let new = later.iter().filter(|label| !self.counts.contains_key(**label)).count();
        if self.counts.len() + new > CLASSES_MAX + gone {
            return Err(CoreError::Limit);
        }
        for label in later {
            *self.counts.entry(label.to_owned()).or_insert(0) += 1;
        }
        for label in earlier {
            let count = self.counts.get_mut(label).expect("a label that was put is counted");
            *count -= 1;
            if *count == 0 {
                self.counts.remove(label);
            }
        }
        Ok(())
    }
}

fn bucket_of(gateway: &GatewayHash) -> usize {
    (usize::from(gateway[0]) << 4) | usize::from(gateway[1] >> 4)
}

fn find(bucket: &[Leaf], gateway: &GatewayHash) -> core::result::Result<usize, usize> {
    bucket.binary_search_by(|(hash, _)| hash.cmp(gateway))
}

/// The labels of class statistics, in byte order; none for co-moments.
fn labels_of(statistics: &Statistics) -> Vec<&str> {
    match statistics {
        Statistics::CoMoments(_) => Vec::new(),
        Statistics::Classes(statistics) => statistics.classes().iter().map(|class| class.label.as_str()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::ClassStatistics;

    #[test]
    fn gateways_that_come_and_go_take_no_more_room_each_time() {
        let of = |classes: usize| {
            let mut statistics = ClassStatistics::new(40);
            for class in 0..classes {
                assert!(statistics.push(&[0.5; 40], &class.to_string()));
            }
            Statistics::Classes(statistics)
        };
        let gateways = [[0; 32], [1; 32], [0; 32]];
        let mut tree = Tree::new(40);
        let mut taken = None;
        for _ in 0..200 {
            for (at, mut gateway) in gateways.into_iter().enumerate() {
                gateway[31] = 2 * u8::try_from(at).unwrap();
                tree.put(gateway, of(1)).unwrap();
                tree.put(gateway, of(40 >> (2 * at))).unwrap();
            }
            assert!(tree.root().is_some());
            assert_eq!(*taken.get_or_insert(tree.room.taken), tree.room.taken);
            for (at, mut gateway) in gateways.into_iter().enumerate() {
                gateway[31] = 2 * u8::try_from(at).unwrap();
                assert!(tree.remove(&gateway));
            }
            assert!(tree.root().is_none());
            assert_eq!((tree.room.leaves, tree.room.buckets), (0, 0));
        }
    }
}
