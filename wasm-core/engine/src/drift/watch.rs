//! The watch of a task: a detector for each number that is watched, behind batch means, and the evidence of what they
//! found. The error alarms when it rises only: one that falls is no drift.
//!
//! Memory: a detector (3 KiB for ADWIN) and 64 bytes per number watched, and `EVIDENCE_MAX` findings. Cost per number and
//! row: that of the detector over the length of a batch, and an addition.

use std::collections::VecDeque;

use super::batches::{Batched, Batches};
use super::multivariate::Hotelling;
use super::{Detector, DriftSpec, Verdict, new};
use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::plan::DriftPlan;

/// Findings that are kept, the newest.
pub const EVIDENCE_MAX: usize = 32;

/// What is no feature, above all of them in a state.
const LABEL: u32 = u32::MAX;
const LABEL_DELAY: u32 = u32::MAX - 1;

/// What was watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// The error of what was served.
    Error,
    /// What was served.
    Prediction,
    /// All features at once.
    Multivariate,
    /// The labels that come.
    Label,
    /// The time they take, in milliseconds.
    LabelDelay,
    /// The feature at this place.
    Feature(u32),
}

impl Watched {
    /// Its word in reports and messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Prediction => "prediction",
            Self::Multivariate => "multivariate",
            Self::Label => "label",
            Self::LabelDelay => "label delay",
            Self::Feature(_) => "feature",
        }
    }

    /// Name of the feature, among the names of all; empty for what is none.
    #[must_use]
    pub fn feature(self, names: &[String]) -> &str {
        match self {
            Self::Feature(place) => names.get(place as usize).map_or("", String::as_str),
            _ => "",
        }
    }

    fn save(self, writer: &mut Writer) {
        writer.u32(match self {
            Self::Error => 0,
            Self::Prediction => 1,
            Self::Multivariate => 2,
            Self::Label => LABEL,
            Self::LabelDelay => LABEL_DELAY,
            Self::Feature(place) => 3 + place,
        });
    }

    fn load(features: usize, reader: &mut Reader) -> Result<Self> {
        Ok(match reader.u32()? {
            0 => Self::Error,
            1 => Self::Prediction,
            2 => Self::Multivariate,
            LABEL => Self::Label,
            LABEL_DELAY => Self::LabelDelay,
            place if ((place - 3) as usize) < features => Self::Feature(place - 3),
            _ => return Err(CoreError::Corrupt),
        })
    }
}

/// What was found, and of which row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// What had changed.
    pub of: Watched,
    /// Mean before the change and since; of `Multivariate` distances, 1 while nothing changes.
    pub before: f64,
    /// See `before`.
    pub after: f64,
    /// Values watched since the watch began, or since the finding before of the same number.
    pub rows: u64,
    /// Values in a batch: what the detector saw were means over so many.
    pub batch: u32,
    /// Index of the key whose row it was found at.
    pub key: u32,
    /// Event time of that row.
    pub at_ms: f64,
    /// Offset of the message that made it known.
    pub offset: u64,
}

/// The row at hand.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Index of the key.
    pub key: u32,
    /// Event time.
    pub at_ms: f64,
    /// Offset of the message.
    pub offset: u64,
}

/// A number that is watched.
#[derive(Debug)]
pub(crate) struct Line {
    spec: DriftSpec,
    detector: Box<dyn Detector>,
    batches: Batches,
    /// Only a rise is drift.
    rises: bool,
    rows: u64,
}

impl Line {
    pub(crate) fn new(spec: DriftSpec, rises: bool) -> Self {
        Self {
            spec,
            detector: new(spec.kind, spec.run_length),
            batches: Batches::default(),
            rises,
            rows: 0,
        }
    }

    /// A detector sees a value per batch: its run length counts those.
    fn detector(&self) -> Box<dyn Detector> {
        new(self.spec.kind, self.spec.run_length / f64::from(self.batches.length()))
    }

    /// Takes a value; the means before and after, when they have changed.
    pub(crate) fn push(&mut self, x: f64) -> Option<[f64; 2]> {
        self.rows += 1;
        let mean = match self.batches.push(x) {
            Batched::Waiting => return None,
            Batched::Grown => {
                self.detector = self.detector();
                return None;
            }
            Batched::Mean(mean) => mean,
        };
        if self.detector.update(mean) != Verdict::Drift {
            return None;
        }
        let [before, after] = self.detector.means().unwrap_or_else(|| self.batches.means());
        self.batches.begin();
        self.detector = self.detector(); // what is left of the old world would alarm again
        (!self.rises || after > before).then_some([before, after])
    }

    fn save(&self, writer: &mut Writer) {
        self.batches.save(writer);
        writer.u64(self.rows);
        self.detector.save(writer);
    }

    fn load(&mut self, reader: &mut Reader) -> Result<()> {
        self.batches = Batches::load(reader)?;
        self.rows = reader.counter()?;
        self.detector = self.detector();
        self.detector.load(reader)
    }
}

/// All that a task watches.
#[derive(Debug)]
pub struct Watch {
    plan: DriftPlan,
    error: Option<Line>,
    prediction: Option<Line>,
    multivariate: Option<(Hotelling, Line)>,
    features: Vec<Line>,
    labels: Option<[Line; 2]>,
    alarms: u64,
    evidence: VecDeque<Evidence>,
}

impl Watch {
    /// A watch over rows of `features` features.
    #[must_use]
    pub fn new(plan: &DriftPlan, features: usize) -> Self {
        let spec = plan.spec;
        let line = |rises: bool| Line::new(spec, rises);
        Self {
            plan: plan.clone(),
            error: plan.error.then(|| line(true)),
            prediction: plan.prediction.then(|| line(false)),
            multivariate: plan.multivariate.then(|| (Hotelling::new(features), line(true))),
            features: if plan.features {
                (0..features).map(|_| line(false)).collect()
            } else {
                Vec::new()
            },
            labels: plan.labels.then(|| [line(false), line(false)]),
            alarms: 0,
            evidence: VecDeque::new(),
        }
    }

    /// What it was made for.
    #[must_use]
    pub fn plan(&self) -> &DriftPlan {
        &self.plan
    }

    /// Findings so far.
    #[must_use]
    pub fn alarms(&self) -> u64 {
        self.alarms
    }

    /// The newest findings, the oldest first.
    pub fn evidence(&self) -> impl ExactSizeIterator<Item = &Evidence> {
        self.evidence.iter()
    }

    /// Takes over what was found under another plan.
    pub fn inherit(&mut self, before: &Self) {
        self.alarms = before.alarms;
        self.evidence.clone_from(&before.evidence);
    }

    /// A row was served; tells `found` what has changed.
    pub fn served(&mut self, place: Place, x: &[f64], prediction: f64, mut found: impl FnMut(&Evidence)) {
        if let Some(line) = &mut self.prediction
            && let Some(means) = line.push(prediction)
        {
            let evidence = finding(Watched::Prediction, line, means, place);
            self.keep(evidence, &mut found);
        }
        if let Some((measure, line)) = &mut self.multivariate
            && let Some(distance) = measure.push(x)
            && let Some(means) = line.push(distance)
        {
            let evidence = finding(Watched::Multivariate, line, means, place);
            measure.begin();
            self.keep(evidence, &mut found);
        }
        for (at, &value) in x.iter().enumerate().take(self.features.len()) {
            if let Some(means) = self.features[at].push(value) {
                let feature = Watched::Feature(u32::try_from(at).expect("at most FEATURES_MAX"));
                let evidence = finding(feature, &mut self.features[at], means, place);
                self.keep(evidence, &mut found);
            }
        }
    }

    /// A label has come for a row, with this error; tells `found` when it has risen.
    pub fn matured(&mut self, place: Place, error: f64, found: impl FnOnce(&Evidence)) {
        if let Some(line) = &mut self.error
            && let Some(means) = line.push(error)
        {
            let evidence = finding(Watched::Error, line, means, place);
            self.keep(evidence, found);
        }
    }

    /// A label has come, so many milliseconds after its row; tells `found` when labels or delays are others than they were.
    pub fn labelled(&mut self, place: Place, label: f64, delay_ms: f64, mut found: impl FnMut(&Evidence)) {
        for (at, (of, value)) in [(Watched::Label, label), (Watched::LabelDelay, delay_ms)]
            .into_iter()
            .enumerate()
        {
            if let Some(lines) = &mut self.labels
                && let Some(means) = lines[at].push(value)
            {
                let evidence = finding(of, &mut lines[at], means, place);
                self.keep(evidence, &mut found);
            }
        }
    }

    fn keep(&mut self, evidence: Evidence, found: impl FnOnce(&Evidence)) {
        self.alarms += 1;
        if self.evidence.len() == EVIDENCE_MAX {
            self.evidence.pop_front();
        }
        self.evidence.push_back(evidence);
        found(&evidence);
    }

    /// Writes the state; the plan says what is watched.
    pub fn save(&self, writer: &mut Writer) {
        writer.u64(self.alarms);
        writer.u32(self.evidence.len() as u32);
        for evidence in &self.evidence {
            evidence.of.save(writer);
            for number in [evidence.before, evidence.after, evidence.at_ms] {
                writer.f64(number);
            }
            writer.u64(evidence.rows);
            writer.u32(evidence.batch);
            writer.u32(evidence.key);
            writer.u64(evidence.offset);
        }
        let lines = self.error.iter().chain(&self.prediction).chain(&self.features);
        for line in lines.chain(self.labels.iter().flatten()) {
            line.save(writer);
        }
        if let Some((measure, line)) = &self.multivariate {
            measure.save(writer);
            line.save(writer);
        }
    }

    /// Reads what `save` of a watch of the same plan and features wrote; `keys` are those that there are.
    ///
    /// # Errors
    /// `Truncated` or `Corrupt`.
    pub fn load(plan: &DriftPlan, features: usize, keys: usize, reader: &mut Reader) -> Result<Self> {
        let mut watch = Self::new(plan, features);
        watch.alarms = reader.counter()?;
        for _ in 0..reader.count(48)? {
            let of = Watched::load(features, reader)?;
            let (before, after, at_ms) = (reader.f64()?, reader.f64()?, reader.f64()?);
            watch.evidence.push_back(Evidence {
                of,
                before,
                after,
                at_ms,
                rows: reader.counter()?,
                batch: reader.u32()?,
                key: reader.u32()?,
                offset: reader.counter()?,
            });
        }
        let known = |evidence: &Evidence| (evidence.key as usize) < keys;
        if watch.evidence.len() > EVIDENCE_MAX || !watch.evidence.iter().all(known) {
            return Err(CoreError::Corrupt);
        }
        let lines = watch.error.iter_mut().chain(&mut watch.prediction);
        for line in lines
            .chain(&mut watch.features)
            .chain(watch.labels.iter_mut().flatten())
        {
            line.load(reader)?;
        }
        if let Some((measure, line)) = &mut watch.multivariate {
            measure.load(reader)?;
            line.load(reader)?;
        }
        Ok(watch)
    }
}

fn finding(of: Watched, line: &mut Line, [before, after]: [f64; 2], place: Place) -> Evidence {
    let rows = core::mem::take(&mut line.rows);
    Evidence {
        of,
        before,
        after,
        rows,
        batch: line.batches.length(),
        key: place.key,
        at_ms: place.at_ms,
        offset: place.offset,
    }
}
