//! What the core puts out (FORMATS.md §4): records back to back, each with an id made of the offset of the message that
//! caused it and which of its outputs it is, so that a consumer can drop what it saw before a crash.

use crate::codec::Writer;
use crate::drift::watch::Evidence;
use crate::error::CoreError;
use crate::window::{Frame, Window};

const PREDICTION: u8 = 1;
const WINDOW: u8 = 2;
const ALARM: u8 = 3;
const LATE: u8 = 4;
const QUARANTINE: u8 = 5;
const FORWARD: u8 = 6;
const REBIRTH: u8 = 7;
const ANNOUNCEMENT: u8 = 9;
const DRIFT: u8 = 8;
/// Kinds of a trace have the highest bit.
const SERVED: u8 = 128;
const OUTCOME: u8 = 129;
/// Subject of a late reading that no window covers.
const NO_WINDOW: usize = 65_535;

/// A prediction as it is put out.
pub struct Prediction<'a> {
    /// Index of the task in the plan.
    pub task: usize,
    /// Name of the key.
    pub key: &'a str,
    /// Event time it was made at.
    pub at_ms: f64,
    /// How far ahead it looks.
    pub horizon_ms: f64,
    /// The number, or the probability of the class.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Mean error of the task so far; NaN before the first label.
    pub error: f64,
    /// The same for the last value or class.
    pub error_last_value: f64,
    /// Name of the class; empty for a number.
    pub class: &'a str,
    /// The release in the panel.
    pub release: Option<[u8; 32]>,
}

/// An alarm as it is put out.
pub struct Alarm<'a> {
    /// Index of the task in the plan.
    pub task: usize,
    /// Name of the key.
    pub key: &'a str,
    /// Event time of the reading.
    pub at_ms: f64,
    /// The reading.
    pub value: f64,
    /// What was predicted for it.
    pub expected: f64,
    /// Their distance in scales of the usual distance.
    pub score: f64,
}

/// A change that was found, as it is put out.
pub struct Drift<'a> {
    /// Index of the task in the plan.
    pub task: usize,
    /// Name of the key at whose row it was found.
    pub key: &'a str,
    /// Name of the detector.
    pub detector: &'a str,
    /// Name of the feature; empty for what is none.
    pub feature: &'a str,
    /// What was found.
    pub found: &'a Evidence,
    /// People are to see it.
    pub alert: bool,
    /// The coordinator is to be asked for what it has.
    pub sync: bool,
}

/// A feature vector as it was served.
pub struct ServedVector<'a> {
    /// Index of the task in the plan.
    pub task: usize,
    /// Name of the key.
    pub key: &'a str,
    /// Event time.
    pub at_ms: f64,
    /// Names it until its outcome.
    pub slot: u32,
    /// The features.
    pub x: &'a [f64],
}

/// What became of a served vector.
#[derive(Clone, Copy)]
pub enum Outcome<'a> {
    /// No label came in time.
    Expired,
    /// Its label, a number.
    Number(f64),
    /// Its label, a class.
    Class(&'a str),
}

/// A writer of records with the id of the next one.
pub struct Outputs<'a> {
    writer: &'a mut Writer,
    offset: u64,
    ordinal: u32,
    traced: bool,
}

impl<'a> Outputs<'a> {
    /// Continues behind what is in `writer`.
    pub fn new(writer: &'a mut Writer) -> Self {
        Self {
            writer,
            offset: 0,
            ordinal: 0,
            traced: false,
        }
    }

    /// The same, with a trace of what is served and what becomes of it, or without.
    #[must_use]
    pub fn traced(mut self, traced: bool) -> Self {
        self.traced = traced;
        self
    }

    /// The offset in the id of the next record.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Sets the id of the next record.
    pub fn caused_by(&mut self, offset: u64, ordinal: u32) {
        self.offset = offset;
        self.ordinal = ordinal;
    }

    /// The ordinal of the next record.
    #[must_use]
    pub fn ordinal(&self) -> u32 {
        self.ordinal
    }

    fn record(&mut self, kind: u8, subject: usize, fields: impl FnOnce(&mut Writer)) {
        let at = self.writer.len();
        self.writer.u32(0);
        self.writer.u8(kind);
        self.writer.u8(0);
        self.writer
            .u16(u16::try_from(subject).expect("a plan has fewer tasks and windows"));
        self.writer.u64(self.offset);
        self.writer.u32(self.ordinal);
        fields(self.writer);
        let length = u32::try_from(self.writer.len() - at).expect("names are at most 64 KiB long");
        self.writer.patch_u32(at, length);
        self.ordinal = self.ordinal.wrapping_add(1);
    }

    /// A record of the trace: it has the id of the record behind it, so that ids are the same without a trace.
    fn trace(&mut self, kind: u8, subject: usize, fields: impl FnOnce(&mut Writer)) {
        if self.traced {
            let ordinal = self.ordinal;
            self.record(kind, subject, fields);
            self.ordinal = ordinal;
        }
    }

    /// Traces a vector that is served with the prediction behind it.
    pub fn served(&mut self, served: &ServedVector) {
        self.trace(SERVED, served.task, |writer| {
            writer.str(served.key);
            writer.f64(served.at_ms);
            writer.u32(served.slot);
            writer.f64s(served.x);
        });
    }

    /// Traces what became of the vector that was served under `slot`.
    pub fn outcome(&mut self, task: usize, slot: u32, outcome: Outcome) {
        let (number, class) = match outcome {
            Outcome::Expired => (f64::NAN, ""),
            Outcome::Number(number) => (number, ""),
            Outcome::Class(class) => (f64::NAN, class),
        };
        self.trace(OUTCOME, task, |writer| {
            writer.u32(slot);
            writer.bool(!matches!(outcome, Outcome::Expired));
            writer.f64(number);
            writer.str(class);
        });
    }

    /// Puts out a prediction.
    pub fn prediction(&mut self, prediction: &Prediction) {
        self.record(PREDICTION, prediction.task, |writer| {
            writer.str(prediction.key);
            for value in [
                prediction.at_ms,
                prediction.horizon_ms,
                prediction.value,
                prediction.low,
                prediction.high,
                prediction.error,
                prediction.error_last_value,
            ] {
                writer.f64(value);
            }
            writer.str(prediction.class);
            writer.raw(
                prediction
                    .release
                    .as_ref()
                    .map_or(&[0; 8], |hash| hash.first_chunk::<8>().expect("32 bytes")),
            );
        });
    }

    /// Puts out a window: what its statistics say, numbers and lists each in their order.
    pub fn window(&mut self, window: usize, definition: &Window, key: &str, field: &str, frame: &Frame) {
        self.record(WINDOW, window, |writer| {
            writer.str(key);
            writer.str(field);
            writer.f64(frame.start);
            writer.f64(frame.end);
            writer.u64(frame.aggregate.map_or(0, |aggregate| aggregate.count));
            writer.u32(frame.revision);
            writer.bool(frame.is_final);
            let Some(aggregate) = frame.aggregate else {
                writer.u32(0); // neither numbers nor lists
                return;
            };
            let asked = |lists: bool| {
                definition
                    .statistics
                    .iter()
                    .filter(move |asked| asked.is_list() == lists)
            };
            let length = |length: usize| u16::try_from(length).expect("at most STATISTICS_MAX");
            writer.u16(length(asked(false).count()));
            for statistic in asked(false) {
                writer.f64(definition.value(statistic, aggregate));
            }
            writer.u16(length(asked(true).count()));
            for statistic in asked(true) {
                let pairs = definition.list(statistic, aggregate);
                writer.u16(length(pairs.len()));
                for (value, other) in pairs {
                    writer.f64(value);
                    writer.f64(other);
                }
            }
        });
    }

    /// Puts out an alarm.
    pub fn alarm(&mut self, alarm: &Alarm) {
        self.record(ALARM, alarm.task, |writer| {
            writer.str(alarm.key);
            for value in [alarm.at_ms, alarm.value, alarm.expected, alarm.score] {
                writer.f64(value);
            }
        });
    }

    /// Puts out a change that was found.
    pub fn drift(&mut self, drift: &Drift) {
        let found = drift.found;
        self.record(DRIFT, drift.task, |writer| {
            writer.str(drift.key);
            writer.str(found.of.word());
            writer.str(drift.feature);
            writer.str(drift.detector);
            for value in [found.at_ms, found.before, found.after] {
                writer.f64(value);
            }
            writer.u64(found.rows);
            writer.u32(found.batch);
            writer.u8(u8::from(drift.alert) | u8::from(drift.sync) << 1);
        });
    }

    /// Puts out a reading that goes on as it is, under a rule of the plan.
    pub fn forward(&mut self, rule: usize, key: &str, field: &str, time: f64, value: f64) {
        self.record(FORWARD, rule, |writer| {
            writer.str(key);
            writer.str(field);
            writer.f64(time);
            writer.f64(value);
        });
    }

    /// Puts out a reading that came too late for a window; `None` when there is none for it.
    pub fn late(&mut self, window: Option<usize>, key: &str, field: &str, time: f64, value: f64, watermark: f64) {
        let window = window.unwrap_or(NO_WINDOW);
        self.record(LATE, window, |writer| {
            writer.str(key);
            writer.str(field);
            for value in [time, value, watermark] {
                writer.f64(value);
            }
        });
    }

    /// Puts out that a Sparkplug edge node is to announce itself again; `topic` is where it takes commands.
    pub fn rebirth(&mut self, topic: &str, wall_ms: f64) {
        self.record(REBIRTH, 0, |writer| {
            writer.str(topic);
            writer.f64(wall_ms);
        });
    }

    /// Puts out a message that says what another topic holds.
    pub fn announcement(&mut self, topic: &str, payload: &[u8]) {
        self.record(ANNOUNCEMENT, 0, |writer| {
            writer.str(topic);
            writer.bytes(payload);
        });
    }

    /// Puts out where a message stands that could not be read: its account in the ledger, the sequence of its block and its
    /// byte position in the payload there, and where in the message what is wrong stands, if that is known.
    pub fn quarantine(&mut self, account: usize, code: CoreError, (sequence, at): (u64, usize), path: &str) {
        self.record(QUARANTINE, 0, |writer| {
            writer.u16(u16::try_from(account).expect("a plan has fewer sources and tasks"));
            writer.raw(&(code as i32).to_le_bytes());
            writer.u32(u32::try_from(at).expect("a payload is at most 16 MiB"));
            writer.u64(sequence);
            writer.str(path);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Reader;

    #[test]
    fn records_carry_their_length_and_count_up_within_a_message() {
        let mut writer = Writer::new();
        let mut outputs = Outputs::new(&mut writer);
        outputs.caused_by(9, 0);
        outputs.late(Some(0), "k", "f", 1.0, 2.0, 3.0);
        outputs.quarantine(4, CoreError::Corrupt, (6, 5), "/a");
        let mut reader = Reader::new(writer.as_slice());
        for (kind, ordinal) in [(LATE, 0), (QUARANTINE, 1)] {
            let length = reader.u32().unwrap() as usize;
            let mut record = Reader::new(reader.raw(length - 4).unwrap());
            assert_eq!((record.u8(), record.u8(), record.u16()), (Ok(kind), Ok(0), Ok(0)));
            assert_eq!((record.u64(), record.u32()), (Ok(9), Ok(ordinal)));
        }
        reader.finish().unwrap();
    }
}
