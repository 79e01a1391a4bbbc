//! What a payload said, as rows: the instances of each scope of a selection, with the values found in them. The buffers are
//! used again for the next payload, so that a steady stream allocates nothing.

use super::found::Found;
use super::selection::{Move, Selection, WHOLE};
use super::sparkplug::Metric;
use super::text::Text;
use crate::error::{CoreError, Result};
use crate::json;

/// Things that the wildcards of one payload may meet: ten times the largest batch that Telegraf sends by default.
const INSTANCES_MAX: usize = 16_384;

/// What a member or element is called within what holds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Child<'a> {
    /// A member with a name.
    Name(Text<'a>),
    /// A member whose name is an integer.
    Whole {
        /// True below zero.
        negative: bool,
        /// Its magnitude.
        size: u64,
    },
    /// A column: a place that may have a name too.
    Column(usize, Option<Text<'a>>),
    /// The element at a place.
    Element(usize),
    /// A member whose name is neither text nor an integer.
    Other,
}

impl Child<'_> {
    /// True when it is called `wanted`.
    #[must_use]
    pub(super) fn is_named(&self, wanted: &str) -> bool {
        match *self {
            Self::Name(text) | Self::Column(_, Some(text)) => text.equals(wanted),
            Self::Whole { negative, size } => {
                let digits = if negative {
                    wanted.strip_prefix('-')
                } else {
                    Some(wanted)
                };
                digits.is_some_and(|digits| !digits.starts_with('+') && digits.parse() == Ok(size))
            }
            Self::Column(_, None) | Self::Element(_) | Self::Other => false,
        }
    }

    /// True when it stands at place `wanted`.
    #[must_use]
    pub(super) fn is_at(&self, wanted: usize) -> bool {
        matches!(*self, Self::Element(place) | Self::Column(place, _) if place == wanted)
    }

    /// Appends what it is called; false when that cannot be said.
    fn append_name(&self, out: &mut String) -> Result<bool> {
        match *self {
            Self::Name(text) | Self::Column(_, Some(text)) => text.append(out)?,
            Self::Whole { negative, size } => return Found::Whole { negative, size }.append_name(out),
            Self::Element(place) | Self::Column(place, None) => json::write_u64(out, place as u64),
            Self::Other => return Ok(false),
        }
        Ok(true)
    }
}

#[derive(Clone, Copy, Debug)]
struct Instance<'a> {
    scope: usize,
    parent: u32,
    name: Child<'a>,
    /// Where its values begin.
    values: usize,
}

/// The instances found in a payload, in the order they begin there; the first is the payload itself.
#[derive(Debug, Default)]
pub struct Rows<'a> {
    instances: Vec<Instance<'a>>,
    values: Vec<Found<'a>>,
    /// The instance of each scope that is being read.
    current: Vec<u32>,
}

impl<'a> Rows<'a> {
    /// Forgets the payload before and begins the next.
    pub(super) fn begin(&mut self, selection: &Selection) {
        self.instances.clear();
        self.values.clear();
        self.current.clear();
        self.current.resize(selection.scopes.len(), 0);
        self.push(selection, WHOLE, Child::Other);
    }

    fn push(&mut self, selection: &Selection, scope: usize, name: Child<'a>) {
        self.instances.push(Instance {
            scope,
            parent: self.current[selection.scopes[scope].parent],
            name,
            values: self.values.len(),
        });
        self.values
            .resize(self.values.len() + selection.scopes[scope].values, Found::Absent);
    }

    /// Begins an instance of `scope` within the current one of its parent.
    pub(super) fn open(&mut self, selection: &Selection, scope: usize, name: Child<'a>) -> Result<()> {
        if self.instances.len() > INSTANCES_MAX {
            return Err(CoreError::Limit);
        }
        let index = u32::try_from(self.instances.len()).map_err(|_| CoreError::Limit)?;
        self.push(selection, scope, name);
        self.current[scope] = index;
        Ok(())
    }

    /// Notes what stands at `path` in the current instance of its scope; what was found there before is forgotten.
    pub(super) fn set(&mut self, selection: &Selection, path: usize, found: &Found<'a>) {
        let route = &selection.routes[path];
        let instance = &self.instances[self.current[route.scope] as usize];
        self.values[instance.values + route.place] = *found;
    }

    /// How many instances there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.instances.len()
    }

    /// True when no payload was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    /// The scope that an instance belongs to.
    #[must_use]
    pub fn scope(&self, instance: usize) -> usize {
        self.instances[instance].scope
    }

    /// The instance of `scope` that `instance` is or lies in.
    fn outer(&self, instance: usize, scope: usize) -> Option<&Instance<'a>> {
        let mut at = &self.instances[instance];
        while at.scope != scope {
            if at.scope == WHOLE {
                return None;
            }
            at = &self.instances[at.parent as usize];
        }
        Some(at)
    }

    /// What stands at `path` in an instance or in what it lies in.
    #[must_use]
    pub fn value(&self, selection: &Selection, instance: usize, path: usize) -> &Found<'a> {
        let route = &selection.routes[path];
        self.outer(instance, route.scope)
            .map_or(&Found::Absent, |at| &self.values[at.values + route.place])
    }

    /// True when a wildcard on the way to an instance met something called `name`.
    #[must_use]
    pub fn lies_in(&self, instance: usize, name: &str) -> bool {
        let mut at = &self.instances[instance];
        while at.scope != WHOLE {
            if at.name.is_named(name) {
                return true;
            }
            at = &self.instances[at.parent as usize];
        }
        false
    }

    /// Appends where `path` looks for its value in an instance, as a JSON pointer (RFC 6901): wildcards by what they met, an
    /// element that was found by a condition as that condition.
    pub fn append_pointer(&self, selection: &Selection, instance: usize, path: usize, out: &mut String) {
        let route = &selection.routes[path];
        for (depth, step) in route.moves.iter().enumerate() {
            let mut name = String::new();
            match step {
                Move::Name(text) => name.push_str(text),
                Move::Index(place) => json::write_u64(&mut name, *place as u64),
                Move::Each | Move::EachIf(_) => {
                    let mut scope = route.scope;
                    while selection.scopes[scope].depth != depth {
                        scope = selection.scopes[scope].parent;
                    }
                    if self.append_name(instance, scope, &mut name) != Ok(true) {
                        name.push('*');
                    }
                }
                Move::Where(condition) => {
                    name.push('?');
                    name.push_str(&selection.wanted(*condition));
                }
            }
            out.push('/');
            out.push_str(&name.replace('~', "~0").replace('/', "~1"));
        }
    }

    /// Appends what the wildcard of `scope` met on the way to an instance; false when it has no name.
    ///
    /// # Errors
    /// `Corrupt` for a name that is not UTF-8.
    pub fn append_name(&self, instance: usize, scope: usize, out: &mut String) -> Result<bool> {
        self.outer(instance, scope)
            .map_or(Ok(false), |at| at.name.append_name(out))
    }
}

/// Where payloads are read into.
#[derive(Debug, Default)]
pub struct Decoded<'a> {
    /// What the payload said.
    pub rows: Rows<'a>,
    /// What stands where conditions look.
    pub(super) probe: Rows<'a>,
    /// Memory for the metrics of a Sparkplug payload.
    pub metrics: Vec<Metric<'a>>,
}

impl<'a> Decoded<'a> {
    /// Its memory without what is in it, for a payload that lives elsewhere.
    #[must_use]
    pub fn recycled<'b>(self) -> Decoded<'b> {
        let rows = |rows: Rows<'a>| Rows {
            instances: emptied(rows.instances),
            values: emptied(rows.values),
            current: rows.current,
        };
        Decoded {
            rows: rows(self.rows),
            probe: rows(self.probe),
            metrics: emptied(self.metrics),
        }
    }

    /// Takes `found` for the whole payload.
    pub fn set_whole(&mut self, selection: &Selection, found: Found<'a>) {
        self.rows.begin(selection);
        for (path, route) in selection.routes.iter().enumerate() {
            if route.moves.is_empty() {
                self.rows.set(selection, path, &found);
            }
        }
    }

    /// What stands at `path` in the payload itself.
    #[must_use]
    pub fn whole(&self, selection: &Selection, path: usize) -> Found<'a> {
        *self.rows.value(selection, 0, path)
    }
}

/// A list without its items, for others that take as much room: such a list is collected where it stands.
fn emptied<T, U>(mut list: Vec<T>) -> Vec<U> {
    list.clear();
    list.into_iter().map(|_| unreachable!("nothing is in it")).collect()
}
