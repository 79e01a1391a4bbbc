//! Windows over the readings of many keys: a group is what one window knows of one field of the keys with one group name.
//! Its time is the least of its keys' times, so that no key's readings are late because another runs ahead; a key that falls
//! silent is moved on by its source (`engine/idle.rs`) and holds nobody up.

use super::{Key, NO_SOURCE, Series};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::names::{FixedMap, Names};
use crate::parts::Tracked;
use crate::window::{Aggregate, Frame, Span, Window};

/// Windows of one group that may be open at once while some of its keys lag; the earliest closes for another one.
const OPEN_MAX: usize = 4096;

/// See the module.
struct Group {
    window: usize,
    name: u32,
    field: u32,
    span: Span,
    /// Up to which windows were closed.
    complete_ms: f64,
    /// Value of `complete_ms` at which the next result is due; infinite when none is open.
    closes_ms: f64,
    /// Keys that have not reached `closes_ms`.
    waiting: u32,
    /// Latest event time.
    newest_ms: f64,
    /// The series in it.
    members: Vec<u32>,
}

/// All groups.
#[derive(Default)]
pub(super) struct Groups {
    names: Names,
    list: Tracked<Group>,
    index: FixedMap<(u32, u32, u32), u32>,
    /// Those that nobody holds up any more, or that a reading made due.
    due: Vec<u32>,
}

/// A key whose time counts.
fn counts(key: &Key) -> bool {
    key.source != NO_SOURCE && key.complete_ms > f64::NEG_INFINITY
}

impl Groups {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Puts a series into the group of a window with this name; returns the group.
    pub(super) fn join(
        &mut self,
        windows: &[Window],
        window: usize,
        name: &str,
        member: usize,
        keys: &mut Tracked<Key>,
        series: &[Series],
    ) -> u32 {
        let Series { key, field, .. } = series[member];
        // There is at most one group for each series and window, so their limits are the groups' too.
        let name = self.names.intern(name, usize::MAX).expect("indexes are u32");
        let index = u32::try_from(window).expect("at most WINDOWS_MAX");
        let group = *self.index.entry((index, name, field)).or_insert_with(|| {
            self.list.push(Group {
                window,
                name,
                field,
                span: Span::new(window, &windows[window]),
                complete_ms: f64::NEG_INFINITY,
                closes_ms: f64::INFINITY,
                waiting: 0,
                newest_ms: f64::NEG_INFINITY,
                members: Vec::new(),
            });
            u32::try_from(self.list.len() - 1).expect("at most one for each series and window")
        });
        let joined = &mut self.list[group as usize];
        let key = key as usize;
        if counts(&keys[key]) {
            joined.before(keys[key].complete_ms, keys, series);
            joined.wait_for(keys, key);
        }
        joined
            .members
            .push(u32::try_from(member).expect("series are counted by u32"));
        group
    }

    /// A key that did not count so far is about to, with this time: what the others have reached stays reached.
    pub(super) fn before(&mut self, group: u32, key_ms: f64, keys: &[Key], series: &[Series]) {
        self.list[group as usize].before(key_ms, keys, series);
    }

    /// A key begins to count again: its source came back.
    pub(super) fn counts_again(&mut self, group: u32, keys: &mut Tracked<Key>, key: usize) {
        self.list[group as usize].wait_for(keys, key);
    }

    /// True when the group takes a reading of one of its keys, which is complete up to `key_ms`.
    pub(super) fn accepts(&mut self, group: u32, windows: &[Window], time: f64, of: (&[Key], &[Series], f64)) -> bool {
        let (keys, series, key_ms) = of;
        let group = &mut self.list[group as usize];
        if time < key_ms || key_ms == f64::NEG_INFINITY && time < group.newest_ms {
            group.refresh(keys, series);
        }
        group.span.accepts(&windows[group.window], time, group.complete_ms)
    }

    /// Adds a reading that is accepted.
    pub(super) fn add(
        &mut self,
        index: u32,
        windows: &[Window],
        reading: (f64, f64),
        keys: &mut Tracked<Key>,
        series: &[Series],
    ) {
        let group = &mut self.list[index as usize];
        let due_ms = group
            .span
            .add(&windows[group.window], reading.0, reading.1, group.complete_ms);
        if reading.0 > group.newest_ms {
            group.newest_ms = reading.0;
        }
        if group.span.open() > OPEN_MAX {
            group.complete_ms = group.closes_ms;
        }
        if due_ms < group.closes_ms {
            group.refresh(keys, series);
        }
        if due_ms <= group.complete_ms || group.closes_ms <= group.complete_ms {
            self.due.push(index);
        } else if due_ms < group.closes_ms {
            group.watch(due_ms, keys, series);
        }
    }

    /// Makes results due: a punctuation came.
    pub(super) fn punctuate(&mut self, group: u32) {
        self.list[group as usize].span.punctuate();
        self.due.push(group);
    }

    /// Takes note that a key moved on; returns its time at which it is to be asked again.
    pub(super) fn passed(&mut self, index: u32, before_ms: f64, now_ms: f64) -> f64 {
        let group = &mut self.list[index as usize];
        if now_ms < group.closes_ms {
            group.waiting += u32::from(before_ms == f64::NEG_INFINITY && group.closes_ms < f64::INFINITY);
            return group.closes_ms;
        }
        if before_ms > f64::NEG_INFINITY && before_ms < group.closes_ms {
            group.waiting = group.waiting.saturating_sub(1);
        }
        if group.waiting == 0 {
            self.due.push(index);
        }
        f64::INFINITY
    }

    /// Closes and puts out what nobody holds up any more.
    pub(super) fn close(
        &mut self,
        windows: &[Window],
        keys: &mut Tracked<Key>,
        series: &[Series],
        mut put_out: impl FnMut(usize, &str, u32, &Frame),
    ) {
        while let Some(index) = self.due.pop() {
            let group = &mut self.list[index as usize];
            group.refresh(keys, series);
            let (window, field, name) = (group.window, group.field, self.names.name(group.name));
            let next_ms = group.span.close(&windows[window], group.complete_ms, |frame| {
                put_out(window, name, field, frame);
            });
            group.watch(next_ms, keys, series);
        }
    }

    /// Follows a change of plan: the groups of windows that stay keep their state. `self` is the groups anew.
    pub(super) fn take_over(&mut self, mut earlier: Self, windows: &[Window], same: &[Option<usize>]) {
        for group in &mut self.list {
            let window = same[group.window].and_then(|window| u32::try_from(window).ok());
            let name = earlier.names.find(self.names.name(group.name));
            let Some(old) = window
                .zip(name)
                .and_then(|(window, name)| earlier.index.get(&(window, name, group.field)))
            else {
                continue;
            };
            let old = &mut earlier.list[*old as usize];
            let (index, definition) = (group.window, &windows[group.window]);
            group.span = core::mem::replace(&mut old.span, Span::new(index, definition));
            group.span.window = index;
            (group.complete_ms, group.newest_ms) = (old.complete_ms, old.newest_ms);
        }
    }

    /// Finds what is due next and who is waited for, without closing anything.
    pub(super) fn watch_all(&mut self, windows: &[Window], keys: &mut Tracked<Key>, series: &[Series]) {
        for group in &mut self.list {
            let next_ms = group.span.close(&windows[group.window], f64::NEG_INFINITY, |_| ());
            group.watch(next_ms, keys, series);
        }
    }

    /// Appends the state; who is in which group follows from the series.
    pub(super) fn save(&self, windows: &[Window], writer: &mut Writer) {
        self.list.save(20, writer, |group, writer| {
            group.span.save(&windows[group.window], writer);
            writer.f64(group.complete_ms);
            writer.f64(group.closes_ms);
            writer.f64(group.newest_ms);
        });
    }

    /// Takes what a core with this version of the state wrote, once all series have joined.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub(super) fn load(
        &mut self,
        (windows, version): (&[Window], u16),
        keys: &[Key],
        series: &[Series],
        reader: &mut Reader,
    ) -> Result<()> {
        for group in &mut self.list {
            group.span = Span::load(group.window, &windows[group.window], version, reader)?;
            (group.complete_ms, group.closes_ms) = (reader.f64()?, reader.f64()?);
            group.newest_ms = reader.f64()?;
            if group.complete_ms.is_nan() || group.closes_ms.is_nan() || group.newest_ms.is_nan() {
                return Err(CoreError::Corrupt);
            }
            group.waiting = group.behind(keys, series);
        }
        Ok(())
    }

    /// The result that was due last in a group.
    pub(super) fn closed(&self, group: u32) -> Option<&Aggregate> {
        self.list[group as usize].span.closed.as_ref()
    }

    /// Up to where a group is complete.
    pub(super) fn complete_ms(&self, group: u32) -> f64 {
        self.list[group as usize].complete_ms
    }
}

impl Group {
    /// See `Groups::before`. A key that is ahead of all others changes nothing.
    fn before(&mut self, key_ms: f64, keys: &[Key], series: &[Series]) {
        if key_ms < self.newest_ms {
            self.refresh(keys, series);
        }
    }

    /// Moves to the least time of the keys in it.
    fn refresh(&mut self, keys: &[Key], series: &[Series]) {
        let of = |&member: &u32| &keys[series[member as usize].key as usize];
        let times = self.members.iter().map(of).filter(|key| counts(key));
        let least = times.map(|key| key.complete_ms).fold(f64::INFINITY, f64::min);
        if least < f64::INFINITY && least > self.complete_ms {
            self.complete_ms = least;
        }
    }

    fn behind(&self, keys: &[Key], series: &[Series]) -> u32 {
        let of = |&&member: &&u32| &keys[series[member as usize].key as usize];
        let behind = |key: &Key| counts(key) && key.complete_ms < self.closes_ms && self.closes_ms < f64::INFINITY;
        let waiting = self.members.iter().filter(|member| behind(of(member))).count();
        u32::try_from(waiting).expect("series are counted by u32")
    }

    /// Waits for `closes_ms`.
    fn watch(&mut self, closes_ms: f64, keys: &mut Tracked<Key>, series: &[Series]) {
        self.closes_ms = closes_ms;
        self.waiting = 0;
        for at in 0..self.members.len() {
            let key = series[self.members[at] as usize].key as usize;
            if counts(&keys[key]) {
                self.wait_for(keys, key);
            }
        }
    }

    /// Waits for one key, if it is behind.
    fn wait_for(&mut self, keys: &mut Tracked<Key>, key: usize) {
        let Key {
            complete_ms, closes_ms, ..
        } = keys[key];
        if complete_ms < self.closes_ms && self.closes_ms < f64::INFINITY {
            self.waiting += 1;
            if self.closes_ms < closes_ms {
                keys[key].closes_ms = self.closes_ms;
            }
        }
    }
}
