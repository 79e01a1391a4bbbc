//! Which messages, rows and labels have been here before, by the numbers that their senders give them.

use super::super::State;
use super::Row;
use crate::error::Result;
use crate::names::NONE;
use crate::route::{LabelRoute, SourceRoute};
use crate::wire::Publish;

impl State {
    /// Judges the device's number.
    pub(super) fn is_repeat(
        &mut self,
        route: &mut SourceRoute,
        publish: &Publish,
        number: u64,
        own_time_ms: Option<f64>,
    ) -> Result<bool> {
        let (index, verdict) = if route.stream == NONE {
            let name = format!("{}\n{}", self.plan.sources[route.source].name, publish.topic);
            self.streams
                .offer(self.streams.find(&name), &name, number, own_time_ms)?
        } else {
            self.streams.offer(Some(route.stream), "", number, own_time_ms)?
        };
        route.stream = index;
        Ok(self.ledger.account(route.source).book_number(&verdict))
    }

    /// True when the topic just had this content, under event times of its own.
    pub(super) fn is_repeated_content(&mut self, route: &mut SourceRoute, publish: &Publish) -> bool {
        if !self.rows.iter().all(|row| row.own_time) {
            return false; // a message without a time says the same again and again
        }
        let source = &self.plan.sources[route.source].name;
        let name = || format!("{source}\n{}", publish.topic);
        self.contents.repeated(&mut route.contents, name, publish.payload)
    }

    /// Judges the number that a device gave for one row: each key counts for itself.
    pub(super) fn is_repeated_row(
        &mut self,
        route: &SourceRoute,
        publish: &Publish,
        number: u64,
        row: &Row,
    ) -> Result<bool> {
        let key_name = self.table.key_names.name(row.key);
        self.name.clear();
        for piece in [
            &self.plan.sources[route.source].name,
            "\n",
            publish.topic,
            "\n",
            key_name,
        ] {
            self.name.push_str(piece);
        }
        let index = self.streams.find(&self.name);
        let (_, verdict) = self.streams.offer(index, &self.name, number, row.own_time_ms())?;
        Ok(self.ledger.account(route.source).book_number(&verdict))
    }

    /// Judges the number of whoever labels; each topic counts for itself.
    pub(super) fn is_repeated_label(
        &mut self,
        route: &mut LabelRoute,
        publish: &Publish,
        number: u64,
        own_time_ms: Option<f64>,
    ) -> Result<bool> {
        let (index, verdict) = if route.stream == NONE {
            // A line end in front: no source's stream begins with one.
            let name = format!("\nlabels\n{}\n{}", self.plan.tasks[route.task].name, publish.topic);
            self.streams
                .offer(self.streams.find(&name), &name, number, own_time_ms)?
        } else {
            self.streams.offer(Some(route.stream), "", number, own_time_ms)?
        };
        route.stream = index;
        let account = self.ledger.of_labels(route.task);
        Ok(self.ledger.account(account).book_number(&verdict))
    }
}
