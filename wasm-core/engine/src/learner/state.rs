//! A learner's whole state as bytes, and back: what was saved is checked against the panel it belongs to, so that a
//! damaged state is refused instead of panicking later.

use super::release::Installed;
use super::{Learner, LearnerKind, LearnerSpec, Panel, Row};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::panel::row::PanelRow;
use crate::release::ReleaseModel;
use crate::statistics::Statistics;

impl Learner {
    /// Writes the whole state in canonical form.
    pub fn save(&self, writer: &mut Writer) {
        self.spec.save(writer);
        writer.u32(self.classes.len() as u32);
        for name in &self.classes {
            writer.str(name);
        }
        writer.u64(self.serial);
        writer.u32(self.rows.len() as u32);
        self.rows.save(7, writer, |row, writer| {
            writer.bool(row.taken);
            if row.taken {
                writer.u32(row.key);
                writer.f64(row.base);
                writer.f64(row.baseline);
                writer.f64s(&row.x);
                row.panel.save(writer);
            }
        });
        writer.u32(self.free.len() as u32);
        self.free.save(8, writer, |slot, writer| writer.u32(*slot));
        writer.u32(self.last_class.len() as u32);
        self.last_class.save(9, writer, |class, writer| writer.u32(*class));
        self.inputs.save(writer);
        match &self.panel {
            Panel::Numbers(panel) => panel.save(writer),
            Panel::Classes(panel) => panel.save(writer),
        }
        self.interval.save(writer);
        self.statistics.save(writer);
        writer.bool(self.release.is_some());
        if let Some(installed) = &self.release {
            installed.save(writer);
        }
    }

    /// Rows that were loaded fit the panel, their slots are taken or free once, and classes are known.
    fn check_rows(&self) -> Result<()> {
        let mut free = self.free.to_vec();
        free.sort_unstable();
        free.dedup();
        let waiting = self.rows.iter().filter(|row| row.taken);
        let sound = free.len() == self.free.len()
            && free.len() + waiting.clone().count() == self.rows.len()
            && self.rows.len() <= self.spec.pending_max
            && self.last_class.len() <= self.spec.keys_max;
        let fits = match &self.panel {
            Panel::Numbers(panel) => {
                waiting.clone().all(|row| panel.fits(&row.panel, &self.inputs)) && self.last_class.is_empty()
            }
            Panel::Classes(panel) => {
                let known = |&class: &u32| class == u32::MAX || (class as usize) < panel.classes();
                waiting.clone().all(|row| panel.fits(&row.panel, &self.inputs)) && self.last_class.iter().all(known)
            }
        };
        if sound && fits { Ok(()) } else { Err(CoreError::Corrupt) }
    }

    /// Reads what `save` wrote. Older states do not keep the newest rows: `keeps_rows` is false then.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`; `Limit` for more classes than the saved limit.
    pub fn load(reader: &mut Reader, keeps_rows: bool) -> Result<Self> {
        let mut learner = Self::new(LearnerSpec::load(reader)?);
        for _ in 0..reader.count(4)? {
            learner.intern_class(reader.str()?)?;
        }
        learner.serial = reader.counter()?;
        for _ in 0..reader.count(1)? {
            let mut row = Row {
                taken: reader.bool()?,
                ..Row::default()
            };
            if row.taken {
                row.key = reader.u32()?;
                row.base = reader.f64()?;
                row.baseline = reader.f64()?;
                row.x = reader.f64s()?;
                row.panel = PanelRow::load(reader)?;
                if row.x.len() != learner.spec.columns.len() {
                    return Err(CoreError::Corrupt);
                }
            }
            learner.rows.push(row);
        }
        for _ in 0..reader.count(4)? {
            let slot = reader.u32()?;
            if learner.rows.get(slot as usize).is_none_or(|row| row.taken) {
                return Err(CoreError::Corrupt);
            }
            learner.free.push(slot);
        }
        for _ in 0..reader.count(4)? {
            learner.last_class.push(reader.u32()?);
        }
        learner.inputs.load(reader)?;
        match &mut learner.panel {
            Panel::Numbers(panel) => panel.load(&learner.inputs, reader)?,
            Panel::Classes(panel) => panel.load(&learner.inputs, learner.classes.len(), keeps_rows, reader)?,
        }
        learner.check_rows()?;
        learner.interval.load(reader)?;
        learner.statistics = Statistics::load(reader)?;
        let d = learner.spec.columns.len();
        let fits = match (&learner.statistics, learner.spec.kind) {
            (Statistics::CoMoments(moments), LearnerKind::Regression) => moments.d() == d,
            (Statistics::Classes(statistics), LearnerKind::Classification) => statistics.d() == d,
            _ => false,
        };
        if !fits {
            return Err(CoreError::Corrupt);
        }
        if reader.bool()? {
            let mut installed = Installed::load(reader)?;
            let fits =
                matches!(installed.model, ReleaseModel::Ridge { .. }) == (learner.spec.kind == LearnerKind::Regression);
            if !fits || installed.model.d() != d {
                return Err(CoreError::Corrupt);
            }
            installed.meet(&learner.class_index);
            learner.release = Some(installed);
        }
        Ok(learner)
    }
}
