//! The one walk over every structured payload: a format's cursor says what comes next, the walk follows the selection's
//! paths. Nothing is built and nothing is allocated; the whole payload is read, so that one that is not of its format is
//! refused wherever the error is.

use super::found::Found;
use super::rows::{Child, Decoded, Rows};
use super::selection::{Move, Selection};
use crate::error::{CoreError, Result};

/// Nesting of a payload; bounds the recursion.
pub(super) const DEPTH_MAX: usize = 64;

/// What a value is: one by itself, or something that holds others.
pub(super) enum Token<Frame> {
    Scalar,
    Map(Frame),
    List(Frame),
}

/// A place in a payload of some format. A copy of it can look ahead.
pub(super) trait Cursor<'a>: Clone {
    /// How far a map or list has been read.
    type Frame;
    /// Begins the value at hand. What a scalar says goes to `found`, where it is used, and not through the hands of each caller;
    /// one that is not `wanted` is only checked, and `found` means nothing then.
    fn open(&mut self, wanted: bool, found: &mut Found<'a>) -> Result<Token<Self::Frame>>;
    /// Goes to the next member's value; `None` behind the last.
    fn member(&mut self, frame: &mut Self::Frame) -> Result<Option<Child<'a>>>;
    /// Goes to the next element; false behind the last.
    fn element(&mut self, frame: &mut Self::Frame) -> Result<bool>;
    /// Behind the value of the whole payload: nothing may follow.
    fn finish(&mut self) -> Result<()>;
    /// Checks the value at hand, of which nothing is wanted, and goes behind it. What it holds may be nested `levels` deep.
    fn pass(&mut self, levels: usize) -> Result<()> {
        pass(self, levels)
    }
}

/// Opens the value at hand and all that it holds.
pub(super) fn pass<'a, C: Cursor<'a>>(cursor: &mut C, levels: usize) -> Result<()> {
    let inner = || levels.checked_sub(1).ok_or(CoreError::Limit);
    match cursor.open(false, &mut Found::Other)? {
        Token::Scalar => {}
        Token::Map(mut frame) => {
            while cursor.member(&mut frame)?.is_some() {
                cursor.pass(inner()?)?;
            }
        }
        Token::List(mut frame) => {
            while cursor.element(&mut frame)? {
                cursor.pass(inner()?)?;
            }
        }
    }
    Ok(())
}

/// Follows `selection` through the payload that `cursor` stands before.
pub(super) fn read<'a, C: Cursor<'a>>(cursor: C, selection: &Selection, decoded: &mut Decoded<'a>) -> Result<()> {
    decoded.rows.begin(selection);
    let mut walk = Walk {
        cursor,
        selection,
        rows: &mut decoded.rows,
        probe: Some(&mut decoded.probe),
        nested: 0,
        found: Found::Other,
    };
    walk.value(0, selection.all())?;
    walk.cursor.finish()
}

struct Walk<'a, 'b, C> {
    cursor: C,
    selection: &'b Selection,
    rows: &'b mut Rows<'a>,
    /// Absent where conditions are looked for: they have none themselves.
    probe: Option<&'b mut Rows<'a>>,
    /// Nesting of the value at which the paths begin.
    nested: usize,
    /// The scalar at hand.
    found: Found<'a>,
}

impl<'a, C: Cursor<'a>> Walk<'a, '_, C> {
    /// Reads one value. `active` are the paths whose first `depth` steps led here.
    fn value(&mut self, depth: usize, active: u64) -> Result<()> {
        if self.nested + depth > DEPTH_MAX {
            return Err(CoreError::Limit);
        }
        if active == 0 {
            return self.cursor.pass(DEPTH_MAX - self.nested - depth);
        }
        match self.cursor.open(true, &mut self.found)? {
            Token::Scalar => {
                self.capture(depth, active);
            }
            Token::Map(mut frame) => {
                self.found = Found::Other;
                let going = self.capture(depth, active);
                while let Some(child) = self.cursor.member(&mut frame)? {
                    let next = if going == 0 {
                        0
                    } else {
                        self.enter(depth, going, child)?
                    };
                    self.value(depth + 1, next)?;
                }
            }
            Token::List(mut frame) => {
                self.found = Found::Other;
                let going = self.capture(depth, active);
                let mut place = 0;
                while self.cursor.element(&mut frame)? {
                    let child = Child::Element(place);
                    let next = if going == 0 {
                        0
                    } else {
                        self.enter(depth, going, child)?
                    };
                    self.value(depth + 1, next)?;
                    place += 1;
                }
            }
        }
        Ok(())
    }

    /// Notes what was found for the paths that end here; returns those that go on.
    fn capture(&mut self, depth: usize, active: u64) -> u64 {
        let mut going = 0;
        for path in bits(active) {
            if self.selection.routes[path].moves.len() == depth {
                self.rows.set(self.selection, path, &self.found);
            } else {
                going |= 1 << path;
            }
        }
        going
    }

    /// The paths among `going` that lead into `child`, for which the scopes that begin there are opened.
    fn enter(&mut self, depth: usize, going: u64, child: Child<'a>) -> Result<u64> {
        let mut next = 0;
        let mut asking = 0;
        for path in bits(going) {
            let leads = match &self.selection.routes[path].moves[depth] {
                Move::Name(wanted) => child.is_named(wanted),
                Move::Index(wanted) => child.is_at(*wanted),
                Move::Each => true,
                Move::EachIf(_) | Move::Where(_) => {
                    asking |= 1 << path;
                    false
                }
            };
            next |= u64::from(leads) << path;
        }
        if asking != 0 {
            next |= self.ask(depth, asking)?;
        }
        let wild = self.selection.wild.get(depth).map_or(0, |wild| wild & next);
        if wild != 0 {
            for (index, scope) in self.selection.scopes.iter().enumerate().skip(1) {
                if scope.depth == depth && scope.through & wild != 0 {
                    self.rows.open(self.selection, index, child)?;
                }
            }
        }
        Ok(next)
    }

    /// Looks ahead, once for all: the paths among `asking` whose conditions hold in the value at hand.
    fn ask(&mut self, depth: usize, asking: u64) -> Result<u64> {
        let selection = self.selection;
        let (Some(conditions), Some(probe)) = (&selection.conditions, self.probe.as_deref_mut()) else {
            return Ok(0);
        };
        let condition = |path: usize| match selection.routes[path].moves[depth] {
            Move::EachIf(index) | Move::Where(index) => index,
            Move::Name(_) | Move::Index(_) | Move::Each => unreachable!("only conditions are asked for"),
        };
        let wanted = bits(asking).fold(0, |mask, path| mask | 1 << condition(path));
        probe.begin(&conditions.selection);
        let mut ahead = Walk {
            cursor: self.cursor.clone(),
            selection: &conditions.selection,
            rows: probe,
            probe: None,
            nested: self.nested + depth + 1,
            found: Found::Other,
        };
        ahead.value(0, wanted)?;
        let probe = ahead.rows;
        let holds = |index: usize| {
            probe
                .value(&conditions.selection, 0, index)
                .says(&conditions.wanted[index])
        };
        Ok(bits(asking).fold(0, |mask, path| mask | u64::from(holds(condition(path))) << path))
    }
}

/// Positions of the bits that are set, from the lowest.
pub(super) fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        (mask != 0).then(|| {
            let bit = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            bit
        })
    })
}
