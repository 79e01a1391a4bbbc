//! Redeliveries by a broker, or by a device to the embedded one: what each session remembers of its packet ids.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::names::{hash, stored_hash};
use crate::parts::Tracked;
use crate::wire::{DOORS_MAX, Publish, Session};

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
        let lists = self.sessions.iter().map(|session| session.pages.groups_written());
        let groups_written = lists.max().unwrap_or(0);
        let known = self.sessions.iter().position(|session| session.id == id);
        let mut session = known.map_or_else(Memory::default, |at| self.sessions.remove(at));
        if !keep {
            self.pages -= session.pages.len();
            session.pages.clear();
        }
        if self.sessions.len() == SESSIONS_MAX {
            let oldest = self.sessions.iter().position(|session| !session.connected).unwrap_or(0);
            self.pages -= self.sessions.remove(oldest).pages.len();
        }
        (session.id, session.epoch, session.connected) = (id, epoch, true);
        let at = self.sessions.partition_point(|other| other.epoch <= epoch);
        self.sessions.insert(at, session);
        // Sessions change places, and with them the sections of a checkpoint.
        for session in &mut self.sessions {
            session.pages.mark_moved(groups_written);
        }
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
        let messages = reader.counter()?;
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
            let (high, used_at) = (reader.u8()?, reader.counter()?);
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

#[cfg(test)]
mod tests;
