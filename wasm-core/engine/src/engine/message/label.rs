//! The journey of a label, from its payload to its task.

use super::super::State;
use crate::decode::{self, Decoded, Format, Found, Text};
use crate::error::{CoreError, Result};
use crate::ledger::Fate;
use crate::names::NONE;
use crate::output::Outputs;
use crate::plan::{LabelPlan, TaskKind, TaskPlan};
use crate::repeat::device_number;
use crate::route::LabelRoute;
use crate::task::{Aim, Id, Label};
use crate::time::event_time_ms;
use crate::wire::Publish;
use crate::zone::Zone;

/// Bytes of a class name.
const CLASS_BYTES_MAX: usize = 256;

impl State {
    /// Hands the labels of a message to their task: one, or in a format of records one for each. All of them are read before
    /// the first counts.
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
        #[expect(clippy::cast_precision_loss, reason = "epoch milliseconds")]
        let wall_ms = self.clock.wall_ms as f64;
        if let Err(error) = decode::decode(&label.format, publish.payload, wall_ms, &label.selection, decoded) {
            // A payload that is the label itself may be bare text.
            let bare = publish.payload.trim_ascii();
            if label.format != Format::Json || !label.is_whole || label.has_time || label.has_id || bare.is_empty() {
                return Err(error);
            }
            decoded.set_whole(&label.selection, Found::Text(Text::plain(bare)));
        }
        let scope = label.selection.scope_of(0);
        let rows = &decoded.rows;
        let instances = (0..rows.len()).filter(|&instance| rows.scope(instance) == scope);
        let mut labels = 0_usize;
        for instance in instances.clone() {
            read_label(definition, label, decoded, instance, wall_ms, &mut self.label_text)?;
            labels += 1;
        }
        if labels == 0 {
            return Err(CoreError::NoReading);
        }
        let (mut fate, mut refused) = (Fate::Duplicate, None);
        for instance in instances {
            match self.one_label(route, publish, decoded, instance, outputs) {
                Ok(true) => fate = Fate::Used,
                Ok(false) => {}
                Err(error) => refused = refused.or(Some(error)), // those behind it are labels all the same
            }
        }
        refused.map_or(Ok(fate), Err)
    }

    /// Hands one label of a message that holds nothing but labels to its task; false when it was here before.
    fn one_label(
        &mut self,
        route: &mut LabelRoute,
        publish: &Publish,
        decoded: &Decoded,
        instance: usize,
        outputs: &mut Outputs,
    ) -> Result<bool> {
        let definition = &self.plan.tasks[route.task];
        let label = definition.label.as_ref().expect("as above");
        #[expect(clippy::cast_precision_loss, reason = "epoch milliseconds")]
        let wall_ms = self.clock.wall_ms as f64;
        let mut text = core::mem::take(&mut self.label_text);
        let said = read_label(definition, label, decoded, instance, wall_ms, &mut text);
        self.label_text = text;
        let Said {
            time_ms,
            number,
            id,
            value,
        } = said?;
        if let Some(number) = number
            && self.is_repeated_label(route, publish, number, time_ms)?
        {
            return Ok(false);
        }
        let value = value.map_or(Label::Class(&self.label_text), Label::Number);
        if route.key == NONE {
            route.key = self.table.key_names.find(&route.key_name).unwrap_or(NONE);
        }
        let key = (route.key != NONE).then_some(route.key);
        let newest_ms = key.map_or(f64::NEG_INFINITY, |key| self.table.keys[key as usize].newest_ms);
        let aim = Aim { id, time_ms };
        self.tasks[route.task].label((key, newest_ms), aim, value, (route.task, &self.table), outputs)?;
        Ok(true)
    }
}

/// What a label says.
struct Said {
    /// The time it is for.
    time_ms: Option<f64>,
    /// Its sender's number.
    number: Option<u64>,
    /// The prediction it is for.
    id: Option<Id>,
    /// Its number; without one it is a class.
    value: Option<f64>,
}

/// Reads a label; its class goes to `text`.
fn read_label(
    definition: &TaskPlan,
    label: &LabelPlan,
    decoded: &Decoded,
    instance: usize,
    wall_ms: f64,
    text: &mut String,
) -> Result<Said> {
    let mut places = 0..;
    let mut next = |there: bool| {
        let place = if there { places.next() } else { None };
        place.map(|place| *decoded.rows.value(&label.selection, instance, place))
    };
    let (found, time) = (next(true), next(label.has_time));
    let (number, id) = (next(label.has_number), next(label.has_id));
    let found = found.unwrap_or(Found::Absent);
    let time_ms = match time {
        Some(time) => Some(event_time_ms(&time, &Zone::default(), wall_ms).ok_or(CoreError::BadTime)?),
        None => None,
    };
    let number = number.and_then(|number| device_number(number.number()));
    let id = match id {
        Some(id) => prediction_id(&id, text)?,
        None => None,
    };
    let value = if definition.kind == TaskKind::Classification {
        class_name(&found, text)?;
        None
    } else {
        Some(found.reading()?.ok_or(CoreError::NoReading)?)
    };
    Ok(Said {
        time_ms,
        number,
        id,
        value,
    })
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

/// Puts the class that a label names in `text`: its text, or the shortest text of its number.
fn class_name(found: &Found, text: &mut String) -> Result<()> {
    text.clear();
    if !found.append_name(text)? || text.is_empty() {
        return Err(CoreError::NoReading);
    }
    if text.len() > CLASS_BYTES_MAX {
        Err(CoreError::Limit)
    } else {
        Ok(())
    }
}
