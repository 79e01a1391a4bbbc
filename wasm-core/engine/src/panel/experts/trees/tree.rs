//! One tree that grows with the stream. A leaf counts its rows in histograms (`leaves.rs`) and splits when a border explains
//! more than chance would. What is predicted is not the leaf's mean but a mix of the means on the way to it: every node
//! weighs what is below it against its own mean by what both have lost, so that a split that was taken in haste costs
//! little, and one whose time is over is cut off.
//!
//! Paper: Helmbold & Schapire, "Predicting nearly as well as the best pruning of a decision tree" (1997).

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::panel::experts::trees::leaves::{Leaves, NO_PLACE, Split};
use crate::panel::linear::{load_numbers, save_numbers};
use crate::panel::number::{hold, sigmoid, sigmoid_each};

/// Most nodes of a tree.
const NODES_MAX: usize = 255;
/// Rows after which a mean is a moving average.
const ROWS_MAX: f64 = 500.0;
/// The log odds of what is below a node against its own mean: what they keep from row to row, how far they go, most that a row
/// moves them, and where the node is cut off, when that many rows have come by since it was split.
const TRUST_KEPT: f64 = 0.999;
const TRUST_MAX: f64 = 6.0;
const WIN_MAX: f64 = 4.0;
const TRUST_CUT: f64 = -3.5;
const ROWS_CUT: f64 = 100.0;
/// Variances below this are rounding.
pub const VARIANCE_MIN: f64 = 1e-9;

#[derive(Clone, Debug, PartialEq)]
struct Node {
    /// Rows since the node was made, split or cut.
    rows: f64,
    /// The leaf's histograms, or `NO_PLACE`.
    place: u32,
    /// The left child, the right one is the next; 0 for a leaf.
    left: u32,
    /// Where the input is greater than the border a row goes right.
    input: u32,
    border: f64,
    /// Log odds of what is below, and their sigmoid.
    trust: f64,
    share: f64,
}

impl Node {
    fn leaf(place: u32) -> Self {
        Self {
            rows: 0.0,
            place,
            left: 0,
            input: 0,
            border: 0.0,
            trust: 0.0,
            share: 0.5,
        }
    }
}

/// Nodes, the root first, children in pairs.
#[derive(Clone, Debug)]
pub struct Tree {
    outputs: usize,
    nodes: Vec<Node>,
    /// Per node: rows, then the mean of each output, then its mean square.
    moments: Vec<f64>,
    /// The left one of each pair that was cut off.
    free: Vec<u32>,
    leaves: Leaves,
    /// Working memory: the nodes on a row's way, and what their shares are made of.
    path: Vec<u32>,
    shares: Vec<f64>,
}

impl Tree {
    /// A root; the leaves say which inputs there are.
    #[must_use]
    pub fn new(outputs: usize, leaves: Leaves) -> Self {
        Self {
            outputs,
            nodes: vec![Node::leaf(NO_PLACE)],
            moments: vec![0.0; 1 + 2 * outputs],
            free: Vec::new(),
            leaves,
            path: Vec::new(),
            shares: Vec::new(),
        }
    }

    /// The most that a tree of so many outputs takes, in memory or saved.
    #[must_use]
    pub fn bytes(outputs: usize) -> usize {
        Leaves::bytes(outputs) + NODES_MAX * (64 + 16 * outputs)
    }

    /// Finds a row's way down.
    pub fn walk(&mut self, inputs: &[f64]) {
        self.path.clear();
        let mut at = 0;
        loop {
            self.path.push(at);
            let node = &self.nodes[at as usize];
            if node.left == 0 {
                return;
            }
            at = node.left + u32::from(inputs[node.input as usize] > node.border);
        }
    }

    /// Fills in its prediction of each output.
    pub fn predict(&mut self, inputs: &[f64], out: &mut [f64]) {
        self.walk(inputs);
        // Few outputs are the rule: with their number known, nothing is looped over.
        match self.outputs {
            1 => self.mix(1, out),
            2 => self.mix(2, out),
            outputs => self.mix(outputs, out),
        }
    }

    #[inline(always)]
    fn mix(&self, outputs: usize, out: &mut [f64]) {
        let (stride, out) = (1 + 2 * outputs, &mut out[..outputs]);
        for (height, &at) in self.path.iter().rev().enumerate() {
            let means = &self.moments[at as usize * stride + 1..][..outputs];
            if height == 0 {
                out.copy_from_slice(means);
            } else {
                let share = self.nodes[at as usize].share;
                for (out, mean) in out.iter_mut().zip(means) {
                    *out = mean + share * (*out - mean);
                }
            }
        }
    }

    /// Learns the outputs of the row whose way was found last, and fills in what it would have said of it.
    pub fn learn(&mut self, inputs: &[f64], targets: &[f64], out: &mut [f64]) {
        let cut = match self.outputs {
            1 => self.move_means(1, targets, out),
            2 => self.move_means(2, targets, out),
            outputs => self.move_means(outputs, targets, out),
        };
        self.share();
        if let Some(node) = cut {
            self.cut(node);
        } else if let Some(&leaf) = self.path.last() {
            self.count(leaf, inputs, targets);
        }
    }

    /// The nodes on the way learn; answers with the one to be cut off, if there is one.
    #[inline(always)]
    fn move_means(&mut self, outputs: usize, targets: &[f64], out: &mut [f64]) -> Option<u32> {
        let (stride, targets, out) = (1 + 2 * outputs, &targets[..outputs], &mut out[..outputs]);
        let mut cut = None;
        for (height, &at) in self.path.iter().rev().enumerate() {
            let moments = &mut self.moments[at as usize * stride..][..stride];
            let (means, squares) = moments[1..].split_at_mut(outputs);
            let node = &mut self.nodes[at as usize];
            if height == 0 {
                out.copy_from_slice(means);
            } else {
                node.rows += 1.0;
                weigh(node, targets, means, squares, out);
                if node.trust < TRUST_CUT && node.rows > ROWS_CUT {
                    cut = Some(at);
                }
            }
            let rows = moments[0] + 1.0;
            moments[0] = if rows < ROWS_MAX { rows } else { ROWS_MAX };
            let rate = 1.0 / moments[0];
            let (means, squares) = moments[1..].split_at_mut(outputs);
            for ((mean, square), target) in means.iter_mut().zip(squares).zip(targets) {
                *mean += rate * (target - *mean);
                *square += rate * (target * target - *square);
            }
        }
        cut
    }

    /// The shares of the nodes on the way follow their trust.
    fn share(&mut self) {
        let Self {
            nodes, path, shares, ..
        } = self;
        shares.clear();
        shares.extend(path.iter().map(|&at| nodes[at as usize].trust));
        sigmoid_each(shares);
        for (&at, share) in path.iter().zip(shares) {
            nodes[at as usize].share = *share;
        }
    }

    /// What is below a node goes; it is a leaf again.
    fn cut(&mut self, at: u32) {
        let Node { left, place, .. } = self.nodes[at as usize];
        self.leaves.give_back(place);
        self.nodes[at as usize] = Node::leaf(NO_PLACE);
        if left != 0 {
            self.cut(left);
            self.cut(left + 1);
            self.free.push(left);
        }
    }

    fn count(&mut self, leaf: u32, inputs: &[f64], targets: &[f64]) {
        let at = leaf as usize;
        if self.nodes[at].place == NO_PLACE {
            self.nodes[at].place = self.leaves.take(None);
            self.nodes[at].rows = 0.0;
        }
        let node = &mut self.nodes[at];
        if node.place == NO_PLACE {
            return;
        }
        node.rows += 1.0;
        let (place, rows) = (node.place, node.rows);
        self.leaves.count(place, inputs, targets);
        let room = !self.free.is_empty() || self.nodes.len() + 2 <= NODES_MAX;
        if room && self.leaves.due(place, rows) {
            let stride = 1 + 2 * self.outputs;
            let moments = &self.moments[at * stride + 1..][..2 * self.outputs];
            let (means, squares) = moments.split_at(self.outputs);
            if let Some(split) = self.leaves.split(place, rows, means, squares) {
                self.split(leaf, &split);
            }
        }
    }

    fn split(&mut self, leaf: u32, split: &Split) {
        let (outputs, stride) = (self.outputs, 1 + 2 * self.outputs);
        self.leaves.give_back(self.nodes[leaf as usize].place);
        let left = self.free.pop().unwrap_or(self.nodes.len() as u32);
        if left as usize == self.nodes.len() {
            self.nodes.resize(self.nodes.len() + 2, Node::leaf(NO_PLACE));
            self.moments.resize(self.nodes.len() * stride, 0.0);
        }
        let parent = self.moments[leaf as usize * stride..][..stride].to_vec();
        for (side, sums) in split.sums.iter().enumerate() {
            let child = left as usize + side;
            self.nodes[child] = Node::leaf(self.leaves.take(Some((split, side))));
            let own = &mut self.moments[child * stride..][..stride];
            own[0] = sums[0];
            for output in 0..outputs {
                let (mean, square) = (parent[1 + output], parent[1 + outputs + output]);
                // One row of the parent's mean, and the parent's variance.
                let begins = (sums[1 + output] + mean) / (sums[0] + 1.0);
                own[1 + output] = begins;
                own[1 + outputs + output] = square - mean * mean + begins * begins;
            }
        }
        self.nodes[leaf as usize] = Node {
            left,
            input: split.input,
            border: split.border,
            ..Node::leaf(NO_PLACE)
        };
    }

    /// Multiplies all that was learned of an output, whose unit has changed.
    pub fn scale(&mut self, output: usize, by: f64) {
        let stride = 1 + 2 * self.outputs;
        for moments in self.moments.chunks_exact_mut(stride) {
            moments[1 + output] *= by;
            moments[1 + self.outputs + output] *= by * by;
        }
        self.leaves.scale(output, by);
    }

    /// Writes the state.
    pub fn save(&self, writer: &mut Writer) {
        writer.u32(self.nodes.len() as u32);
        for node in &self.nodes {
            writer.u32(node.place);
            writer.u32(node.left);
            writer.u32(node.input);
            save_numbers(&[node.rows, node.border, node.trust], writer);
        }
        save_numbers(&self.moments, writer);
        writer.u32(self.free.len() as u32);
        for &pair in &self.free {
            writer.u32(pair);
        }
        self.leaves.save(writer);
    }

    /// Reads what `save` wrote into a new tree of the same shape.
    ///
    /// # Errors
    /// `Truncated`, or `Corrupt` when nodes do not hang together as a tree.
    pub fn load(&mut self, reader: &mut Reader) -> Result<()> {
        let count = reader.u32()? as usize;
        if count == 0 || count > NODES_MAX || count.is_multiple_of(2) {
            return Err(CoreError::Corrupt);
        }
        self.nodes.clear();
        for _ in 0..count {
            let mut node = Node::leaf(reader.u32()?);
            (node.left, node.input) = (reader.u32()?, reader.u32()?);
            let mut numbers = [0.0; 3];
            load_numbers(&mut numbers, reader)?;
            [node.rows, node.border, node.trust] = numbers;
            node.share = sigmoid(node.trust);
            self.nodes.push(node);
        }
        self.moments = vec![0.0; count * (1 + 2 * self.outputs)];
        load_numbers(&mut self.moments, reader)?;
        self.free.clear();
        for _ in 0..reader.count(4)? {
            self.free.push(reader.u32()?);
        }
        self.leaves.load(reader)?;
        self.check()
    }

    /// Every pair hangs on one node or is free, and every place of the leaves belongs to one leaf or is free.
    fn check(&self) -> Result<()> {
        let splits = self.nodes.iter().filter(|node| node.left != 0);
        let mut pairs: Vec<u32> = splits.clone().map(|node| node.left).chain(self.free.clone()).collect();
        pairs.sort_unstable();
        let all: Vec<u32> = (0..(self.nodes.len() / 2) as u32).map(|pair| 2 * pair + 1).collect();
        let leaves = self.nodes.iter().filter(|node| node.left == 0);
        let places = leaves.map(|node| node.place).filter(|&place| place != NO_PLACE);
        let inputs = splits.clone().all(|node| (node.input as usize) < self.leaves.inputs());
        let owned = splits.clone().all(|node| node.place == NO_PLACE);
        if pairs == all && owned && inputs && self.reached() && self.leaves.belong(places.collect()) {
            Ok(())
        } else {
            Err(CoreError::Corrupt)
        }
    }

    /// True when every pair that is not free hangs below the root, and not below itself.
    fn reached(&self) -> bool {
        let (mut waiting, mut found) = (vec![0u32], 0);
        while let Some(at) = waiting.pop() {
            found += 1;
            let left = self.nodes[at as usize].left;
            if left != 0 {
                waiting.extend([left, left + 1]);
            }
        }
        found + 2 * self.free.len() == self.nodes.len()
    }
}

/// Weighs what is below a node, of which `out` is the mix, against its own means, and puts the mix of both into `out`.
#[inline(always)]
fn weigh(node: &mut Node, targets: &[f64], means: &[f64], squares: &[f64], out: &mut [f64]) {
    let (mut gain, mut variance) = (0.0, 0.0);
    for (((out, target), mean), square) in out.iter_mut().zip(targets).zip(means).zip(squares) {
        let (own, below) = (target - mean, target - *out);
        gain += own * own - below * below;
        let rest = square - mean * mean;
        variance += if rest > VARIANCE_MIN { rest } else { VARIANCE_MIN };
        *out = mean + node.share * (*out - mean);
    }
    let win = hold(gain / (2.0 * variance), -WIN_MAX, WIN_MAX);
    node.trust = hold(node.trust * TRUST_KEPT + win, -TRUST_MAX, TRUST_MAX);
}
