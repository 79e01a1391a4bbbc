//! What a learner is made for: all that is not learned.

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::panel::budget::Budget;
use crate::panel::choice::Choice;
use crate::panel::experts::anchors::Memory;

/// What is predicted: a number or one of several classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LearnerKind {
    /// A number.
    Regression,
    /// A class, by its index in order of first appearance.
    Classification,
}

/// One column of the feature vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in the schema.
    pub name: String,
    /// True when its numbers are indexes of categories, so that their size and order mean nothing.
    pub categorical: bool,
}

/// What a learner is made for; all that is not learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnerSpec {
    /// Number or class.
    pub kind: LearnerKind,
    /// The feature vector, in order.
    pub columns: Vec<Column>,
    /// True when the target is `label - base` (forecast, anomaly); regression only.
    pub residual: bool,
    /// Most classes it tells apart.
    pub classes_max: usize,
    /// Most rows waiting for their label.
    pub pending_max: usize,
    /// Most keys with a memory of their own; keys beyond it are served from what is shared.
    pub keys_max: usize,
    /// What its panel may cost.
    pub budget: Budget,
    /// What it does about concepts that change and return; classification only.
    pub memory: Memory,
    /// The experts its panel begins with.
    pub experts: Choice,
}

/// In the form of a spec: the choice of experts is written behind the budget, since it is not the default.
const CHOSEN: u8 = 0x80;

impl LearnerSpec {
    /// Writes it in front of the state.
    pub(super) fn save(&self, writer: &mut Writer) {
        // What is asked for nothing is written as it was before anything could be.
        let chosen = if self.experts == Choice::default() { 0 } else { CHOSEN };
        writer.u8(u8::from(self.kind == LearnerKind::Classification) | self.memory.bits() << 1 | chosen);
        writer.u32(self.columns.len() as u32);
        for column in &self.columns {
            writer.str(&column.name);
            writer.bool(column.categorical);
        }
        writer.bool(self.residual);
        writer.u64(self.classes_max as u64);
        writer.u64(self.pending_max as u64);
        writer.u64(self.keys_max as u64);
        writer.u32(self.budget.ns);
        writer.u32(self.budget.bytes);
        if chosen != 0 {
            writer.u32(self.experts.bits());
        }
    }

    /// Reads what `save` wrote.
    pub(super) fn load(reader: &mut Reader) -> Result<Self> {
        let form = reader.u8()?;
        let memory = Memory::from_bits((form & !CHOSEN) >> 1).ok_or(CoreError::Corrupt)?;
        let kind = if form & 1 == 1 {
            LearnerKind::Classification
        } else {
            LearnerKind::Regression
        };
        let mut columns = Vec::new();
        for _ in 0..reader.count(5)? {
            columns.push(Column {
                name: reader.str()?.to_owned(),
                categorical: reader.bool()?,
            });
        }
        Ok(Self {
            kind,
            columns,
            residual: reader.bool()?,
            classes_max: limit(reader.u64()?)?,
            pending_max: limit(reader.u64()?)?,
            keys_max: limit(reader.u64()?)?,
            budget: Budget {
                ns: reader.u32()?,
                bytes: reader.u32()?,
            },
            memory,
            experts: if form & CHOSEN == 0 {
                Choice::default()
            } else {
                let classes = kind == LearnerKind::Classification;
                Choice::from_bits(reader.u32()?, classes).ok_or(CoreError::Corrupt)?
            },
        })
    }
}

fn limit(value: u64) -> Result<usize> {
    usize::try_from(value).map_err(|_| CoreError::Corrupt)
}
