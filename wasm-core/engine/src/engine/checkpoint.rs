//! The state as bytes and back. Canonical: what follows from the plan or is only remembered for speed is left out, and
//! everything has one order, so that equal states give equal bytes and their hash can name them.

use core::cell::Cell;

use super::contract::{Broken, Watched};
use super::idle::Idle;
use super::skew::Skews;
use super::{CLOCK_ORDINALS, Decoded, State, Unpacker};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::forward::Sending;
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::repeat::{Contents, Doors, Streams};
use crate::series::Table;
use crate::sparkplug::Nodes;
use crate::task::Task;
use crate::time::Clock;

const MAGIC: &[u8; 4] = b"RVES";
/// Version 1 had one table of packet ids per front door; up to version 2 missing values were not counted; up to version 3
/// there were tumbling windows alone; up to version 4 neither unknown device numbers nor restarts were counted; up to version 5
/// what was served had no hash; up to version 6 there were no groups of keys, no adaptive lateness and no corrected clocks; up to
/// version 7 tasks did not watch for drift; up to version 8 neither reasons nor violations were counted; up to
/// version 9 arrival went back with the wall clock; up to version 10 panels kept no labelled rows; up to version 11 nothing was
/// known of second labels; up to version 12 neither the times of device numbers nor how often an example was corrected; up to
/// version 13 count and global windows always kept their first reading, and how steadily a source runs was not known.
const VERSION: u16 = 14;

impl State {
    pub(super) fn save(&self, writer: &mut Writer) {
        writer.raw(MAGIC);
        writer.u16(VERSION);
        writer.bytes(&self.plan.text);
        self.clock.save(writer);
        self.idle.save(writer);
        self.skews.save(writer);
        for number in [
            self.next_offset,
            self.next_sequence,
            self.messages,
            self.used,
            self.releases_refused,
        ] {
            writer.u64(number);
        }
        writer.u32(self.clock_ordinal);
        self.doors.save(writer);
        self.streams.save(writer);
        if self.plan.remembers_contents() {
            self.contents.save(writer);
        }
        if self.plan.has_sparkplug() {
            self.nodes.save(writer);
        }
        self.ledger.save(writer);
        self.table.save(&self.plan.windows, writer);
        if self.plan.compares_readings() {
            self.watched.save(writer);
        }
        for sending in &self.sending {
            sending.save(writer);
        }
        for task in &self.tasks {
            task.save(writer);
        }
    }

    pub(super) fn save_parts(&self, all: bool, writer: &mut Writer) {
        let begin = writer.len();
        let whole = all || self.shape.get().is_none();
        let shape = self.write_parts(whole, writer);
        if self.shape.replace(Some(shape)) != Some(shape) && !whole {
            writer.truncate(begin);
            self.write_parts(true, writer);
        }
    }

    fn write_parts(&self, all: bool, writer: &mut Writer) -> u64 {
        writer.bool(all);
        writer.begin_parts(all);
        self.save(writer);
        writer.end_parts()
    }

    pub(super) fn load(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        if reader.raw(4)? != MAGIC {
            return Err(CoreError::Foreign);
        }
        let version = reader.u16()?;
        match version {
            0 => return Err(CoreError::Foreign),
            1..=VERSION => {}
            _ => return Err(CoreError::TooNew),
        }
        let plan = Plan::parse(reader.bytes()?)?;
        let clock = Clock::load(version < 10, &mut reader)?;
        let idle = Idle::load(&plan.sources, version, &mut reader)?;
        let skews = if version < 7 {
            Skews::default()
        } else {
            Skews::load(&mut reader)?
        };
        let mut numbers = [0; 5];
        for number in &mut numbers {
            *number = reader.counter()?;
        }
        let [next_offset, next_sequence, messages, used, releases_refused] = numbers;
        let clock_ordinal = reader.u32()?;
        if clock_ordinal < CLOCK_ORDINALS {
            return Err(CoreError::Corrupt);
        }
        let doors = if version == 1 {
            Doors::load_v1(&mut reader)?
        } else {
            Doors::load(&mut reader)?
        };
        let streams = Streams::load(version, &mut reader)?;
        let contents = if plan.remembers_contents() {
            Contents::load(&mut reader)?
        } else {
            Contents::default()
        };
        let nodes = if plan.has_sparkplug() {
            Nodes::load(&mut reader)?
        } else {
            Nodes::default()
        };
        let ledger = Ledger::load(&plan, version, &mut reader)?;
        let mut table = Table::load(&plan, version, &mut reader)?;
        let watched = if plan.compares_readings() {
            Watched::load(table.series.len(), &mut reader)?
        } else {
            Watched::default()
        };
        let rules = plan
            .forward
            .iter()
            .map(|_| Sending::load(table.series.len(), &mut reader));
        let sending = rules.collect::<Result<_>>()?;
        let tasks = plan
            .tasks
            .iter()
            .map(|task| Task::load(task, &plan, &mut table, (version, used), &mut reader));
        let tasks = tasks.collect::<Result<_>>()?;
        reader.finish()?;
        Ok(Self {
            clock,
            idle,
            skews,
            next_offset,
            next_sequence,
            clock_ordinal,
            doors,
            streams,
            contents,
            nodes,
            watched,
            ledger,
            sending,
            tasks,
            table,
            messages,
            used,
            releases_refused,
            unpacker: Unpacker::default(),
            spare: Decoded::default(),
            shapes: Self::no_shapes(&plan),
            rows: Vec::new(),
            readings: Vec::new(),
            derived: Vec::new(),
            stack: Vec::new(),
            broken: Broken::default(),
            bad_path: String::new(),
            name: String::new(),
            label_text: String::new(),
            shape: Cell::new(None),
            plan,
        })
    }
}
