//! The spine of the data plane: blocks in, outputs out, and the state that both leave behind.

use crate::codec::Writer;
use crate::error::{CoreError, Result};

/// One gateway's fold: a plan and the state it has reached.
#[derive(Default)]
pub struct Engine {}

impl Engine {
    /// An engine at the beginning of a log, with the plan's canonical JSON.
    ///
    /// # Errors
    /// `BadPlan`.
    pub fn open(plan: &[u8]) -> Result<Self> {
        crate::json::parse(plan)?;
        Ok(Self::default())
    }

    /// Folds whole blocks, back to back, and appends what they give rise to.
    ///
    /// # Errors
    /// `Truncated`, `Foreign`, `TooNew` or `Corrupt` for a block that is none; the state is then as it was before.
    pub fn ingest(&mut self, _blocks: &[u8], _out: &mut Writer) -> Result<()> {
        Err(CoreError::NotOpen)
    }

    /// Appends the canonical bytes of the state.
    pub fn checkpoint(&self, _out: &mut Writer) {}

    /// The engine that wrote `state`.
    ///
    /// # Errors
    /// `Truncated`, `Foreign`, `TooNew` or `Corrupt`.
    pub fn restore(_state: &[u8]) -> Result<Self> {
        Err(CoreError::Foreign)
    }

    /// What the agent shows: JSON text.
    #[must_use]
    pub fn report(&self) -> String {
        String::from("{}")
    }

    /// Wall clock (epoch milliseconds) at which a tick would change something; infinite when none would.
    #[must_use]
    pub fn next_due_ms(&self) -> f64 {
        f64::INFINITY
    }

    /// Appends the statistics of every task with enough rows (FORMATS.md §6).
    pub fn delta(&self, out: &mut Writer) {
        out.u32(0);
    }
}
