//! The one table of codes the core can answer with. The host's registry (`host/src/errors.ts`) names the same numbers.

/// Why a call into the core was refused. The value is what crosses the boundary: always negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum CoreError {
    /// Bytes ended before the value they announced.
    Truncated = -1,
    /// A magic number, kind or tag that this core does not know.
    Foreign = -2,
    /// Written by a newer format version than this core reads.
    TooNew = -3,
    /// Well-formed bytes that contradict themselves (a length, a count, an order).
    Corrupt = -4,
    /// The plan is not valid: unknown name, missing field, value out of range.
    BadPlan = -5,
    /// A call that needs an open plan came before `open`.
    NotOpen = -6,
    /// A declared limit would be passed (keys, pending predictions, payload bytes, classes).
    Limit = -7,
    /// Statistics or a release made for another schema.
    SchemaMismatch = -8,
    /// A number that must be finite is not, or counts do not add up.
    BadNumbers = -9,
    /// The matrix to solve is not positive definite even after its ridge.
    Singular = -10,
    /// Too few rows for what was asked.
    TooFewRows = -11,
    /// A message with no number (or no label) where its source looks for one.
    NoReading = -12,
    /// A message whose event time is missing, unreadable, or further ahead of the clock than its source allows.
    BadTime = -13,
    /// A reading that its field's contract says cannot have been measured.
    OutOfRange = -14,
    /// A reading that differs from the one before by more than its field can change in that time.
    TooFast = -15,
    /// A reading that has been the same for longer than its field can stay.
    Stuck = -16,
    /// Text where the field's contract lists the words that may stand there, and this is none of them.
    UnknownWord = -17,
    /// A second label for an example that contradicts the first one.
    Conflict = -18,
}

/// How many codes there are.
pub const CODES: usize = 18;

impl CoreError {
    /// Its place in a list by code.
    #[must_use]
    pub fn place(self) -> usize {
        (self as i32).unsigned_abs() as usize - 1
    }
}

/// What fallible parts of the engine return.
pub type Result<T> = core::result::Result<T, CoreError>;
