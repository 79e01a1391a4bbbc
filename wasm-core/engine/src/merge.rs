//! The coordinator's fold: the statistics of a fleet, one set per gateway, kept in a tree and solved for a global
//! model. Operations are bytes (FORMATS.md section 7). What comes out depends on the set of gateways and their newest
//! statistics alone: not on the order they came in, on repeats, or on gateways that were removed again.

mod consistent;
mod judge;
mod sent;
mod solve;
mod solve_logistic;
mod tree;

pub use judge::{Judgement, Suspect, judge};
pub use sent::encode_sent;
pub use solve::{solve_lda, solve_ridge};
pub use tree::{GatewayHash, Tree};

use sha2::{Digest, Sha256};

use crate::codec::{Reader, Writer};
use crate::error::{CoreError, Result};
use crate::json::{self, Value};
use crate::statistics::{ClassStatistics, FEATURES_MAX, FORM_CLASSES, FORM_CO_MOMENTS, Statistics};

const OPEN: u8 = 1;
const PUT: u8 = 2;
const REMOVE: u8 = 3;
const SOLVE: u8 = 4;
const MEASURE: u8 = 5;
const JUDGE: u8 = 6;
const COUNT: u8 = 7;
const PUT_OWN: u8 = 8;

/// A merge of one schema; empty until it is opened.
#[derive(Default)]
pub struct Merge {
    fleet: Option<Fleet>,
}

/// What an open merge holds.
struct Fleet {
    form: u8,
    tree: Tree,
}

impl Merge {
    /// A merge that is not open yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Carries out one operation; *put*, *solve*, *measure*, *judge* and *count* write to `out`. A refused operation changes nothing.
    ///
    /// # Errors
    /// `NotOpen` before *open*; `Foreign` for an unknown operation or form; the errors of decoding; for *put*
    /// `SchemaMismatch`, `BadNumbers`, `Limit`; for *solve* `TooFewRows`, `Singular`, `BadNumbers`.
    pub fn operate(&mut self, input: &[u8], out: &mut Writer) -> Result<()> {
        let mut reader = Reader::new(input);
        match reader.u8()? {
            OPEN => self.open(reader),
            PUT => self.open_fleet()?.put(reader, out, false),
            PUT_OWN => self.open_fleet()?.put(reader, out, true),
            REMOVE => self.open_fleet()?.remove(reader),
            SOLVE => self.open_fleet()?.solve(reader, out),
            JUDGE => self.open_fleet()?.judge(&reader, out),
            MEASURE => self.open_fleet()?.measure(&reader, out),
            COUNT => self.open_fleet()?.count(&reader, out),
            _ => Err(CoreError::Foreign),
        }
    }

    fn open(&mut self, mut reader: Reader) -> Result<()> {
        let schema = reader.bytes()?;
        let form = reader.u8()?;
        reader.finish()?;
        if !matches!(form, FORM_CO_MOMENTS | FORM_CLASSES) {
            return Err(CoreError::Foreign);
        }
        let d = features_of(schema)?;
        self.fleet = Some(Fleet {
            form,
            tree: Tree::new(d),
        });
        Ok(())
    }

    fn open_fleet(&mut self) -> Result<&mut Fleet> {
        self.fleet.as_mut().ok_or(CoreError::NotOpen)
    }
}

impl Fleet {
    /// `own`: what the gateway told on top of releases does not count; its own logistic stands for it.
    fn put(&mut self, mut reader: Reader, out: &mut Writer, own: bool) -> Result<()> {
        let gateway = gateway(&mut reader)?;
        let statistics = Statistics::decode(reader.bytes()?)?;
        reader.finish()?;
        if statistics.form() != self.form {
            return Err(CoreError::SchemaMismatch);
        }
        statistics.check()?;
        let statistics = match statistics {
            Statistics::Classes(classes) if own => {
                let own = classes.own().cloned();
                Statistics::Classes(classes.with_logistic(own.clone(), own))
            }
            statistics => statistics,
        };
        let (fitting, whole) = match &statistics {
            Statistics::Classes(classes) if !consistent::consistent(classes) => {
                (Statistics::Classes(classes.with_logistic(None, None)), false)
            }
            _ => (statistics, true),
        };
        self.tree.put(gateway, fitting)?;
        out.bool(whole);
        Ok(())
    }

    fn remove(&mut self, mut reader: Reader) -> Result<()> {
        let gateway = gateway(&mut reader)?;
        reader.finish()?;
        self.tree.remove(&gateway);
        Ok(())
    }

    fn solve(&mut self, mut reader: Reader, out: &mut Writer) -> Result<()> {
        let ridge = reader.f64()?;
        let removable = reader.bool()?;
        reader.finish()?;
        let gateways = self.tree.gateways();
        let root = self.tree.root().ok_or(CoreError::TooFewRows)?;
        let model = match root {
            Statistics::CoMoments(statistics) => solve_ridge(statistics, ridge)?,
            Statistics::Classes(statistics) => solve_lda(statistics, ridge, removable)?,
        };
        let mut model_bytes = Writer::new();
        model.encode(&mut model_bytes);
        out.u32(count(gateways));
        out.f64(root.n());
        out.bytes(model_bytes.as_slice());
        out.raw(&digest(root));
        Ok(())
    }

    /// What there is, without a model of it: also when it is too little for one.
    fn measure(&mut self, reader: &Reader, out: &mut Writer) -> Result<()> {
        if reader.remaining() > 0 {
            return Err(CoreError::Corrupt);
        }
        let gateways = self.tree.gateways();
        let root = self.tree.root();
        out.u32(count(gateways));
        out.f64(root.map_or(0.0, Statistics::n));
        let whole = root.map_or([0; 32], digest);
        out.raw(&whole);
        out.raw(&match root {
            Some(root) if root.has_forked_part() => digest(&root.removable()),
            _ => whole,
        });
        Ok(())
    }

    /// How much there is, for whoever asks after each change: a digest costs more than the change.
    fn count(&mut self, reader: &Reader, out: &mut Writer) -> Result<()> {
        if reader.remaining() > 0 {
            return Err(CoreError::Corrupt);
        }
        let gateways = self.tree.gateways();
        out.u32(count(gateways));
        out.f64(self.tree.root().map_or(0.0, Statistics::n));
        Ok(())
    }

    /// Who does not fit: changes nothing in the merge.
    fn judge(&mut self, reader: &Reader, out: &mut Writer) -> Result<()> {
        if reader.remaining() > 0 {
            return Err(CoreError::Corrupt);
        }
        let gateways: Vec<_> = self.tree.leaves().filter_map(classes_of).collect();
        let (verdict, median, suspects) = match judge(&gateways) {
            Judgement::Silent => (0, 0.0, Vec::new()),
            Judgement::OneWorld { median, suspects } => (1, median, suspects),
            Judgement::ManyWorlds { median } => (2, median, Vec::new()),
        };
        out.u8(verdict);
        out.f64(median);
        out.u32(count(suspects.len()));
        for suspect in suspects {
            out.raw(&suspect.gateway);
            for number in [suspect.distance, suspect.limit, suspect.rows] {
                out.f64(number);
            }
        }
        Ok(())
    }
}

fn classes_of<'a>(
    (gateway, statistics): (&'a GatewayHash, &'a Statistics),
) -> Option<(&'a GatewayHash, &'a ClassStatistics)> {
    match statistics {
        Statistics::Classes(classes) => Some((gateway, classes)),
        Statistics::CoMoments(_) => None,
    }
}

fn count(gateways: usize) -> u32 {
    u32::try_from(gateways).expect("a gateway takes more than one byte of a 4 GiB address space")
}

fn digest(root: &Statistics) -> [u8; 32] {
    let mut bytes = Writer::new();
    root.encode(&mut bytes);
    Sha256::digest(bytes.as_slice()).into()
}

fn gateway(reader: &mut Reader) -> Result<GatewayHash> {
    Ok(reader.raw(32)?.try_into().expect("raw returned the length asked for"))
}

/// How many features a schema names (FORMATS.md section 6).
fn features_of(schema: &[u8]) -> Result<usize> {
    let schema = json::parse(schema).map_err(|_| CoreError::Corrupt)?;
    let features = schema
        .get("features")
        .and_then(Value::as_list)
        .ok_or(CoreError::Corrupt)?;
    if !features.iter().all(|feature| feature.as_str().is_some()) {
        return Err(CoreError::Corrupt);
    }
    if features.len() > FEATURES_MAX {
        return Err(CoreError::Limit);
    }
    Ok(features.len())
}
