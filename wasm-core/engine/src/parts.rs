//! A state in parts, so that a checkpoint holds only what has changed since the one before (FORMATS.md §5). The canonical
//! bytes of a state are cut into *sections*, numbered in their order: every list of things that grows with the number of
//! keys, series or waiting rows is a section of its own, in *groups* of a few items; what stands between two lists is a
//! section with one group. A checkpoint in parts has every group that changed; laid end to end by section and group, the
//! newest of each, they are the canonical bytes.
//!
//! A list notes by itself which groups were lent out for writing (`Tracked`), so that no mark can be forgotten. What is
//! not in such a list is written each time.

use core::cell::RefCell;
use core::ops::{Deref, Index, IndexMut};
use core::slice::SliceIndex;

use crate::codec::Writer;

/// Items that are written together: few, so that little is written that has not changed; not one, since each group has a
/// head of twelve bytes.
const GROUP: usize = 8;

/// How far a checkpoint in parts has come.
#[derive(Clone, Copy)]
pub struct Progress {
    /// All groups, not only those that changed.
    all: bool,
    section: u32,
    /// Where the length of the open group stands.
    length_at: usize,
    /// Of the lists so far, in their order: two states with the same shape have the same sections.
    shape: u64,
}

impl Writer {
    /// From here on, up to `end_parts`, what is written is cut into sections and groups: all of them, or those that have
    /// changed since the last time.
    pub fn begin_parts(&mut self, all: bool) {
        self.parts = Some(Progress {
            all,
            section: 0,
            length_at: 0,
            shape: 0,
        });
        self.open_group(0, 0);
    }

    /// Ends the last section; returns the shape.
    pub fn end_parts(&mut self) -> u64 {
        self.close_group();
        self.parts.take().map_or(0, |progress| progress.shape)
    }

    fn open_group(&mut self, section: u32, group: usize) {
        self.u32(section);
        self.u32(u32::try_from(group).expect("indexes are u32"));
        let at = self.len();
        self.u32(0);
        if let Some(progress) = &mut self.parts {
            (progress.section, progress.length_at) = (section, at);
        }
    }

    fn close_group(&mut self) {
        if let Some(Progress { length_at, .. }) = self.parts {
            let length = self.len() - length_at - 4;
            self.patch_u32(length_at, u32::try_from(length).expect("a state fits the memory"));
        }
    }
}

/// A list that notes which of its groups were lent out for writing since the last checkpoint in parts.
#[derive(Debug)]
pub struct Tracked<T> {
    items: Vec<T>,
    /// By group; one that is beyond the end counts as changed. No state: it says nothing about the items.
    changed: RefCell<Vec<bool>>,
}

impl<T> Tracked<T> {
    fn mark(&mut self, index: usize) {
        if let Some(changed) = self.changed.get_mut().get_mut(index / GROUP) {
            *changed = true;
        }
    }

    fn mark_all(&mut self) {
        self.changed.get_mut().fill(true);
    }

    /// Groups that were written for it, those that are no more among them.
    pub fn groups_written(&self) -> usize {
        self.changed.borrow().len()
    }

    /// Counts every group as changed, for a list that changes places with others: as many of them as any of those has had written,
    /// so that none of another list is left where it stands now.
    pub fn mark_moved(&mut self, groups_written: usize) {
        let changed = self.changed.get_mut();
        changed.fill(true);
        changed.resize(groups_written.max(changed.len()), true);
    }

    /// Appends an item.
    pub fn push(&mut self, item: T) {
        self.mark(self.items.len());
        self.items.push(item);
    }

    /// Takes the last item.
    pub fn pop(&mut self) -> Option<T> {
        let item = self.items.pop();
        self.mark(self.items.len());
        item
    }

    /// Puts an item before the one at `index`.
    pub fn insert(&mut self, index: usize, item: T) {
        self.mark_all();
        self.items.insert(index, item);
    }

    /// Takes the item at `index`.
    pub fn remove(&mut self, index: usize) -> T {
        self.mark_all();
        self.items.remove(index)
    }

    /// Takes all items.
    pub fn clear(&mut self) {
        self.mark_all();
        self.items.clear();
    }

    /// Grows it to `length` with items that `make` makes.
    pub fn grow(&mut self, length: usize, mut make: impl FnMut() -> T) {
        while self.items.len() < length {
            self.push(make());
        }
    }

    /// The item at `index`, to be written.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.mark(index);
        self.items.get_mut(index)
    }

    /// All items, to be written.
    pub fn iter_mut(&mut self) -> core::slice::IterMut<'_, T> {
        self.mark_all();
        self.items.iter_mut()
    }

    /// Appends the items, each by `save`, as a section. `kind` tells the lists of a state apart.
    pub fn save(&self, kind: u8, writer: &mut Writer, save: impl Fn(&T, &mut Writer)) {
        let Some(Progress {
            all, section, shape, ..
        }) = writer.parts
        else {
            for item in &self.items {
                save(item, writer);
            }
            return;
        };
        writer.close_group();
        let mut changed = self.changed.borrow_mut();
        let groups = self.items.len().div_ceil(GROUP);
        for group in 0..groups.max(changed.len()) {
            // One that is no more is written too, empty.
            if all || group >= groups || changed.get(group).is_none_or(|&changed| changed) {
                writer.open_group(section + 1, group);
                for item in self.items.iter().skip(group * GROUP).take(GROUP) {
                    save(item, writer);
                }
                writer.close_group();
            }
        }
        changed.clear();
        changed.resize(groups, false);
        writer.open_group(section + 2, 0);
        if let Some(progress) = &mut writer.parts {
            progress.shape = (shape ^ u64::from(kind)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

impl<T> Default for Tracked<T> {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl<T> From<Vec<T>> for Tracked<T> {
    fn from(items: Vec<T>) -> Self {
        Self {
            items,
            changed: RefCell::default(),
        }
    }
}

impl<T: Clone> Clone for Tracked<T> {
    fn clone(&self) -> Self {
        self.items.clone().into()
    }
}

impl<T: PartialEq> PartialEq for Tracked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.items == other.items
    }
}

impl<T> Deref for Tracked<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T, I: SliceIndex<[T]>> Index<I> for Tracked<T> {
    type Output = I::Output;

    fn index(&self, index: I) -> &I::Output {
        &self.items[index]
    }
}

impl<T> IndexMut<usize> for Tracked<T> {
    fn index_mut(&mut self, index: usize) -> &mut T {
        self.mark(index);
        &mut self.items[index]
    }
}

impl<'a, T> IntoIterator for &'a Tracked<T> {
    type Item = &'a T;
    type IntoIter = core::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut Tracked<T> {
    type Item = &'a mut T;
    type IntoIter = core::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

#[cfg(test)]
#[expect(missing_docs, reason = "what other tests build on")]
pub mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::codec::Reader;

    /// The newest of each group, as the host keeps them.
    #[derive(Default)]
    pub struct Kept {
        groups: BTreeMap<(u32, u32), Vec<u8>>,
    }

    impl Kept {
        /// Takes groups; those of a whole checkpoint replace all before.
        pub fn take(&mut self, whole: bool, bytes: &[u8]) {
            if whole {
                self.groups.clear();
            }
            let mut reader = Reader::new(bytes);
            while reader.remaining() > 0 {
                let place = (reader.u32().unwrap(), reader.u32().unwrap());
                self.groups.insert(place, reader.bytes().unwrap().to_vec());
            }
        }

        /// Laid end to end.
        pub fn state(&self) -> Vec<u8> {
            self.groups.values().flatten().copied().collect()
        }
    }

    fn save(list: &Tracked<u32>, writer: &mut Writer) {
        writer.u32(list.len() as u32);
        list.save(1, writer, |item, writer| writer.u32(*item));
        writer.u32(7);
    }

    fn parts(list: &Tracked<u32>, all: bool) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.begin_parts(all);
        save(list, &mut writer);
        writer.end_parts();
        writer.into_vec()
    }

    fn whole(list: &Tracked<u32>) -> Vec<u8> {
        let mut writer = Writer::new();
        save(list, &mut writer);
        writer.into_vec()
    }

    proptest::proptest! {
        #[test]
        fn what_was_kept_and_what_changed_is_the_whole(steps in proptest::collection::vec((0_u8..8, 0_usize..60), 1..200)) {
            let mut list = Tracked::default();
            let mut kept = Kept::default();
            kept.take(true, &parts(&list, true));
            for (number, (step, at)) in (0_u32..).zip(steps) {
                match step {
                    0 | 1 => list.push(number),
                    2 => drop(list.pop()),
                    3 if at < list.len() => list[at] = number,
                    4 => if let Some(item) = list.get_mut(at) { *item = number },
                    5 if at < list.len() => list.insert(at, number),
                    6 if at < list.len() => drop(list.remove(at)),
                    7 if at == 0 => list.iter_mut().for_each(|item| *item += 1),
                    _ => list.grow(at, || number),
                }
                if step % 3 == 0 {
                    kept.take(false, &parts(&list, false));
                    proptest::prop_assert_eq!(kept.state(), whole(&list));
                }
            }
        }
    }

    #[test]
    fn what_has_not_changed_is_not_written() {
        let mut list = Tracked::from((0..800).collect::<Vec<u32>>());
        let all = parts(&list, false);
        list[17] = 1;
        let changed = parts(&list, false);
        assert!(
            all.len() > 3200 && changed.len() < 100,
            "{} {}",
            all.len(),
            changed.len()
        );
    }
}
