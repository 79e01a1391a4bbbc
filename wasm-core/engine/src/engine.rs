//! The spine of the data plane: blocks in, outputs out, and the state that both leave behind. One message goes through
//! wire → repeat → route → decode → time → window → task, and ends on one account of the ledger.
//!
//! The state depends on the blocks alone and on their order: not on how many come per call, not on where a checkpoint was
//! taken and restored, not on the machine.

mod checkpoint;
mod contract;
mod delays;
mod derive;
mod idle;
mod message;
mod report;
mod skew;

use core::cell::Cell;

use crate::codec::{Reader, Writer};
use crate::decode::{Decoded, Shapes, Unpacker};
use crate::error::{CoreError, Result};
use crate::forward::Sending;
use crate::ledger::{Fate, Ledger};
use crate::merge;
use crate::output::Outputs;
use crate::plan::{Plan, TaskPlan};
use crate::release::Release;
use crate::repeat::{Contents, Doors, Streams};
use crate::route::Router;
use crate::series::Table;
use crate::sparkplug::Nodes;
use crate::task::Task;
use crate::time::Clock;
use crate::wire::{self, Block, Kind, Packet, Packets};
use contract::{Broken, Watched};
use idle::Idle;
use skew::Skews;

/// Bytes of the kernel hash before the plan in a plan block.
const KERNEL_HASH_BYTES: usize = 32;
/// Ordinals of what a block's clock gave rise to begin here, so that they never meet those of the message that has the
/// same offset.
const CLOCK_ORDINALS: u32 = 1 << 31;

/// One gateway's fold: a plan and the state it has reached.
pub struct Engine {
    state: State,
    /// No state: what is remembered of topics.
    router: Router,
    /// No state: outputs come with a trace of what is served.
    traced: bool,
}

/// All that a checkpoint holds, and what follows from its plan.
struct State {
    plan: Plan,
    clock: Clock,
    idle: Idle,
    skews: Skews,
    /// Offset of the next message, and of the next block the least sequence.
    next_offset: u64,
    next_sequence: u64,
    /// Ordinal of the next clock output under `next_offset`, from `CLOCK_ORDINALS`.
    clock_ordinal: u32,
    doors: Doors,
    streams: Streams,
    /// The last messages of devices that count nothing, where a source asks for it.
    contents: Contents,
    /// What Sparkplug edge nodes have announced.
    nodes: Nodes,
    /// The newest reading of each series, where a contract compares.
    watched: Watched,
    table: Table,
    ledger: Ledger,
    tasks: Vec<Task>,
    /// What was forwarded, by the rules of the plan.
    sending: Vec<Sending>,
    messages: u64,
    used: u64,
    releases_refused: u64,
    /// No state: working memory, and what unpacked payloads are read into.
    unpacker: Unpacker,
    spare: Decoded<'static>,
    /// No state: by source, what its payloads look like.
    shapes: Vec<Shapes>,
    /// Rows of the message at hand and their readings, reused.
    rows: Vec<message::Row>,
    readings: Vec<message::Reading>,
    /// The derived readings of the row at hand, and working memory for expressions, reused.
    derived: Vec<message::Reading>,
    stack: Vec<f64>,
    /// What of the message at hand broke its contract, and where what is wrong with it stands, as a JSON pointer; reused.
    broken: Broken,
    bad_path: String,
    /// A name made of the message at hand, reused.
    name: String,
    /// Text of the label at hand, reused.
    label_text: String,
    /// Shape of the last checkpoint in parts; `None` when the next one must be whole.
    shape: Cell<Option<u64>>,
}

impl Engine {
    /// An engine at the beginning of a log, with a plan's canonical JSON.
    ///
    /// # Errors
    /// `BadPlan` or `TooNew`.
    pub fn open(plan: &[u8]) -> Result<Self> {
        Ok(Self {
            state: State::new(Plan::parse(plan)?),
            router: Router::default(),
            traced: false,
        })
    }

    /// Outputs come with a trace of the vectors served and what becomes of them (FORMATS.md §4), or without; the state
    /// is the same.
    pub fn trace(&mut self, on: bool) {
        self.traced = on;
    }

    /// Folds whole blocks, back to back, and appends what they give rise to. Sequences and offsets only grow; a gap is a
    /// block that the host left out.
    ///
    /// # Errors
    /// `Truncated`, `Foreign`, `TooNew` or `Corrupt` for a block that is none or is out of order, `BadPlan` for a plan that
    /// is none; the state is then as it was before the call.
    pub fn ingest(&mut self, blocks: &[u8], out: &mut Writer) -> Result<()> {
        self.check(blocks)?;
        let mut outputs = Outputs::new(out).traced(self.traced);
        // What the messages of this call say, one after the other.
        let mut decoded = Decoded::default();
        let mut reader = Reader::new(blocks);
        while reader.remaining() > 0 {
            self.block(&wire::block(&mut reader)?, &mut decoded, &mut outputs)?;
        }
        Ok(())
    }

    /// Reads all headers, and the payloads that the host made, before anything is changed.
    fn check(&self, blocks: &[u8]) -> Result<()> {
        let mut reader = Reader::new(blocks);
        let (mut next_sequence, mut next_offset) = (self.state.next_sequence, self.state.next_offset);
        while reader.remaining() > 0 {
            let block = wire::block(&mut reader)?;
            if block.sequence < next_sequence || block.first_offset < next_offset {
                return Err(CoreError::Corrupt);
            }
            next_sequence = block.sequence.checked_add(1).ok_or(CoreError::Corrupt)?;
            next_offset = block
                .first_offset
                .checked_add(block.count.into())
                .ok_or(CoreError::Corrupt)?;
            match block.kind {
                Kind::Plan => plan_of(&block).and_then(Plan::parse).map(|_| ())?,
                Kind::Session => wire::session(block.payload).map(|_| ())?,
                Kind::MessagesV4 | Kind::MessagesV5 | Kind::Tick | Kind::Release => {}
            }
        }
        Ok(())
    }

    fn block<'a>(&mut self, block: &Block<'a>, decoded: &mut Decoded<'a>, outputs: &mut Outputs) -> Result<()> {
        let state = &mut self.state;
        if block.first_offset != state.next_offset {
            state.clock_ordinal = CLOCK_ORDINALS;
        }
        state.clock.advance(block.boot, block.mono_us, block.wall_ms);
        outputs.caused_by(block.first_offset, state.clock_ordinal);
        state.close_idle(outputs);
        state.clock_ordinal = outputs.ordinal();
        match block.kind {
            Kind::MessagesV4 => self.messages(block, false, decoded, outputs),
            Kind::MessagesV5 => self.messages(block, true, decoded, outputs),
            Kind::Plan => self.change_plan(plan_of(block)?)?,
            Kind::Session => state
                .doors
                .session(block.door, block.epoch, &wire::session(block.payload)?),
            Kind::Tick => {}
            Kind::Release => state.release(block.payload),
        }
        let state = &mut self.state;
        state.next_offset = block.first_offset + u64::from(block.count);
        state.next_sequence = block.sequence + 1;
        if block.count > 0 {
            state.clock_ordinal = CLOCK_ORDINALS;
        }
        Ok(())
    }

    /// Every message that the header counts gets a fate, also one that the payload does not hold.
    fn messages<'a>(&mut self, block: &Block<'a>, properties: bool, decoded: &mut Decoded<'a>, outputs: &mut Outputs) {
        let state = &mut self.state;
        let mut packets = Packets::new(block.payload, properties);
        let mut met = 0;
        loop {
            let at = packets.position();
            let Some(packet) = packets.next() else { break };
            let packet = match packet {
                Ok(Packet::Pubrel(id)) => {
                    state.doors.released(block.door, block.epoch, id);
                    continue;
                }
                Ok(Packet::Publish(publish)) if met < block.count => Ok(publish),
                Ok(Packet::Publish(_)) => Err(CoreError::Corrupt), // more than the header counts
                Err(error) => Err(error),
            };
            outputs.caused_by(
                block.first_offset + u64::from(met.min(block.count.saturating_sub(1))),
                0,
            );
            state.bad_path.clear();
            let (account, fate) = match packet {
                Ok(publish) => state.message(
                    self.router.route(publish.topic, &state.plan),
                    block,
                    &publish,
                    decoded,
                    outputs,
                ),
                Err(error) => (state.ledger.of_none(), Fate::Quarantined(error)),
            };
            if let Fate::Quarantined(error) = fate {
                outputs.quarantine(account, error, (block.sequence, at), &state.bad_path);
            }
            state.book(account, fate, 1);
            met = met.saturating_add(1);
        }
        if met < block.count {
            let account = state.ledger.of_none();
            outputs.caused_by(block.first_offset + u64::from(met), 0);
            outputs.quarantine(account, CoreError::Truncated, (block.sequence, block.payload.len()), "");
            state.book(
                account,
                Fate::Quarantined(CoreError::Truncated),
                u64::from(block.count - met),
            );
        }
    }

    /// Follows another plan: sources, windows and tasks whose definition is the same keep their state. The plan that is
    /// open already changes nothing.
    fn change_plan(&mut self, text: &[u8]) -> Result<()> {
        if text != self.state.plan.text {
            self.state.change_plan(Plan::parse(text)?);
            self.router.forget();
        }
        Ok(())
    }

    /// Appends the canonical bytes of the state.
    pub fn checkpoint(&self, out: &mut Writer) {
        self.state.save(out);
    }

    /// Appends the state in parts (FORMATS.md §5): a 1 and all of it, or a 0 and what has changed since the last time.
    /// It is all when `all` is asked for, the first time, and when the sections are others than the last time.
    pub fn checkpoint_parts(&self, all: bool, out: &mut Writer) {
        self.state.save_parts(all, out);
    }

    /// The engine that wrote `state`, with the plan it followed then.
    ///
    /// # Errors
    /// `Truncated`, `Foreign`, `TooNew` or `Corrupt`.
    pub fn restore(state: &[u8]) -> Result<Self> {
        Ok(Self {
            state: State::load(state)?,
            router: Router::default(),
            traced: false,
        })
    }

    /// What the agent shows: JSON text.
    #[must_use]
    pub fn report(&self) -> String {
        self.state.report()
    }

    /// Wall clock (epoch milliseconds) at which a tick would change something; infinite when none would.
    #[must_use]
    pub fn next_due_ms(&self) -> f64 {
        self.state.idle.next_due_ms(&self.state.clock)
    }

    /// Appends how many vectors each task has served for each key, and the hash that names them (FORMATS.md §4).
    pub fn served(&self, out: &mut Writer) {
        out.u32(u32::try_from(self.state.tasks.len()).expect("at most TASKS_MAX"));
        for task in &self.state.tasks {
            out.u32(u32::try_from(task.served().len()).expect("indexes are u32"));
            for (key, served) in task.served().enumerate() {
                let key = u32::try_from(key).expect("indexes are u32");
                out.str(self.state.table.key_names.name(key));
                out.u64(served.count);
                out.raw(&served.hash);
            }
        }
    }

    /// Appends the statistics of every task with enough rows (FORMATS.md §6).
    pub fn delta(&self, out: &mut Writer) {
        self.state.delta(out);
    }
}

/// The plan in a plan block.
fn plan_of<'a>(block: &Block<'a>) -> Result<&'a [u8]> {
    block.payload.get(KERNEL_HASH_BYTES..).ok_or(CoreError::Truncated)
}

impl State {
    fn new(plan: Plan) -> Self {
        let mut table = Table::new(&plan);
        Self {
            clock: Clock::default(),
            idle: Idle::new(&plan.sources),
            skews: Skews::default(),
            next_offset: 0,
            next_sequence: 0,
            clock_ordinal: CLOCK_ORDINALS,
            doors: Doors::default(),
            streams: Streams::default(),
            contents: Contents::default(),
            nodes: Nodes::default(),
            watched: Watched::default(),
            ledger: Ledger::new(&plan),
            tasks: plan
                .tasks
                .iter()
                .map(|task| Task::new(task, &plan, &mut table))
                .collect(),
            table,
            sending: vec![Sending::default(); plan.forward.len()],
            messages: 0,
            used: 0,
            releases_refused: 0,
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
        }
    }

    pub(super) fn no_shapes(plan: &Plan) -> Vec<Shapes> {
        plan.sources.iter().map(|_| Shapes::default()).collect()
    }

    fn book(&mut self, account: usize, fate: Fate, count: u64) {
        self.messages += count;
        self.ledger.account(account).book(fate, count);
    }

    /// A release goes to the task with its schema; one that nobody can use is counted.
    fn release(&mut self, payload: &[u8]) {
        let installed =
            Release::parse(payload).is_ok_and(|release| self.tasks.iter_mut().any(|task| task.install(&release)));
        self.releases_refused += u64::from(!installed);
    }

    fn change_plan(&mut self, plan: Plan) {
        self.shape.set(None);
        let earlier = core::mem::replace(&mut self.plan, plan);
        let plan = &self.plan;
        self.shapes = Self::no_shapes(plan);
        if !plan.has_sparkplug() {
            self.nodes = Nodes::default();
        }
        if !plan.remembers_contents() {
            self.contents = Contents::default();
        }
        if !plan.compares_readings() {
            self.watched = Watched::default();
        }
        let sources = same(&plan.sources, &earlier.sources);
        let windows = same(&plan.windows, &earlier.windows);
        let tasks = alike(&plan.tasks, &earlier.tasks, TaskPlan::continues);
        let mut ledger = Ledger::new(plan);
        ledger.take_over(&self.ledger, &sources, &tasks);
        self.ledger = ledger;
        self.table
            .change(plan, &windows, &inverse(&sources, earlier.sources.len()));
        self.idle.change(&plan.sources, &sources);
        let rules = same(&plan.forward, &earlier.forward).into_iter();
        self.sending = rules
            .map(|rule| rule.map_or_else(Sending::default, |rule| self.sending[rule].clone()))
            .collect();
        let mut before: Vec<Option<Task>> = core::mem::take(&mut self.tasks).into_iter().map(Some).collect();
        for (definition, kept) in plan.tasks.iter().zip(tasks) {
            let kept = kept.and_then(|index| before[index].take());
            self.tasks.push(match kept {
                Some(mut task) => {
                    task.change(definition, plan, &mut self.table);
                    task
                }
                None => Task::new(definition, plan, &mut self.table),
            });
        }
    }

    fn delta(&self, out: &mut Writer) {
        let count_at = out.len();
        let mut count = 0;
        out.u32(count);
        for (index, task) in self.tasks.iter().enumerate() {
            let (Some(statistics), Some((schema, _))) = (task.statistics(), task.schema()) else {
                continue;
            };
            #[expect(clippy::cast_precision_loss, reason = "at most FEATURES_MAX")]
            let enough = 2.0 * statistics.d() as f64;
            if let Some(learner) = task.learner()
                && statistics.n() >= enough
                && statistics.n() > 0.0
            {
                out.u16(u16::try_from(index).expect("at most TASKS_MAX"));
                out.bytes(schema);
                let length_at = out.len();
                out.u32(0);
                merge::encode_sent(&learner.contribution(), out);
                out.patch_u32(
                    length_at,
                    u32::try_from(out.len() - length_at - 4).expect("statistics fit the memory"),
                );
                count += 1;
            }
        }
        out.patch_u32(count_at, count);
    }
}

/// For each of `now` the index of its equal in `before`.
fn same<T: PartialEq>(now: &[T], before: &[T]) -> Vec<Option<usize>> {
    alike(now, before, T::eq)
}

/// For each item the place of the one before that is `like` it.
fn alike<T>(now: &[T], before: &[T], like: impl Fn(&T, &T) -> bool) -> Vec<Option<usize>> {
    now.iter()
        .map(|item| before.iter().position(|other| like(item, other)))
        .collect()
}

/// For each index before the change the index after it.
fn inverse(now: &[Option<usize>], before: usize) -> Vec<Option<u32>> {
    let mut inverse = vec![None; before];
    for (index, old) in now.iter().enumerate() {
        if let Some(old) = old {
            inverse[*old] = u32::try_from(index).ok();
        }
    }
    inverse
}

#[cfg(test)]
mod tests;
