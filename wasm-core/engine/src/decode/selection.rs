//! A list of paths made ready to be followed all at once. Paths that go through the same wildcards belong to one *scope*:
//! each thing the wildcards meet is an instance of it, with its own values for those paths. Scopes lie within each other,
//! the payload itself being the outermost, so that a value further out (a common time) counts for all that is within.

use super::path::{Path, Step};
use super::records::MemberPaths;
use crate::error::{CoreError, Result};

/// Paths of one selection: they are tracked in the bits of a `u64`.
pub const PATHS_MAX: usize = 64;
/// The scope of the payload itself.
pub const WHOLE: usize = 0;
/// Scopes of one selection: one for each path, if no two of them agree.
const SCOPES_MAX: usize = 64;

/// A step of a path, its condition by its index.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Move {
    Name(String),
    Index(usize),
    Each,
    EachIf(usize),
    Where(usize),
}

/// A path and where its value is kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Route {
    pub moves: Vec<Move>,
    pub scope: usize,
    /// Its place among the values of its scope.
    pub place: usize,
}

/// What one wildcard, behind all those before it, gives.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scope {
    /// The step that is the wildcard; of no meaning for the payload itself.
    pub depth: usize,
    /// The scope it lies within.
    pub parent: usize,
    /// Paths that go through it.
    pub through: u64,
    /// How many paths end in it, without going through a further wildcard.
    pub values: usize,
    /// What the wildcard's match is called.
    capture: Option<String>,
}

/// The conditions of all paths.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Conditions {
    pub selection: Selection,
    pub wanted: Vec<String>,
}

/// Paths to be followed at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    pub(super) routes: Vec<Route>,
    pub(super) scopes: Vec<Scope>,
    /// By depth: the paths whose step there is a wildcard.
    pub(super) wild: Vec<u64>,
    pub(super) conditions: Option<Box<Conditions>>,
    /// Where the payload is a list of records: what is wanted of each.
    pub(super) members: Option<MemberPaths>,
}

impl Selection {
    /// Makes `paths` ready.
    ///
    /// # Errors
    /// `BadPlan` for more than 64 paths, scopes or conditions, or a wildcard with two names.
    pub fn new(paths: &[Path]) -> Result<Self> {
        if paths.len() > PATHS_MAX {
            return Err(CoreError::BadPlan);
        }
        let whole = Scope {
            depth: 0,
            parent: WHOLE,
            through: u64::MAX,
            values: 0,
            capture: None,
        };
        let mut selection = Self {
            routes: Vec::new(),
            scopes: vec![whole],
            wild: Vec::new(),
            conditions: None,
            members: None,
        };
        let mut conditions: Vec<(Path, String)> = Vec::new();
        for path in paths {
            selection.add(path, &mut conditions)?;
        }
        if !conditions.is_empty() {
            let (paths, wanted): (Vec<Path>, Vec<String>) = conditions.into_iter().unzip();
            selection.conditions = Some(Box::new(Conditions {
                selection: Self::new(&paths)?,
                wanted,
            }));
        }
        Ok(selection)
    }

    fn add(&mut self, path: &Path, conditions: &mut Vec<(Path, String)>) -> Result<()> {
        let bit = 1_u64 << self.routes.len();
        let mut index = |condition: &super::path::Condition| {
            let wanted = (condition.path.clone(), condition.wanted.clone());
            let known = conditions.iter().position(|other| *other == wanted);
            known.unwrap_or_else(|| {
                conditions.push(wanted);
                conditions.len() - 1
            })
        };
        let mut moves = Vec::new();
        let mut scope = WHOLE;
        for (depth, step) in path.steps.iter().enumerate() {
            let next = match step {
                Step::Name(name) => Move::Name(name.clone()),
                Step::Index(index) => Move::Index(*index),
                Step::Each { guard: None, .. } => Move::Each,
                Step::Each { guard: Some(guard), .. } => Move::EachIf(index(guard)),
                Step::Where(condition) => Move::Where(index(condition)),
            };
            if let Step::Each { capture, .. } = step {
                scope = self.scope(scope, depth, &moves, capture.as_deref())?;
                self.scopes[scope].through |= bit;
                if self.wild.len() <= depth {
                    self.wild.resize(depth + 1, 0);
                }
                self.wild[depth] |= bit;
            }
            moves.push(next);
        }
        let place = self.scopes[scope].values;
        self.scopes[scope].values += 1;
        self.routes.push(Route { moves, scope, place });
        Ok(())
    }

    /// The scope of a wildcard at `depth` behind `moves`, which go through `parent`: one that is there already, or a new one.
    fn scope(&mut self, parent: usize, depth: usize, moves: &[Move], capture: Option<&str>) -> Result<usize> {
        let same = |scope: &Scope| {
            let route = scope.through.trailing_zeros() as usize;
            scope.parent == parent
                && scope.depth == depth
                && self
                    .routes
                    .get(route)
                    .is_some_and(|route| agree(&route.moves[..depth], moves))
        };
        if let Some(found) = (1..self.scopes.len()).find(|&scope| same(&self.scopes[scope])) {
            let known = &mut self.scopes[found].capture;
            match (&*known, capture) {
                (Some(one), Some(other)) if one != other => return Err(CoreError::BadPlan),
                (None, Some(name)) => *known = Some(name.into()),
                _ => {}
            }
            return Ok(found);
        }
        if self.scopes.len() >= SCOPES_MAX {
            return Err(CoreError::BadPlan);
        }
        self.scopes.push(Scope {
            depth,
            parent,
            through: 0,
            values: 0,
            capture: capture.map(String::from),
        });
        Ok(self.scopes.len() - 1)
    }

    /// Makes it ready for records whose members are called `names`; none: payloads are no such lists.
    pub fn in_records(&mut self, names: &[&str]) {
        self.members = (!names.is_empty()).then(|| MemberPaths::of(self, names)).flatten();
    }

    /// Every path, as bits.
    #[must_use]
    pub(super) fn all(&self) -> u64 {
        u64::MAX
            .checked_shr(u32::try_from(PATHS_MAX - self.routes.len()).expect("at most PATHS_MAX"))
            .unwrap_or(0)
    }

    /// A condition as it is written.
    pub(super) fn wanted(&self, condition: usize) -> String {
        let Some(conditions) = &self.conditions else {
            return String::new();
        };
        let steps = conditions.selection.routes[condition]
            .moves
            .iter()
            .map(|step| match step {
                Move::Name(name) => name.clone(),
                Move::Index(place) => place.to_string(),
                Move::Each | Move::EachIf(_) | Move::Where(_) => String::from("*"),
            });
        format!(
            "{}={}",
            steps.collect::<Vec<_>>().join("."),
            conditions.wanted[condition]
        )
    }

    /// The scope that path `path` gives values of.
    #[must_use]
    pub fn scope_of(&self, path: usize) -> usize {
        self.routes[path].scope
    }

    /// True when `inner` is `outer` or lies within it.
    #[must_use]
    pub fn within(&self, inner: usize, outer: usize) -> bool {
        let mut scope = inner;
        while scope != outer && scope != WHOLE {
            scope = self.scopes[scope].parent;
        }
        scope == outer
    }

    /// How many scopes there are, the payload's own included.
    #[must_use]
    pub fn scope_count(&self) -> usize {
        self.scopes.len()
    }

    /// The name under which a scope's match is remembered, if it has one.
    #[must_use]
    pub fn capture(&self, scope: usize) -> Option<&str> {
        self.scopes[scope].capture.as_deref()
    }
}

/// True when two beginnings of paths meet the same things, however their wildcards are guarded.
fn agree(one: &[Move], other: &[Move]) -> bool {
    let wild = |step: &Move| matches!(step, Move::Each | Move::EachIf(_));
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|(one, other)| one == other || (wild(one) && wild(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(paths: &[&str]) -> Result<Selection> {
        let paths: Vec<Path> = paths.iter().map(|path| Path::parse(path).unwrap()).collect();
        Selection::new(&paths)
    }

    #[test]
    fn paths_through_the_same_wildcards_share_a_scope() {
        let selection = select(&["d.{dev}.t", "d.*.ts", "ts", "d.{dev}.s[*].v", "e.*.t"]).unwrap();
        let scopes: Vec<usize> = (0..5).map(|path| selection.scope_of(path)).collect();
        assert_eq!(scopes, [1, 1, 0, 2, 3]);
        assert_eq!(selection.capture(1), Some("dev"));
        assert!(selection.within(2, 1) && selection.within(2, 0) && !selection.within(2, 3) && !selection.within(1, 2));
    }

    #[test]
    fn a_wildcard_with_two_names_is_refused() {
        assert_eq!(select(&["d.{a}.t", "d.{b}.u"]).err(), Some(CoreError::BadPlan));
    }

    #[test]
    fn equal_conditions_are_asked_once() {
        let selection = select(&["[?n=a].v", "[?n=a].t", "[?n=b].v"]).unwrap();
        assert_eq!(selection.conditions.unwrap().wanted, ["a", "b"]);
    }
}
