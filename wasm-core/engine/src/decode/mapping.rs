//! What a source takes out of its payloads: its fields, the time, the device's counter, and the captures that keys and
//! field names are made of. Fields of one scope make one row of readings for each thing that the scope's wildcard meets.

use super::found::Found;
use super::path::Path;
use super::rows::Rows;
use super::selection::{Selection, WHOLE};
use crate::error::{CoreError, Result};

/// Where a capture of the payload comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Origin {
    /// What the wildcard of this scope met.
    Match(usize),
    /// The value at this path.
    Value(usize),
}

/// A capture of the payload. Different rows may take it from different places.
#[derive(Clone, Debug, PartialEq)]
struct Capture {
    name: String,
    origins: Vec<Origin>,
    /// What it is where there is none.
    absent: Option<String>,
}

/// The paths of one source, ready to be followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// Fields, then time and counter if there are any, then captures.
    pub selection: Selection,
    /// By scope: the fields that make its rows.
    fields: Vec<Vec<usize>>,
    time: Option<usize>,
    counter: Option<usize>,
    captures: Vec<Capture>,
}

impl Mapping {
    /// Makes the paths of a source ready.
    ///
    /// # Errors
    /// `BadPlan` for too many paths, a capture with two meanings, or a time or counter further in than a field.
    pub fn new(
        fields: &[Path],
        time: Option<&Path>,
        counter: Option<&Path>,
        captures: &[(String, Path)],
    ) -> Result<Self> {
        let paths: Vec<Path> = (fields.iter().chain(time).chain(counter))
            .chain(captures.iter().map(|(_, path)| path))
            .cloned()
            .collect();
        let selection = Selection::new(&paths)?;
        let mut places = fields.len()..;
        let mut mapping = Self {
            fields: vec![Vec::new(); selection.scope_count()],
            time: time.and_then(|_| places.next()),
            counter: counter.and_then(|_| places.next()),
            captures: Vec::new(),
            selection,
        };
        for field in 0..fields.len() {
            let scope = mapping.selection.scope_of(field);
            mapping.fields[scope].push(field);
            let reached = |path: &usize| mapping.selection.within(scope, mapping.selection.scope_of(*path));
            if !mapping.time.iter().chain(&mapping.counter).all(reached) {
                return Err(CoreError::BadPlan);
            }
        }
        for scope in 1..mapping.selection.scope_count() {
            if let Some(name) = mapping.selection.capture(scope).map(String::from) {
                mapping.add(&name, Origin::Match(scope));
            }
        }
        for ((name, _), path) in captures.iter().zip(places) {
            if mapping.captures.iter().any(|capture| capture.name == *name) {
                return Err(CoreError::BadPlan);
            }
            mapping.add(name, Origin::Value(path));
        }
        Ok(mapping)
    }

    fn add(&mut self, name: &str, origin: Origin) {
        match self.captures.iter_mut().find(|capture| capture.name == name) {
            Some(capture) => capture.origins.push(origin),
            None => self.captures.push(Capture {
                name: name.into(),
                origins: vec![origin],
                absent: None,
            }),
        }
    }

    /// Says what a capture is where there is none.
    pub fn set_absent(&mut self, name: &str, text: String) {
        if let Some(capture) = self.captures.iter_mut().find(|capture| capture.name == name) {
            capture.absent = Some(text);
        }
    }

    /// Names of the captures.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.captures.iter().map(|capture| capture.name.as_str())
    }

    /// Where rows of `scope` take a capture from: the nearest place around them.
    fn origin(&self, capture: usize, scope: usize) -> Option<Origin> {
        let place = |origin: &Origin| match *origin {
            Origin::Match(scope) => scope,
            Origin::Value(path) => self.selection.scope_of(path),
        };
        let origins = self.captures[capture].origins.iter();
        origins
            .filter(|origin| self.selection.within(scope, place(origin)))
            .copied()
            .reduce(|one, other| {
                if self.selection.within(place(&other), place(&one)) {
                    other
                } else {
                    one
                }
            })
    }

    /// True when rows with `field` have a capture.
    #[must_use]
    pub fn has(&self, capture: usize, field: usize) -> bool {
        self.origin(capture, self.selection.scope_of(field)).is_some()
    }

    /// True when the counter counts messages: it is the same for all rows.
    #[must_use]
    pub fn counts_messages(&self) -> bool {
        self.counter.is_some_and(|path| self.selection.scope_of(path) == WHOLE)
    }

    /// True when there is a counter, and each row has its own.
    #[must_use]
    pub fn counts_rows(&self) -> bool {
        self.counter.is_some() && !self.counts_messages()
    }

    /// The fields of an instance's row.
    #[must_use]
    pub fn fields(&self, rows: &Rows, instance: usize) -> &[usize] {
        &self.fields[rows.scope(instance)]
    }

    /// What stands at the time's path for an instance; `None` when the source has none.
    #[must_use]
    pub fn time<'r, 'a>(&self, rows: &'r Rows<'a>, instance: usize) -> Option<&'r Found<'a>> {
        self.time.map(|path| rows.value(&self.selection, instance, path))
    }

    /// What stands at the counter's path for an instance; `None` when the source has none.
    #[must_use]
    pub fn counter<'r, 'a>(&self, rows: &'r Rows<'a>, instance: usize) -> Option<&'r Found<'a>> {
        self.counter.map(|path| rows.value(&self.selection, instance, path))
    }

    /// Appends where the time of an instance stands, as a JSON pointer; nothing when the source has none.
    pub fn append_time_pointer(&self, rows: &Rows, instance: usize, out: &mut String) {
        if let Some(path) = self.time {
            rows.append_pointer(&self.selection, instance, path, out);
        }
    }

    /// Appends what a capture is for an instance; false when it is nothing there. `announced` says names that earlier
    /// messages announced.
    ///
    /// # Errors
    /// `Corrupt` for text that is not UTF-8.
    pub fn append_capture<'n>(
        &self,
        rows: &Rows,
        instance: usize,
        capture: usize,
        announced: impl Fn(u32) -> &'n str,
        out: &mut String,
    ) -> Result<bool> {
        let before = out.len();
        let there = match self.origin(capture, rows.scope(instance)) {
            Some(Origin::Match(scope)) => rows.append_name(instance, scope, out)?,
            Some(Origin::Value(path)) => match rows.value(&self.selection, instance, path) {
                Found::Announced(index) => {
                    out.push_str(announced(*index));
                    true
                }
                found => found.append_name(out)?,
            },
            None => false,
        };
        if there && out.len() > before {
            return Ok(true);
        }
        out.truncate(before);
        match &self.captures[capture].absent {
            Some(text) => out.push_str(text),
            None => return Ok(false),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    #[test]
    fn a_time_further_in_than_a_field_is_refused() {
        let time = path("d.*.ts");
        assert!(Mapping::new(&[path("d.*.t")], Some(&time), None, &[]).is_ok());
        assert!(Mapping::new(&[path("d.*.t"), path("u")], Some(&time), None, &[]).is_err());
    }

    #[test]
    fn a_capture_may_come_from_the_wildcard_of_each_scope_and_means_one_thing() {
        let fields = [path("t.{dev}"), path("h.{dev}"), path("u")];
        let mapping = Mapping::new(&fields, None, None, &[("site".into(), path("site"))]).unwrap();
        assert_eq!(mapping.names().collect::<Vec<_>>(), ["dev", "site"]);
        assert!(mapping.has(0, 0) && mapping.has(0, 1) && !mapping.has(0, 2) && mapping.has(1, 2));
        assert!(Mapping::new(&fields, None, None, &[("dev".into(), path("x"))]).is_err());
    }
}
