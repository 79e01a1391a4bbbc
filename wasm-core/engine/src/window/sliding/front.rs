//! The front stack of a sliding window: for each of its first slices the merge of that one and all behind it. Of a long window only
//! the merges at which a block begins are kept, and those within the first block are made when it comes to be the first: beside its
//! slices a window takes one block of merges and not a stack as long as itself, for one more merge a slice. The merges are the same
//! ones, in the same order, whatever is kept of them.

use core::ops::Range;
use std::collections::VecDeque;

use super::super::definition::Window;
use super::Piece;

/// Slices of a block: long enough that the merges kept are few, short enough that a block stays in the cache.
const BLOCK: usize = 32;

/// Merges of the first slices.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Front {
    /// Slices that are covered.
    count: usize,
    /// Of the first block: the merge from each of its slices on, that of the first slice last. Empty while the block was not
    /// looked at since the one before it was done with.
    stack: Vec<Piece>,
    /// Of the blocks behind it: the merge from each block's first slice on, that of the first block last.
    blocks: Vec<Piece>,
}

impl Front {
    /// Slices that are covered.
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn clear(&mut self) {
        self.count = 0;
        self.stack.clear();
        self.blocks.clear();
    }

    /// Covers the first `count` slices: merges from the last of them on. Blocks are counted from there too, so that all but the
    /// first are whole.
    pub fn turn(&mut self, definition: &Window, slices: &VecDeque<(f64, Piece)>, count: usize) {
        self.clear();
        self.count = count;
        let Some(last) = count.checked_sub(1) else { return };
        let first_block = last % BLOCK;
        let mut later: Option<Piece> = None;
        for at in (first_block + 1..count).rev() {
            let merged = merged(definition, &slices[at].1, later.as_ref());
            if (count - at).is_multiple_of(BLOCK) {
                self.blocks.push(merged.clone());
            }
            later = Some(merged);
        }
        self.fill(definition, slices, 0..first_block + 1);
    }

    /// The merge of all slices that are covered.
    pub fn whole(&mut self, definition: &Window, slices: &VecDeque<(f64, Piece)>) -> Option<&Piece> {
        self.next_block(definition, slices);
        self.stack.last()
    }

    /// No longer covers the first slice, which is there.
    pub fn pop(&mut self, definition: &Window, slices: &VecDeque<(f64, Piece)>) {
        self.next_block(definition, slices);
        self.stack.pop();
        self.count -= 1;
    }

    /// Makes the merges of the first block, where they are wanting.
    fn next_block(&mut self, definition: &Window, slices: &VecDeque<(f64, Piece)>) {
        if self.stack.is_empty()
            && let Some(first) = self.blocks.pop()
        {
            self.fill(definition, slices, 1..BLOCK);
            self.stack.push(first);
        }
    }

    fn fill(&mut self, definition: &Window, slices: &VecDeque<(f64, Piece)>, places: Range<usize>) {
        for at in places.rev() {
            let later = self.stack.last().or(self.blocks.last());
            self.stack.push(merged(definition, &slices[at].1, later));
        }
    }
}

fn merged(definition: &Window, slice: &Piece, later: Option<&Piece>) -> Piece {
    let mut merged = slice.clone();
    if let Some(later) = later {
        merged.merge(definition, later);
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use crate::window::aggregate::Aggregate;

    #[test]
    fn every_merge_is_the_one_of_a_plain_stack_bit_for_bit() {
        let text = r#"{"name":"m","of":[],"stats":["std","p50"],"lateness_ms":0,"size_ms":9,"every_ms":1}"#;
        let definition = Window::parse(&json::parse(text.as_bytes()).unwrap()).unwrap();
        for count in (0..4 * BLOCK + 2).step_by(3) {
            let mut slices: VecDeque<(f64, Piece)> = (0..u32::try_from(count).unwrap() + 5)
                .map(|at| {
                    let value = f64::from(at * 37 % 101) / 7.0;
                    let aggregate = Aggregate::of(&definition, f64::from(at), value, f64::INFINITY);
                    (
                        f64::from(at),
                        Piece {
                            aggregate,
                            first_ms: 0.0,
                        },
                    )
                })
                .collect();
            let mut front = Front::default();
            front.turn(&definition, &slices, count);
            for left in (1..=count).rev() {
                let mut plain: Option<Piece> = None;
                for at in (0..left).rev() {
                    plain = Some(merged(&definition, &slices[at].1, plain.as_ref()));
                }
                assert_eq!(front.len(), left);
                assert_eq!(front.whole(&definition, &slices), plain.as_ref(), "{left} of {count}");
                // What a checkpoint brings back covers the slices that are left.
                let mut restored = Front::default();
                restored.turn(&definition, &slices, left);
                assert_eq!(restored.whole(&definition, &slices), plain.as_ref());
                assert!(front.stack.len() <= BLOCK && front.blocks.len() <= left / BLOCK);
                front.pop(&definition, &slices);
                slices.pop_front();
            }
            assert_eq!((front.len(), front.whole(&definition, &slices)), (0, None));
        }
    }
}
