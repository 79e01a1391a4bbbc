//! Which messages were here before. Two hops can repeat one: the broker, which says so (DUP, and the packet id it used the
//! first time), and the device, which can be told only by a number it counts up itself.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::names::{Names, hash, stored_hash};
use crate::parts::Tracked;
use crate::wire::{DOORS_MAX, Publish, Session};

/// Number streams: one per source and topic whose messages carry a device number.
const STREAMS_MAX: usize = 65_536;
/// A larger step forward is a device that counts anew, not a gap.
const GAP_MAX: u64 = 1_000_000;

/// Sessions remembered per front door: one behind a broker elsewhere; the embedded broker takes 1,000 clients at a time.
const SESSIONS_MAX: usize = 1024;
/// Packet ids are kept in pages of this many: most devices count up, so their last messages stand in one or two pages.
const PAGE_IDS: usize = 256;
/// Pages per front door, 2 MiB in all: every id of four sessions, or the last few hundred messages of each of a thousand.
/// The page that was used the longest ago makes room.
const PAGES_MAX: usize = 1024;

/// A message of QoS 1 or 2 as its packet id was last used.
#[derive(Clone, Copy, Default, PartialEq)]
struct Use {
    /// Hash of QoS, topic and payload; 0: the id is free.
    hash: u32,
    /// The connection it came over.
    epoch: u32,
}

/// The last uses of 256 neighbouring packet ids.
struct Page {
    /// High byte of the ids.
    high: u8,
    /// The door's count of messages when it was last used.
    used_at: u64,
    uses: Box<[Use; PAGE_IDS]>,
}

/// One session: what a device or a broker and we both remember beyond a connection.
#[derive(Default)]
struct Memory {
    /// Hash of the session's id; 0: messages without a session before them.
    id: u64,
    /// Its newest connection.
    epoch: u32,
    connected: bool,
    /// By high byte.
    pages: Tracked<Page>,
}

/// The sessions behind one front door, by epoch: the newest connection comes last.
#[derive(Default)]
struct Door {
    sessions: Vec<Memory>,
    /// Messages of QoS 1 and 2 so far.
    messages: u64,
    /// Pages of all sessions.
    pages: usize,
}

impl Door {
    /// Takes note of a connection and makes its session the newest; `keep` when what it remembers still means something.
    fn connect(&mut self, id: u64, epoch: u32, keep: bool) {
        let known = self.sessions.iter().position(|session| session.id == id);
        let mut session = known.map_or_else(Memory::default, |at| self.sessions.remove(at));
        if !keep {
            self.pages -= session.pages.len();
            session.pages.clear();
        }
        // Sessions change places, and with them the sections of a checkpoint.
        session.pages.mark_all();
        for other in &mut self.sessions {
            other.pages.mark_all();
        }
        if self.sessions.len() == SESSIONS_MAX {
            let oldest = self.sessions.iter().position(|session| !session.connected).unwrap_or(0);
            self.pages -= self.sessions.remove(oldest).pages.len();
        }
        (session.id, session.epoch, session.connected) = (id, epoch, true);
        let at = self.sessions.partition_point(|other| other.epoch <= epoch);
        self.sessions.insert(at, session);
    }

    /// Index of the session with this connection; one without an id when there is none.
    fn of(&mut self, epoch: u32) -> usize {
        let at = self.sessions.partition_point(|session| session.epoch < epoch);
        if self.sessions.get(at).is_some_and(|session| session.epoch == epoch) {
            return at;
        }
        self.connect(0, epoch, true);
        self.sessions.partition_point(|session| session.epoch < epoch)
    }

    /// What is remembered of an id.
    fn entry(&mut self, session: usize, id: u16) -> &mut Use {
        let [high, low] = id.to_be_bytes();
        let at = match self.sessions[session]
            .pages
            .binary_search_by_key(&high, |page| page.high)
        {
            Ok(at) => at,
            Err(at) => {
                let freed = (self.pages == PAGES_MAX).then(|| self.forget_oldest());
                // What was freed may have been a page of this session, before the place of the new one.
                let at = at - usize::from(freed.is_some_and(|(of, page)| of == session && page < at));
                let uses = Box::new([Use::default(); PAGE_IDS]);
                self.sessions[session].pages.insert(at, Page { high, used_at: 0, uses });
                self.pages += 1;
                at
            }
        };
        let page = &mut self.sessions[session].pages[at];
        page.used_at = self.messages;
        &mut page.uses[usize::from(low)]
    }

    /// Frees the page that was used the longest ago, and says where it stood.
    fn forget_oldest(&mut self) -> (usize, usize) {
        let all = self.sessions.iter().enumerate().flat_map(|(of, session)| {
            let pages = session.pages.iter().enumerate();
            pages.map(move |(at, page)| (page.used_at, of, at))
        });
        let (_, of, at) = all.min().expect("called when there are PAGES_MAX pages");
        self.sessions[of].pages.remove(at);
        self.pages -= 1;
        (of, at)
    }
}

/// How a message is remembered; never 0.
fn content(publish: &Publish, hash: impl Fn(&[&[u8]]) -> u64) -> u32 {
    let hash = hash(&[&[publish.qos], publish.topic.as_bytes(), publish.payload]);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "half of the hash is enough beside DUP and the id"
    )]
    let half = hash as u32;
    half.max(1)
}

/// What every door's sessions remember of packet ids.
#[derive(Default)]
pub struct Doors {
    doors: Vec<Door>,
}

impl Doors {
    fn door(&mut self, door: u16) -> &mut Door {
        let door = usize::from(door);
        if self.doors.len() <= door {
            self.doors.resize_with(door + 1, Door::default);
        }
        &mut self.doors[door]
    }

    /// Takes note of a connection made or lost: ids of a session that the other side has forgotten mean nothing any more.
    pub fn session(&mut self, door: u16, epoch: u32, session: &Session) {
        let door = self.door(door);
        if session.connected {
            door.connect(stored_hash(&[session.id.as_bytes()]).max(1), epoch, session.present);
        } else if let Some(lost) = door.sessions.iter_mut().find(|known| known.epoch == epoch) {
            lost.connected = false;
        }
    }

    /// True when a message is delivered again that was delivered before: DUP, and the id was last used in this session by a
    /// message of the same content, for QoS 1 over an earlier connection, for QoS 2 not released since. Remembers the use.
    pub fn repeated(&mut self, door: u16, epoch: u32, publish: &Publish) -> bool {
        if publish.qos == 0 {
            return false;
        }
        let hash = content(publish, hash);
        let door = self.door(door);
        door.messages += 1;
        let session = door.of(epoch);
        let entry = door.entry(session, publish.id);
        // A use that an older core remembered has its hash; few messages are marked, so both may be compared.
        let same = |used: u32| used == hash || used == content(publish, stored_hash);
        if publish.dup && (publish.qos == 2 || entry.epoch != epoch) && same(entry.hash) {
            return true;
        }
        *entry = Use { hash, epoch };
        false
    }

    /// Frees the id of a QoS 2 message.
    pub fn released(&mut self, door: u16, epoch: u32, id: u16) {
        let door = self.door(door);
        let session = door.of(epoch);
        *door.entry(session, id) = Use::default();
    }

    /// Appends the state.
    pub fn save(&self, writer: &mut Writer) {
        let count = |length: usize| u32::try_from(length).expect("bounded above");
        writer.u32(count(self.doors.len()));
        for door in &self.doors {
            writer.u64(door.messages);
            writer.u32(count(door.sessions.len()));
            for session in &door.sessions {
                writer.u64(session.id);
                writer.u32(session.epoch);
                writer.u8(u8::from(session.connected));
                writer.u32(count(session.pages.len()));
                session.pages.save(2, writer, |page, writer| {
                    writer.u8(page.high);
                    writer.u64(page.used_at);
                    for entry in page.uses.iter() {
                        writer.u32(entry.hash);
                        writer.u32(entry.epoch);
                    }
                });
            }
        }
    }

    /// Takes what `save` wrote.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(reader: &mut Reader) -> Result<Self> {
        let count = reader.count(12)?;
        if count > usize::from(DOORS_MAX) {
            return Err(CoreError::Corrupt);
        }
        let doors = (0..count).map(|_| Door::load(reader)).collect::<Result<_>>()?;
        Ok(Self { doors })
    }

    /// Takes what version 1 of the state had: one table per door, of whatever session came last.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load_v1(reader: &mut Reader) -> Result<Self> {
        let count = reader.count(12)?;
        if count > usize::from(DOORS_MAX) {
            return Err(CoreError::Corrupt);
        }
        let mut doors = Self::default();
        for door in 0..count {
            let id = reader.u64()?;
            let used = reader.count(8)?;
            if used > 1 << 16 {
                return Err(CoreError::Corrupt);
            }
            let uses = (0..used).map(|_| {
                Ok(Use {
                    hash: reader.u32()?,
                    epoch: reader.u32()?,
                })
            });
            let uses: Vec<Use> = uses.collect::<Result<_>>()?;
            let door = doors.door(u16::try_from(door).expect("at most DOORS_MAX"));
            let epoch = uses.iter().map(|entry| entry.epoch).max().unwrap_or(0);
            door.connect(id, epoch, true);
            for (packet, entry) in (0..=u16::MAX).zip(uses) {
                if entry != Use::default() {
                    *door.entry(0, packet) = entry;
                }
            }
        }
        Ok(doors)
    }
}

impl Door {
    fn load(reader: &mut Reader) -> Result<Self> {
        let messages = reader.u64()?;
        let count = reader.count(17)?;
        if count > SESSIONS_MAX {
            return Err(CoreError::Corrupt);
        }
        let mut door = Self {
            messages,
            ..Self::default()
        };
        for _ in 0..count {
            let session = Memory::load(reader)?;
            door.pages += session.pages.len();
            let in_order = door.sessions.last().is_none_or(|last| last.epoch <= session.epoch);
            if !in_order || door.pages > PAGES_MAX {
                return Err(CoreError::Corrupt);
            }
            door.sessions.push(session);
        }
        Ok(door)
    }
}

impl Memory {
    fn load(reader: &mut Reader) -> Result<Self> {
        let (id, epoch) = (reader.u64()?, reader.u32()?);
        let connected = match reader.u8()? {
            0 => false,
            1 => true,
            _ => return Err(CoreError::Corrupt),
        };
        let count = reader.count(9 + 8 * PAGE_IDS)?;
        let mut pages: Vec<Page> = Vec::with_capacity(count);
        for _ in 0..count {
            let (high, used_at) = (reader.u8()?, reader.u64()?);
            if pages.last().is_some_and(|last| last.high >= high) {
                return Err(CoreError::Corrupt);
            }
            let mut uses = Box::new([Use::default(); PAGE_IDS]);
            for entry in uses.iter_mut() {
                *entry = Use {
                    hash: reader.u32()?,
                    epoch: reader.u32()?,
                };
            }
            pages.push(Page { high, used_at, uses });
        }
        Ok(Self {
            id,
            epoch,
            connected,
            pages: pages.into(),
        })
    }
}

/// What a device's number says about a message.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// It is new; so many numbers more are missing now (or fewer, when it fills a gap).
    New(i64),
    /// It is the first of a device that counts anew.
    Restarted,
    /// It is older than what is remembered: it may have been here or not, and is taken.
    Unknown,
    /// It was here.
    Duplicate,
}

/// The numbers seen on one stream: the highest and a bitmap of the 256 up to it.
#[derive(Clone, PartialEq)]
struct Stream {
    /// Where the counting began: numbers below were never missed.
    first: u64,
    high: u64,
    /// Bit i: `high - i` was seen.
    seen: [u64; 4],
    /// The last number that was too old for the bitmap: when its successor comes, the device counts anew.
    old: u64,
    /// Latest event time of the stream.
    newest_ms: f64,
}

/// No number: they are at most 2^53.
const NOT_A_NUMBER: u64 = u64::MAX;

impl Stream {
    fn from(number: u64, newest_ms: f64) -> Self {
        Self {
            first: number,
            high: number,
            seen: [1, 0, 0, 0],
            old: NOT_A_NUMBER,
            newest_ms,
        }
    }

    fn offer(&mut self, number: u64, own_time_ms: Option<f64>) -> Verdict {
        let newer = own_time_ms.is_some_and(|time| time > self.newest_ms);
        let newest_ms = if newer {
            own_time_ms.unwrap_or(self.newest_ms)
        } else {
            self.newest_ms
        };
        self.newest_ms = newest_ms;
        if number > self.high {
            let step = number - self.high;
            if step > GAP_MAX {
                *self = Self::from(number, newest_ms);
                return Verdict::Restarted;
            }
            self.shift(step);
            self.high = number;
            self.seen[0] |= 1;
            return Verdict::New(i64::try_from(step - 1).expect("at most GAP_MAX"));
        }
        let back = self.high - number;
        if back < 256 {
            let (word, bit) = ((back / 64) as usize, 1_u64 << (back % 64));
            if self.seen[word] & bit == 0 {
                self.seen[word] |= bit;
                return Verdict::New(if number < self.first { 0 } else { -1 });
            }
            if !newer {
                return Verdict::Duplicate;
            }
            // A number seen before under a later time than any before it: the device counts anew.
            *self = Self::from(number, newest_ms);
            return Verdict::Restarted;
        }
        if self.old != NOT_A_NUMBER && number == self.old + 1 {
            *self = Self::from(number, newest_ms);
            return Verdict::Restarted;
        }
        self.old = number;
        Verdict::Unknown
    }

    fn shift(&mut self, by: u64) {
        if by >= 256 {
            self.seen = [0; 4];
            return;
        }
        let (words, bits) = ((by / 64) as usize, by % 64);
        for at in (0..4).rev() {
            let whole = if at >= words { self.seen[at - words] } else { 0 };
            let below = if at > words && bits > 0 {
                self.seen[at - words - 1] >> (64 - bits)
            } else {
                0
            };
            self.seen[at] = (whole << bits) | below;
        }
    }
}

/// The numbers of every device.
#[derive(Default)]
pub struct Streams {
    names: Names,
    streams: Tracked<Stream>,
}

impl Streams {
    /// The index of a stream, if it was seen.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<u32> {
        self.names.find(name)
    }

    /// Judges a number of the stream `index` (as `find` gave it), or of a stream that is new; returns its index as well.
    /// `own_time_ms` is the event time if the device gave one.
    ///
    /// # Errors
    /// `Limit` for a new stream over the limit.
    pub fn offer(
        &mut self,
        index: Option<u32>,
        name: &str,
        number: u64,
        own_time_ms: Option<f64>,
    ) -> Result<(u32, Verdict)> {
        if let Some(index) = index {
            return Ok((index, self.streams[index as usize].offer(number, own_time_ms)));
        }
        let index = self.names.intern(name, STREAMS_MAX)?;
        self.streams
            .push(Stream::from(number, own_time_ms.unwrap_or(f64::NEG_INFINITY)));
        Ok((index, Verdict::New(0)))
    }

    /// Appends the state.
    pub fn save(&self, writer: &mut Writer) {
        self.names.save(writer);
        self.streams.save(3, writer, |stream, writer| {
            writer.u64(stream.first);
            writer.u64(stream.high);
            for &word in &stream.seen {
                writer.u64(word);
            }
            writer.u64(stream.old);
            writer.f64(stream.newest_ms);
        });
    }

    /// Takes what `save` wrote.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(reader: &mut Reader) -> Result<Self> {
        let names = Names::load(reader)?;
        let streams = (0..names.len()).map(|_| {
            let (first, high) = (reader.u64()?, reader.u64()?);
            let mut seen = [0; 4];
            for word in &mut seen {
                *word = reader.u64()?;
            }
            let (old, newest_ms) = (reader.u64()?, reader.f64()?);
            if high > MAX_NUMBER || (old > MAX_NUMBER && old != NOT_A_NUMBER) {
                return Err(CoreError::Corrupt);
            }
            Ok(Stream {
                first,
                high,
                seen,
                old,
                newest_ms,
            })
        });
        let streams = streams.collect::<Result<Vec<_>>>()?.into();
        Ok(Self { names, streams })
    }
}

/// Largest device number: beyond it binary64 skips whole numbers.
const MAX_NUMBER: u64 = 1 << 53;

/// The device number that a payload gives; `None` when it is no whole number from 0 to 2^53.
#[must_use]
pub fn device_number(found: Option<f64>) -> Option<u64> {
    #[expect(clippy::cast_precision_loss, reason = "2^53 is exact")]
    let max = MAX_NUMBER as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and in range"
    )]
    found
        .filter(|number| (0.0..=max).contains(number) && number.trunc() == *number)
        .map(|number| number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(qos: u8, dup: bool, id: u16, payload: &[u8]) -> Publish<'_> {
        Publish {
            qos,
            dup,
            retain: false,
            id,
            topic: "t",
            payload,
        }
    }

    fn connect(doors: &mut Doors, epoch: u32, present: bool, id: &str) {
        let connected = true;
        doors.session(1, epoch, &Session { connected, present, id });
    }

    #[test]
    fn a_redelivery_over_a_later_connection_is_a_repeat_and_a_lookalike_is_not() {
        let mut doors = Doors::default();
        connect(&mut doors, 1, false, "s");
        assert!(!doors.repeated(1, 1, &message(1, false, 7, b"a")));
        assert!(!doors.repeated(1, 1, &message(1, true, 7, b"a")), "the same connection");
        connect(&mut doors, 2, true, "s");
        assert!(!doors.repeated(1, 2, &message(1, true, 8, b"a")), "another id");
        assert!(doors.repeated(1, 2, &message(1, true, 7, b"a")));
        assert!(!doors.repeated(1, 2, &message(1, false, 7, b"a")), "not marked");
        connect(&mut doors, 3, true, "s");
        assert!(!doors.repeated(1, 3, &message(1, true, 7, b"b")), "other content");
        assert!(!doors.repeated(2, 3, &message(1, true, 7, b"b")), "another door");
    }

    #[test]
    fn a_session_that_the_broker_forgot_has_no_repeats() {
        let mut doors = Doors::default();
        for (epoch, present, id) in [(1, false, "s"), (3, true, "other")] {
            connect(&mut doors, epoch, true, "s");
            doors.repeated(1, epoch, &message(1, false, 7, b"a"));
            connect(&mut doors, epoch + 1, present, id);
            assert!(!doors.repeated(1, epoch + 1, &message(1, true, 7, b"a")));
        }
    }

    #[test]
    fn a_device_that_connects_does_not_touch_what_others_have_sent() {
        let mut doors = Doors::default();
        for (epoch, id) in [(1, "a"), (2, "b"), (3, "c")] {
            connect(&mut doors, epoch, true, id);
            assert!(!doors.repeated(1, epoch, &message(1, false, 7, id.as_bytes())));
        }
        for (epoch, id) in [(4, "b"), (5, "a"), (6, "c")] {
            connect(&mut doors, epoch, true, id);
            assert!(doors.repeated(1, epoch, &message(1, true, 7, id.as_bytes())), "{id}");
        }
        connect(&mut doors, 7, false, "b");
        connect(&mut doors, 8, true, "a");
        assert!(!doors.repeated(1, 7, &message(1, true, 7, b"b")), "it began anew");
        assert!(doors.repeated(1, 8, &message(1, true, 7, b"a")));
    }

    #[test]
    fn sessions_and_pages_stay_within_their_limits_and_the_oldest_make_room() {
        let mut doors = Doors::default();
        for epoch in 0..3000 {
            connect(&mut doors, epoch, true, &format!("s{epoch}"));
            for id in [1, 300] {
                doors.repeated(1, epoch, &message(1, false, id, b"a"));
            }
        }
        let door = &doors.doors[1];
        assert_eq!((door.sessions.len(), door.pages), (SESSIONS_MAX, PAGES_MAX));
        let held: usize = door.sessions.iter().map(|session| session.pages.len()).sum();
        assert_eq!(held, PAGES_MAX);
        connect(&mut doors, 3000, true, "s2999");
        assert!(
            doors.repeated(1, 3000, &message(1, true, 300, b"a")),
            "the newest is known"
        );
        connect(&mut doors, 3001, true, "s2000");
        assert!(
            !doors.repeated(1, 3001, &message(1, true, 300, b"a")),
            "its pages made room"
        );
    }

    #[test]
    fn one_session_may_use_every_packet_id() {
        let mut doors = Doors::default();
        connect(&mut doors, 1, true, "s");
        for id in 1..=u16::MAX {
            assert!(!doors.repeated(1, 1, &message(1, false, id, b"a")));
        }
        connect(&mut doors, 2, true, "s");
        for id in 1..=u16::MAX {
            assert!(doors.repeated(1, 2, &message(1, true, id, b"a")), "{id}");
        }
    }

    #[test]
    fn saved_and_loaded_doors_judge_alike_and_give_the_same_bytes() {
        let mut doors = Doors::default();
        for epoch in 1..40 {
            let name = format!("s{}", epoch % 7);
            connect(&mut doors, epoch, epoch % 11 > 0, &name);
            for id in 1..(epoch as u16 * 40) {
                doors.repeated(1, epoch, &message(1 + (id % 2) as u8, id % 3 == 0, id, b"a"));
            }
            doors.released(1, epoch, 9);
            doors.session(
                1,
                epoch,
                &Session {
                    connected: false,
                    present: false,
                    id: &name,
                },
            );
        }
        let saved = |doors: &Doors| {
            let mut writer = Writer::new();
            doors.save(&mut writer);
            writer.as_slice().to_vec()
        };
        let bytes = saved(&doors);
        let mut again = Doors::load(&mut Reader::new(&bytes)).unwrap();
        assert_eq!(saved(&again), bytes);
        for id in 1..500 {
            let publish = message(1, true, id, b"a");
            assert_eq!(again.repeated(1, 40, &publish), doors.repeated(1, 40, &publish));
        }
        assert_eq!(saved(&again), saved(&doors));
        for cut in 0..bytes.len().min(300) {
            assert!(Doors::load(&mut Reader::new(&bytes[..cut])).is_err());
        }
    }

    #[test]
    fn the_one_table_per_door_of_version_1_becomes_the_session_it_was_of() {
        let mut writer = Writer::new();
        writer.u32(2);
        for used in [0_u32, 8] {
            writer.u64(if used == 0 { 0 } else { stored_hash(&[b"s"]) });
            writer.u32(used);
            for id in 0..used {
                let older = content(&message(1, false, 7, b"a"), stored_hash);
                let (hash, epoch) = if id == 7 { (older, 3) } else { (0, 0) };
                writer.u32(hash);
                writer.u32(epoch);
            }
        }
        let mut doors = Doors::load_v1(&mut Reader::new(writer.as_slice())).unwrap();
        connect(&mut doors, 4, true, "s");
        assert!(doors.repeated(1, 4, &message(1, true, 7, b"a")));
    }

    #[test]
    fn a_qos_2_message_repeats_until_it_is_released() {
        let mut doors = Doors::default();
        assert!(!doors.repeated(1, 1, &message(2, false, 7, b"a")));
        assert!(doors.repeated(1, 1, &message(2, true, 7, b"a")));
        doors.released(1, 1, 7);
        assert!(!doors.repeated(1, 1, &message(2, true, 7, b"a")));
    }

    fn offer(streams: &mut Streams, number: u64, time: Option<f64>) -> Verdict {
        let index = streams.find("s");
        streams.offer(index, "s", number, time).unwrap().1
    }

    #[test]
    fn numbers_seen_before_are_duplicates_and_missing_ones_are_gaps() {
        let mut streams = Streams::default();
        for (number, verdict) in [
            (10, Verdict::New(0)),
            (11, Verdict::New(0)),
            (11, Verdict::Duplicate),
            (9, Verdict::New(0)),
            (9, Verdict::Duplicate),
            (14, Verdict::New(2)),
            (12, Verdict::New(-1)),
            (12, Verdict::Duplicate),
            (300, Verdict::New(285)),
            (45, Verdict::New(-1)),
            (12, Verdict::Unknown),
            (13, Verdict::Restarted),
        ] {
            assert_eq!(offer(&mut streams, number, None), verdict, "{number}");
        }
    }

    #[test]
    fn a_device_that_counts_anew_loses_nothing() {
        let mut streams = Streams::default();
        for number in 0..1000 {
            assert_ne!(offer(&mut streams, number, None), Verdict::Duplicate);
        }
        for number in 0..1000 {
            assert_ne!(
                offer(&mut streams, number, None),
                Verdict::Duplicate,
                "{number} after a restart"
            );
        }
        let mut timed = Streams::default();
        for time in 0..40 {
            assert_ne!(
                offer(&mut timed, time % 20, Some(f64::from(u32::try_from(time).unwrap()))),
                Verdict::Duplicate
            );
        }
        assert_eq!(offer(&mut timed, 19, Some(39.0)), Verdict::Duplicate);
    }

    proptest! {
        #[test]
        fn within_the_bitmap_the_stream_is_a_set(numbers in prop::collection::vec(0_u64..200, 1..400)) {
            let mut streams = Streams::default();
            let mut seen = std::collections::BTreeSet::new();
            for number in numbers {
                let verdict = offer(&mut streams, number, None);
                prop_assert_eq!(verdict == Verdict::Duplicate, !seen.insert(number));
            }
        }

        #[test]
        fn any_numbers_are_judged_and_saved_and_loaded(numbers in prop::collection::vec(0_u64..=1 << 53, 0..50)) {
            let mut streams = Streams::default();
            for number in numbers { offer(&mut streams, number, None); }
            let mut writer = Writer::new();
            streams.save(&mut writer);
            let loaded = Streams::load(&mut Reader::new(writer.as_slice())).unwrap();
            prop_assert!(loaded.streams == streams.streams);
        }
    }
}
