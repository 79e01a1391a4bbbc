//! Payloads that are lists of records with a few members of known names (SenML, Sparkplug B): paths to one member of each record, or
//! of those for which another member says a word, as nearly all are, are followed without a walk.

use super::found::Found;
use super::rows::{Child, Decoded, Rows};
use super::selection::{Move, Selection};
use super::walk::{self, Cursor, Token, bits};
use crate::error::{CoreError, Result};

/// A record, or a reader of records with the one at hand.
pub(super) trait Members<'a> {
    /// A member, by its place among the format's names.
    fn at(&self, member: usize) -> Found<'a>;
}

/// The member that a path leads to (`None`: one that there is not), and the member that must say a word.
#[derive(Clone, Debug, PartialEq)]
struct MemberPath {
    member: Option<usize>,
    guard: Option<(Option<usize>, String)>,
}

/// All paths of a selection, where each leads to a member of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberPaths(Vec<MemberPath>);

impl MemberPaths {
    /// Takes what the paths of `selection` lead to in the record at `place` of the list.
    pub(super) fn take<'a>(
        &self,
        record: &impl Members<'a>,
        place: usize,
        selection: &Selection,
        rows: &mut Rows<'a>,
    ) -> Result<()> {
        let holds = |path: &MemberPath| match &path.guard {
            Some((member, wanted)) => member.is_some_and(|member| record.at(member).says(wanted)),
            None => true,
        };
        let all = self.0.iter().enumerate();
        let leading = all.fold(0, |mask, (path, of)| mask | u64::from(holds(of)) << path);
        if leading != 0 {
            // All go through one wildcard, and so belong to one scope.
            rows.open(selection, 1, Child::Element(place))?;
        }
        for path in bits(leading) {
            if let Some(member) = self.0[path].member {
                rows.set(selection, path, &record.at(member));
            }
        }
        Ok(())
    }

    /// Those of `selection`, whose records have members called `names`; `None` when a path leads elsewhere.
    pub(super) fn of(selection: &Selection, names: &[&str]) -> Option<Self> {
        let member = |step: &Move| match step {
            Move::Name(name) => Some(names.iter().position(|known| known == name)),
            _ => None,
        };
        let paths = selection.routes.iter().map(|route| {
            let (guard, last) = match &route.moves[..] {
                [Move::Each, last] => (None, last),
                [Move::EachIf(condition), last] => (Some(*condition), last),
                _ => return None,
            };
            let guard = match (guard, &selection.conditions) {
                (Some(condition), Some(all)) => match &all.selection.routes[condition].moves[..] {
                    [step] => Some((member(step)?, all.wanted[condition].clone())),
                    _ => return None,
                },
                _ => None,
            };
            let member = member(last)?;
            Some(MemberPath { member, guard })
        });
        paths.collect::<Option<_>>().map(Self)
    }
}

/// Follows `selection` through the records that `cursor` stands before.
pub(super) fn read<'a, C: Cursor<'a> + Members<'a>>(
    mut cursor: C,
    selection: &Selection,
    decoded: &mut Decoded<'a>,
) -> Result<()> {
    let Some(paths) = &selection.members else {
        return walk::read(cursor, selection, decoded);
    };
    decoded.rows.begin(selection);
    let Token::List(mut frame) = cursor.open(true, &mut Found::Other)? else {
        return Err(CoreError::Corrupt);
    };
    let mut place = 0;
    while cursor.element(&mut frame)? {
        paths.take(&cursor, place, selection, &mut decoded.rows)?;
        place += 1;
    }
    cursor.finish()
}
