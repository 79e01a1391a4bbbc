//! The tree whose shape depends on gateway ids alone: 4,096 buckets by the first 12 bits of the SHA-256 of the id, in
//! hash order inside a bucket, a fixed binary tree above. Empty nodes are skipped, not added: adding nothing would
//! still be an addition. A change marks one path stale; the next look at the root computes stale nodes only.

use std::collections::BTreeMap;

use crate::error::{CoreError, Result};
use crate::statistics::{CLASSES_MAX, Statistics};

/// SHA-256 of a gateway's id.
pub type GatewayHash = [u8; 32];

/// Buckets, by the first 12 bits of the hash. Part of the format: another number gives other last bits.
const BUCKETS: usize = 4096;

/// The newest statistics of each gateway, and their sums.
pub struct Tree {
    d: usize,
    gateways: usize,
    labels: LabelCounts,
    buckets: Vec<Vec<(GatewayHash, Statistics)>>,
    /// Node 1 is the root, the children of node i are 2i and 2i + 1, node `BUCKETS + b` is bucket b. Node 0 is unused.
    nodes: Vec<Node>,
}

#[derive(Clone)]
enum Node {
    Stale,
    Empty,
    Sum(Box<Statistics>),
}

impl Tree {
    /// A tree without gateways, for statistics of `d` features and one form.
    #[must_use]
    pub fn new(d: usize) -> Self {
        Self {
            d,
            gateways: 0,
            labels: LabelCounts::default(),
            buckets: vec![Vec::new(); BUCKETS],
            nodes: vec![Node::Empty; 2 * BUCKETS],
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
        let earlier = place.ok().map(|at| &self.buckets[bucket][at].1);
        self.labels.exchange(earlier, Some(&statistics))?;
        match place {
            Ok(at) => self.buckets[bucket][at].1 = statistics,
            Err(at) => {
                self.buckets[bucket].insert(at, (gateway, statistics));
                self.gateways += 1;
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
        self.labels
            .exchange(Some(&statistics), None)
            .expect("taking labels out stays under the limit");
        self.gateways -= 1;
        self.mark_stale(bucket);
        true
    }

    /// All gateways in hash order.
    pub fn leaves(&self) -> impl Iterator<Item = &(GatewayHash, Statistics)> {
        self.buckets.iter().flatten()
    }

    /// The sum over all gateways; none when there are no gateways. Computes the stale nodes: after one change one
    /// bucket and 12 merges.
    pub fn root(&mut self) -> Option<&Statistics> {
        self.refresh(1);
        match &self.nodes[1] {
            Node::Sum(statistics) => Some(statistics),
            Node::Empty | Node::Stale => None,
        }
    }

    fn mark_stale(&mut self, bucket: usize) {
        let mut node = BUCKETS + bucket;
        // A stale node has stale nodes above it only.
        while node >= 1 && !matches!(self.nodes[node], Node::Stale) {
            self.nodes[node] = Node::Stale;
            node /= 2;
        }
    }

    fn refresh(&mut self, node: usize) {
        if !matches!(self.nodes[node], Node::Stale) {
            return;
        }
        self.nodes[node] = if node >= BUCKETS {
            sum(self.buckets[node - BUCKETS].iter().map(|(_, statistics)| statistics))
        } else {
            self.refresh(2 * node);
            self.refresh(2 * node + 1);
            let children = &self.nodes[2 * node..=2 * node + 1];
            sum(children.iter().filter_map(|child| match child {
                Node::Sum(statistics) => Some(&**statistics),
                Node::Empty | Node::Stale => None,
            }))
        };
    }
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

fn find(bucket: &[(GatewayHash, Statistics)], gateway: &GatewayHash) -> core::result::Result<usize, usize> {
    bucket.binary_search_by(|(hash, _)| hash.cmp(gateway))
}

fn sum<'a>(mut parts: impl Iterator<Item = &'a Statistics>) -> Node {
    let Some(first) = parts.next() else { return Node::Empty };
    let mut total = first.clone();
    for part in parts {
        total
            .merge(part)
            .expect("all statistics of a tree have one form and one number of features");
    }
    Node::Sum(Box::new(total))
}

/// The labels of class statistics, in byte order; none for co-moments.
fn labels_of(statistics: &Statistics) -> Vec<&str> {
    match statistics {
        Statistics::CoMoments(_) => Vec::new(),
        Statistics::Classes(statistics) => statistics.classes().iter().map(|class| class.label.as_str()).collect(),
    }
}
