//! The whole boundary to JavaScript: at most 16 exports, numbers only, one input and one output buffer.
//!
//! A call goes: `input_reserve(len)` gives the address to write `len` bytes at; the operation reads them and answers with
//! the length of its output, at `output_pointer()`, or with a negative code of `rivulet_engine::error::CoreError`. Both
//! buffers keep their memory from call to call, so a steady stream allocates nothing; an address holds until the next call.

use core::cell::RefCell;

use rivulet_engine::codec::Writer;
use rivulet_engine::engine::Engine;
use rivulet_engine::error::{CoreError, Result};
use rivulet_engine::evaluate::Evaluation;
use rivulet_engine::merge::Merge;
use rivulet_engine::plan;
use wasm_bindgen::prelude::wasm_bindgen;

/// Bytes of one input: room for blocks of 16 MiB and for a checkpoint; beyond that the host cuts its batches.
const INPUT_BYTES_MAX: usize = 256 << 20;

/// What this instance was opened for.
enum Session {
    Closed,
    Live(Box<Engine>),
    Evaluating(Box<Evaluation>),
}

/// One instance of the module is one session with its two buffers.
struct Core {
    input: Vec<u8>,
    output: Writer,
    session: Session,
    merge: Merge,
}

thread_local! {
    static CORE: RefCell<Core> = RefCell::new(Core {
        input: Vec::new(),
        output: Writer::new(),
        session: Session::Closed,
        merge: Merge::new(),
    });
}

/// Runs one operation over the first `len` bytes of the input; its output or its error becomes the answer.
fn answer(len: u32, operation: impl FnOnce(&mut Core, &[u8], &mut Writer) -> Result<()>) -> i32 {
    CORE.with_borrow_mut(|core| {
        // The buffers step aside, so that the operation may borrow the rest; they keep their memory.
        let input = core::mem::take(&mut core.input);
        let mut output = core::mem::take(&mut core.output);
        output.clear();
        let result = match input.get(..len as usize) {
            Some(input) => operation(core, input, &mut output),
            None => Err(CoreError::Truncated),
        };
        let length = output.len();
        core.input = input;
        core.output = output;
        match result {
            Ok(()) => i32::try_from(length).unwrap_or(CoreError::Limit as i32),
            Err(error) => error as i32,
        }
    })
}

impl Session {
    fn live(&mut self) -> Result<&mut Engine> {
        match self {
            Self::Live(engine) => Ok(engine),
            Self::Closed | Self::Evaluating(_) => Err(CoreError::NotOpen),
        }
    }
}

/// Version of this boundary; the host refuses another one.
#[wasm_bindgen]
#[must_use]
pub fn abi_version() -> u32 {
    1
}

/// Makes room for `len` bytes of input and returns their address; 0 when `len` is over the limit of 256 MiB.
#[wasm_bindgen]
#[must_use]
pub fn input_reserve(len: u32) -> u32 {
    let len = len as usize;
    if len > INPUT_BYTES_MAX {
        return 0;
    }
    CORE.with_borrow_mut(|core| {
        if core.input.len() < len {
            core.input.resize(len.next_power_of_two(), 0);
        }
        core.input.as_ptr() as usize as u32
    })
}

/// Address of the output of the last operation; its length was that operation's answer.
#[wasm_bindgen]
#[must_use]
pub fn output_pointer() -> u32 {
    CORE.with_borrow(|core| core.output.as_slice().as_ptr() as usize as u32)
}

/// Opens a plan (FORMATS.md §3) and forgets the state of an earlier one.
#[wasm_bindgen]
#[must_use]
pub fn open(len: u32) -> i32 {
    answer(len, |core, input, _| {
        core.session = match plan::evaluation(input)? {
            Some(spec) => Session::Evaluating(Box::new(Evaluation::new(spec)?)),
            None => Session::Live(Box::new(Engine::open(input)?)),
        };
        Ok(())
    })
}

/// Folds whole blocks (FORMATS.md §1), back to back; the output is what they gave rise to (§4).
#[wasm_bindgen]
#[must_use]
pub fn ingest(len: u32) -> i32 {
    answer(len, |core, input, output| core.session.live()?.ingest(input, output))
}

/// Turns the trace of what is served on (1) or off (0), and writes the hashes of what was served so far, by task and key
/// (FORMATS.md §4). The trace is off when a session begins.
#[wasm_bindgen]
#[must_use]
pub fn trace(on: u32) -> i32 {
    answer(0, |core, _, output| {
        let engine = core.session.live()?;
        engine.trace(on != 0);
        engine.served(output);
        Ok(())
    })
}

/// Writes the state: 0 in canonical bytes; in parts (FORMATS.md §5), 1 all of it, 2 what has changed since the last time.
/// An evaluation has canonical bytes only, for its digest.
#[wasm_bindgen]
#[must_use]
pub fn checkpoint(form: u32) -> i32 {
    answer(0, |core, _, output| {
        match (&core.session, form) {
            (Session::Live(engine), 0) => engine.checkpoint(output),
            (Session::Live(engine), _) => engine.checkpoint_parts(form == 1, output),
            (Session::Evaluating(evaluation), 0) => evaluation.save(output),
            (Session::Evaluating(_) | Session::Closed, _) => return Err(CoreError::NotOpen),
        }
        Ok(())
    })
}

/// Continues from a state written by `checkpoint`, with the plan that it holds.
#[wasm_bindgen]
#[must_use]
pub fn restore(len: u32) -> i32 {
    answer(len, |core, input, _| {
        core.session = Session::Live(Box::new(Engine::restore(input)?));
        Ok(())
    })
}

/// Writes what the agent shows, as JSON text.
#[wasm_bindgen]
#[must_use]
pub fn report() -> i32 {
    answer(0, |core, _, output| {
        let report = match &core.session {
            Session::Live(engine) => engine.report(),
            Session::Evaluating(evaluation) => evaluation.report(),
            Session::Closed => return Err(CoreError::NotOpen),
        };
        output.raw(report.as_bytes());
        Ok(())
    })
}

/// Wall clock (epoch milliseconds) at which a tick would change something; infinite when none would.
#[wasm_bindgen]
#[must_use]
pub fn next_due_ms() -> f64 {
    CORE.with_borrow_mut(|core| core.session.live().map_or(f64::INFINITY, |engine| engine.next_due_ms()))
}

/// Writes the statistics of every task with enough rows (FORMATS.md §6).
#[wasm_bindgen]
#[must_use]
pub fn delta() -> i32 {
    answer(0, |core, _, output| {
        core.session.live()?.delta(output);
        Ok(())
    })
}

/// Predicts, scores and learns rows of an evaluation plan (FORMATS.md §3).
#[wasm_bindgen]
#[must_use]
pub fn rows(len: u32) -> i32 {
    answer(len, |core, input, _| match &mut core.session {
        Session::Evaluating(evaluation) => evaluation.rows(input),
        Session::Closed | Session::Live(_) => Err(CoreError::NotOpen),
    })
}

/// One operation on the merge of a fleet's statistics (FORMATS.md §7).
#[wasm_bindgen]
#[must_use]
pub fn merge(len: u32) -> i32 {
    answer(len, |core, input, output| core.merge.operate(input, output))
}
