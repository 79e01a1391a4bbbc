//! What the tests of every format share: reading a payload along paths written as text.

use super::found::Found;
use super::path::Path;
use super::rows::{Decoded, Rows};
use super::selection::Selection;
use super::walk::{self, Cursor};
use crate::error::Result;

/// What stands at `paths` in the payload itself.
pub fn find_first<'a>(cursor: impl Cursor<'a>, paths: &[&str]) -> Result<Vec<Found<'a>>> {
    let selection = select(paths);
    let mut decoded = Decoded::default();
    walk::read(cursor, &selection, &mut decoded)?;
    Ok((0..paths.len()).map(|path| decoded.whole(&selection, path)).collect())
}

/// What stands at `paths` for each thing that their innermost wildcards meet, behind the names of what was met.
pub fn find_rows<'a>(cursor: impl Cursor<'a>, paths: &[&str]) -> Result<Vec<(String, Vec<Found<'a>>)>> {
    let selection = select(paths);
    let mut decoded = Decoded::default();
    walk::read(cursor, &selection, &mut decoded)?;
    Ok(rows(&selection, &decoded.rows))
}

pub fn rows<'a>(selection: &Selection, rows: &Rows<'a>) -> Vec<(String, Vec<Found<'a>>)> {
    let paths = selection.routes.len();
    let inner = |scope: usize| (0..paths).all(|path| selection.within(scope, selection.scope_of(path)));
    let row = |instance: usize| {
        let mut name = String::new();
        for scope in (1..selection.scope_count()).filter(|&scope| selection.within(rows.scope(instance), scope)) {
            name.push_str(if name.is_empty() { "" } else { "/" });
            rows.append_name(instance, scope, &mut name).unwrap();
        }
        let values = (0..paths).map(|path| *rows.value(selection, instance, path));
        (name, values.collect())
    };
    let instances = (0..rows.len()).filter(|&instance| inner(rows.scope(instance)));
    instances.map(row).collect()
}

fn select(paths: &[&str]) -> Selection {
    let paths: Vec<Path> = paths.iter().map(|path| Path::parse(path).unwrap()).collect();
    Selection::new(&paths).unwrap()
}
