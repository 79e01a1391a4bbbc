//! The fleet's model in a learner: the newest release, and which of its classes is which here.

use std::collections::BTreeMap;

use super::{Learner, LearnerKind, Panel};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::release::{Descent, ReleaseModel};

/// A release that has joined the panel.
#[derive(Debug)]
pub(super) struct Installed {
    pub(super) descent: Descent,
    pub(super) model: ReleaseModel,
    /// Per label of the model its class index here; `u32::MAX`: not known here.
    pub(super) classes: Vec<u32>,
}

impl Installed {
    /// Finds its labels among the classes known here.
    pub(super) fn meet(&mut self, known: &BTreeMap<String, u32>) {
        let index = |label: &String| known.get(label).copied().unwrap_or(u32::MAX);
        self.classes = self.model.labels().iter().map(index).collect();
    }

    /// Writes it; the classes follow from the learner's.
    pub(super) fn save(&self, writer: &mut Writer) {
        writer.raw(&self.descent.hash);
        writer.raw(&self.descent.line);
        writer.f64(self.descent.rows);
        let mut bytes = Writer::new();
        self.model.encode(&mut bytes);
        writer.bytes(bytes.as_slice());
    }

    /// Reads what `save` wrote; it has yet to `meet` the classes.
    pub(super) fn load(reader: &mut Reader) -> Result<Self> {
        let mut hash = || reader.raw(32)?.try_into().map_err(|_| CoreError::Corrupt);
        Ok(Self {
            descent: Descent {
                hash: hash()?,
                line: hash()?,
                rows: reader.f64()?,
            },
            model: ReleaseModel::decode(reader.bytes()?)?,
            classes: Vec::new(),
        })
    }
}

impl Learner {
    /// Puts a global model into the panel as the expert `release`, in place of an earlier one. For classes its models take the
    /// weight that they would have earned on the newest labelled rows. For numbers it takes the weight of the earlier one when
    /// it continues its line, else a new expert's. Off that line, its record begins anew, and rows that wait for their label score what
    /// was served, but not this release. Its classes become known here, as far as `classes_max` allows.
    ///
    /// # Errors
    /// `SchemaMismatch` for a model of another kind or another number of features.
    pub fn install(&mut self, model: ReleaseModel, descent: Descent) -> Result<()> {
        let fits = match model {
            ReleaseModel::Ridge { .. } => self.spec.kind == LearnerKind::Regression,
            ReleaseModel::Lda { .. } => self.spec.kind == LearnerKind::Classification,
        };
        if !fits || model.d() != self.spec.columns.len() {
            return Err(CoreError::SchemaMismatch);
        }
        for label in model.labels() {
            let _ = self.intern_class(label);
        }
        let earlier = self.release.as_ref().map(|installed| installed.descent);
        let mut installed = Installed {
            descent,
            model,
            classes: Vec::new(),
        };
        installed.meet(&self.class_index);
        let continues = earlier.is_some_and(|earlier| descent.continues(&earlier));
        match &mut self.panel {
            Panel::Numbers(panel) if continues => {}
            Panel::Numbers(panel) => panel.install(self.serial),
            Panel::Classes(panel) => {
                panel.grow(self.classes.len());
                let release = (&installed.model, &installed.classes[..]);
                panel.install(release, descent.rows, self.serial, continues, &self.inputs);
            }
        }
        self.release = Some(installed);
        if !continues {
            for row in self.rows.iter_mut().filter(|row| row.taken) {
                match &self.panel {
                    Panel::Numbers(panel) => panel.forget_release(&mut row.panel),
                    Panel::Classes(panel) => panel.forget_release(&mut row.panel),
                }
            }
        }
        Ok(())
    }

    /// The hash of the installed release.
    #[must_use]
    pub fn release(&self) -> Option<[u8; 32]> {
        self.release.as_ref().map(|installed| installed.descent.hash)
    }
}
