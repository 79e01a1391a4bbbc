//! The journey of a label, from its payload to its task.

use super::super::State;
use crate::decode::{self, Decoded, Format, Found, Text};
use crate::error::{CoreError, Result};
use crate::ledger::Fate;
use crate::names::NONE;
use crate::output::Outputs;
use crate::plan::TaskKind;
use crate::repeat::device_number;
use crate::route::LabelRoute;
use crate::task::{Aim, Id, Label};
use crate::time::event_time_ms;
use crate::wire::Publish;
use crate::zone::Zone;

/// Bytes of a class name.
const CLASS_BYTES_MAX: usize = 256;

impl State {
    /// Hands a label to its task.
    pub(super) fn label<'a>(
        &mut self,
        route: &mut LabelRoute,
        publish: &Publish<'a>,
        decoded: &mut Decoded<'a>,
        outputs: &mut Outputs,
    ) -> Result<Fate> {
        let definition = &self.plan.tasks[route.task];
        let label = definition
            .label
            .as_ref()
            .expect("the router asks only tasks with labels");
        if let Err(error) = decode::decode(&Format::Json, publish.payload, 0.0, &label.selection, decoded) {
            // A payload that is the label itself may be bare text.
            let bare = publish.payload.trim_ascii();
            if !label.is_whole || label.has_time || label.has_id || bare.is_empty() {
                return Err(error);
            }
            decoded.set_whole(&label.selection, Found::Text(Text::plain(bare)));
        }
        let found = decoded.whole(&label.selection, 0);
        let time_ms = if label.has_time {
            let found = decoded.whole(&label.selection, 1);
            Some(event_time_ms(&found, &Zone::default(), 0.0).ok_or(CoreError::BadTime)?)
        } else {
            None
        };
        let number = label.has_number.then(|| {
            decoded
                .whole(&label.selection, 1 + usize::from(label.has_time))
                .number()
        });
        let id = if label.has_id {
            let found = decoded.whole(
                &label.selection,
                1 + usize::from(label.has_time) + usize::from(label.has_number),
            );
            prediction_id(&found, &mut self.label_text)?
        } else {
            None
        };
        if let Some(number) = number.and_then(device_number)
            && self.is_repeated_label(route, publish, number, time_ms)?
        {
            return Ok(Fate::Duplicate);
        }
        let definition = &self.plan.tasks[route.task];
        let value = if definition.kind == TaskKind::Classification {
            Label::Class(class_name(&found, &mut self.label_text)?)
        } else {
            Label::Number(found.reading()?.ok_or(CoreError::NoReading)?)
        };
        if route.key == NONE {
            route.key = self.table.key_names.find(&route.key_name).unwrap_or(NONE);
        }
        let key = (route.key != NONE).then_some(route.key);
        let newest_ms = key.map_or(f64::NEG_INFINITY, |key| self.table.keys[key as usize].newest_ms);
        let aim = Aim { id, time_ms };
        self.tasks[route.task].label((key, newest_ms), aim, value, (route.task, &self.table), outputs)?;
        Ok(Fate::Used)
    }
}

/// The prediction that a label names, `offset-ordinal`; `None` when it names none.
fn prediction_id(found: &Found, text: &mut String) -> Result<Option<Id>> {
    if matches!(found, Found::Absent | Found::Other) {
        return Ok(None);
    }
    text.clear();
    found.append_name(text)?;
    let (offset, ordinal) = text.split_once('-').ok_or(CoreError::NoReading)?;
    let id = offset.parse().ok().zip(ordinal.parse().ok());
    id.map(Some).ok_or(CoreError::NoReading)
}

/// The class that a label names: its text, or the shortest text of its number.
fn class_name<'a>(found: &Found, text: &'a mut String) -> Result<&'a str> {
    text.clear();
    if !found.append_name(text)? || text.is_empty() {
        return Err(CoreError::NoReading);
    }
    if text.len() > CLASS_BYTES_MAX {
        Err(CoreError::Limit)
    } else {
        Ok(text)
    }
}
