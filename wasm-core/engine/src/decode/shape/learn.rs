//! How a payload becomes a shape: one walk along the paths, which notes where the scalars stand.

use super::super::found::Found;
use super::super::rows::Child;
use super::super::selection::{Move, Selection};
use super::super::senml;
use super::super::walk::{Token, bits};
use super::{Resume, SLOTS_MAX, Slot, Step, Value};
use crate::error::Result;

/// Walks through a payload that is to be a shape.
pub(super) struct Learner<'a, 's> {
    payload: &'a [u8],
    selection: &'s Selection,
    steps: &'s mut Vec<Step>,
    found: Found<'a>,
}

impl<'a, 's> Learner<'a, 's> {
    pub fn new(payload: &'a [u8], selection: &'s Selection, steps: &'s mut Vec<Step>) -> Self {
        Self {
            payload,
            selection,
            steps,
            found: Found::Other,
        }
    }

    /// Learns the value that `cursor` stands before, to which the first `depth` steps of the paths `active` lead.
    pub fn value<C: Resume<'a>>(&mut self, cursor: &mut C, depth: usize, active: u64) -> Result<bool> {
        let routes = &self.selection.routes;
        let ending = |path: &usize| routes[*path].moves.len() == depth;
        let paths = bits(active).filter(ending).fold(0, |mask, path| mask | 1 << path);
        let going = active & !paths;
        let (state, start) = (cursor.state(), self.payload.len() - cursor.left());
        match cursor.open(paths != 0, &mut self.found)? {
            Token::Scalar => {
                let end = self.payload.len() - cursor.left();
                return Ok(self.scalar(start, end, state, paths));
            }
            // A field that is an object: there is nothing to be gained.
            Token::Map(_) | Token::List(_) if paths != 0 => return Ok(false),
            Token::Map(mut frame) => {
                while let Some(child) = cursor.member(&mut frame)? {
                    let Some(next) = self.enter(depth, going, child) else {
                        return Ok(false);
                    };
                    if !self.value(cursor, depth + 1, next)? {
                        return Ok(false);
                    }
                }
            }
            Token::List(mut frame) => {
                let mut place = 0;
                while cursor.element(&mut frame)? {
                    let Some(next) = self.enter(depth, going, Child::Element(place)) else {
                        return Ok(false);
                    };
                    if !self.value(cursor, depth + 1, next)? {
                        return Ok(false);
                    }
                    place += 1;
                }
            }
        }
        Ok(true)
    }

    /// Learns the pack of SenML that `cursor` stands before: each scalar with its label, and where records end.
    pub fn pack<C: Resume<'a>>(&mut self, cursor: &mut C) -> Result<bool> {
        let Token::List(mut records) = cursor.open(true, &mut self.found)? else {
            return Ok(false);
        };
        let mut place = 0;
        while cursor.element(&mut records)? {
            let Token::Map(mut members) = cursor.open(true, &mut self.found)? else {
                return Ok(false);
            };
            while let Some(child) = cursor.member(&mut members)? {
                let label = senml::label(child).map_or(0, |label| 1 << label);
                let (state, start) = (cursor.state(), self.payload.len() - cursor.left());
                let Token::Scalar = cursor.open(label != 0, &mut self.found)? else {
                    return Ok(false);
                };
                if !self.scalar(start, self.payload.len() - cursor.left(), state, label) {
                    return Ok(false);
                }
            }
            self.steps.push(Step::Open { scope: 0, place });
            place += 1;
        }
        Ok(true)
    }

    fn scalar(&mut self, start: usize, end: usize, state: u8, paths: u64) -> bool {
        if start == end {
            // Something that the reader says of what stands further on.
            return paths == 0;
        }
        let value = if paths == 0 {
            Some(Value::Other(Found::Other))
        } else {
            Value::learned(&self.found, &self.payload[start..end])
        };
        let Some(value) = value else { return false };
        self.steps.push(Step::Scalar(Slot {
            start,
            end,
            state,
            paths,
            value,
        }));
        self.steps.len() <= SLOTS_MAX
    }

    /// The paths among `going` that lead into `child`, for which the scopes that begin there are opened; `None` where that depends
    /// on more than places.
    fn enter(&mut self, depth: usize, going: u64, child: Child) -> Option<u64> {
        let routes = &self.selection.routes;
        let leads = |path: &usize| match &routes[*path].moves[depth] {
            Move::Name(wanted) => child.is_named(wanted),
            Move::Index(wanted) => child.is_at(*wanted),
            Move::Each | Move::EachIf(_) | Move::Where(_) => true,
        };
        let next = bits(going).filter(leads).fold(0, |mask, path| mask | 1 << path);
        let wild = self.selection.wild.get(depth).map_or(0, |wild| wild & next);
        if wild != 0 {
            let Child::Element(place) = child else { return None };
            for (scope, of) in self.selection.scopes.iter().enumerate().skip(1) {
                if of.depth == depth && of.through & wild != 0 {
                    self.steps.push(Step::Open { scope, place });
                }
            }
        }
        Some(next)
    }
}
