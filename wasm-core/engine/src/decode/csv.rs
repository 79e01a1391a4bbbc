//! Comma-separated lines (RFC 4180, any separator): a list of lines, each a list of cells that may have names, either from
//! the plan or from the payload's first line. An empty cell is nothing, in quotes too; `true` and `false` without quotes are
//! truth values.

use super::found::Found;
use super::rows::Child;
use super::text::{Escapes, Text};
use super::walk;
use crate::error::{CoreError, Result};

/// How lines are written.
#[derive(Clone, Debug, PartialEq)]
pub struct Csv {
    /// What stands between cells.
    pub separator: u8,
    /// Names of the columns; each line has as many cells. Empty: any number, without names but those of a header.
    pub columns: Vec<String>,
    /// True when each payload's first line names the columns.
    pub header: bool,
}

#[derive(Clone, Copy)]
enum Next {
    Lines,
    Line,
    Cell,
}

/// What is being read.
pub(super) enum Frame {
    Lines,
    /// How many cells are behind, and where the header's next name stands.
    Line(usize, usize),
}

/// A place in comma-separated lines.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    next: Next,
    separator: u8,
    /// Cells of a line; 0: any number.
    columns: usize,
    /// Where the line that names the columns begins.
    header: Option<usize>,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8], csv: &Csv) -> Self {
        Self {
            bytes,
            at: 0,
            next: Next::Lines,
            separator: csv.separator,
            columns: csv.columns.len(),
            header: csv.header.then_some(0),
        }
    }

    /// Bytes that have not been read.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// True at the end of a line or of all.
    fn at_end(&self) -> bool {
        matches!(self.peek(), None | Some(b'\n'))
            || (self.peek() == Some(b'\r') && matches!(self.bytes.get(self.at + 1), None | Some(b'\n')))
    }

    fn end_line(&mut self) {
        if self.peek() == Some(b'\r') {
            self.at += 1;
        }
        if self.peek() == Some(b'\n') {
            self.at += 1;
        }
    }

    fn empty_lines(&mut self) {
        while self.peek().is_some() && self.at_end() {
            self.end_line();
        }
    }

    fn cell(&mut self) -> Result<Found<'a>> {
        if self.peek() == Some(b'"') {
            return self.quoted();
        }
        let from = self.at;
        while !self.at_end() && self.peek() != Some(self.separator) {
            if self.peek() == Some(b'"') {
                return Err(CoreError::Corrupt);
            }
            self.at += 1;
        }
        Ok(match &self.bytes[from..self.at] {
            b"" => Found::Absent,
            b"true" => Found::Bool(true),
            b"false" => Found::Bool(false),
            text => Found::Text(Text::plain(text)),
        })
    }

    fn quoted(&mut self) -> Result<Found<'a>> {
        self.at += 1;
        let from = self.at;
        let mut escapes = Escapes::None;
        loop {
            let byte = self.peek().ok_or(CoreError::Truncated)?;
            self.at += 1;
            if byte == b'"' {
                if self.peek() != Some(b'"') {
                    break;
                }
                escapes = Escapes::Csv;
                self.at += 1;
            }
        }
        if !self.at_end() && self.peek() != Some(self.separator) {
            return Err(CoreError::Corrupt);
        }
        Ok(match &self.bytes[from..self.at - 1] {
            b"" => Found::Absent,
            text => Found::Text(Text::escaped(text, escapes)),
        })
    }

    /// Reads the names in the first line only to check and count them.
    fn pass_header(&mut self) -> Result<()> {
        self.empty_lines();
        self.header = Some(self.at);
        let mut count = 1;
        self.cell()?;
        while !self.at_end() {
            self.at += 1;
            self.cell()?;
            count += 1;
        }
        self.end_line();
        self.columns = count;
        Ok(())
    }

    /// The header's name at `at`, which is moved to the next.
    fn column_name(&self, at: &mut usize) -> Option<Text<'a>> {
        let mut header = Self {
            at: *at,
            ..self.clone()
        };
        let cell = header.cell().ok()?;
        *at = header.at + 1;
        match cell {
            Found::Text(text) => Some(text),
            Found::Bool(true) => Some(Text::plain(b"true")),
            Found::Bool(false) => Some(Text::plain(b"false")),
            _ => None,
        }
    }
}

impl<'a> walk::Cursor<'a> for Cursor<'a> {
    type Frame = Frame;

    fn open(&mut self, _: bool, found: &mut Found<'a>) -> Result<walk::Token<Frame>> {
        match self.next {
            Next::Lines => {
                if self.header.is_some() {
                    self.pass_header()?;
                }
                Ok(walk::Token::List(Frame::Lines))
            }
            Next::Line => Ok(walk::Token::Map(Frame::Line(0, self.header.unwrap_or(0)))),
            Next::Cell => {
                *found = self.cell()?;
                Ok(walk::Token::Scalar)
            }
        }
    }

    fn member(&mut self, frame: &mut Frame) -> Result<Option<Child<'a>>> {
        let Frame::Line(behind, names) = frame else {
            return Ok(None);
        };
        if *behind > 0 {
            if self.at_end() {
                self.end_line();
                return if self.columns > 0 && *behind != self.columns {
                    Err(CoreError::Corrupt)
                } else {
                    Ok(None)
                };
            }
            // A cell ends at the end of its line or at a separator.
            self.at += 1;
        }
        let name = if self.header.is_some() {
            self.column_name(names)
        } else {
            None
        };
        self.next = Next::Cell;
        *behind += 1;
        if self.columns > 0 && *behind > self.columns {
            return Err(CoreError::Corrupt);
        }
        Ok(Some(Child::Column(*behind - 1, name)))
    }

    fn element(&mut self, _: &mut Frame) -> Result<bool> {
        self.empty_lines();
        self.next = Next::Line;
        Ok(self.peek().is_some())
    }

    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{find_first, find_rows};
    use super::*;
    use proptest::prelude::*;

    fn csv(header: bool) -> Csv {
        Csv {
            separator: b',',
            columns: vec![],
            header,
        }
    }

    fn text(says: &str) -> Found<'_> {
        Found::Text(Text::plain(says.as_bytes()))
    }

    #[test]
    fn lines_have_cells_by_place_and_by_name() {
        let payload = b"dev,\"te\"\"mp\",ok\r\na,21.5,true\r\n\r\nb,,\"true\"";
        let rows = find_rows(Cursor::new(payload, &csv(true)), &["*.dev", "*['te\"mp']", "*[2]"]).unwrap();
        assert_eq!(rows[0].1, [text("a"), text("21.5"), Found::Bool(true)]);
        assert_eq!(rows[1].1, [text("b"), Found::Absent, text("true")]);
        let quoted = find_rows(Cursor::new(b"1,\"\"", &csv(false)), &["*[1]"]).unwrap();
        assert_eq!(quoted[0].1, [Found::Absent]);
        let rows = find_rows(Cursor::new(payload, &csv(true)), &["*.{column}"]).unwrap();
        assert_eq!(rows[4].0, "1/te\"mp");
        let rows = find_rows(Cursor::new(b"1,2\n3", &csv(false)), &["*[0]"]).unwrap();
        assert_eq!(rows.len(), 2);
    }

    #[test]
    fn empty_lines_before_a_header_are_passed_over() {
        let rows = find_rows(Cursor::new(b"\r\n\na,b\n1,2\n", &csv(true)), &["*.b"]).unwrap();
        assert_eq!(rows, [("0".into(), vec![text("2")])]);
    }

    #[test]
    fn malformed_lines_are_refused() {
        let columns = Csv {
            columns: vec!["a".into(), "b".into()],
            ..csv(false)
        };
        for (payload, csv) in [
            ("1,\"2", csv(false)),
            ("1,\"2\"3", csv(false)),
            ("1,2\"3\"", csv(false)),
            ("a,b\n1", csv(true)),
            ("a,b\n1,2,3", csv(true)),
            ("1,2\n3", columns.clone()),
            ("1,2,3", columns),
        ] {
            assert!(
                find_first(Cursor::new(payload.as_bytes(), &csv), &["[0][0]"]).is_err(),
                "{payload}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60), header in any::<bool>()) {
            let _ = find_first(Cursor::new(&bytes, &csv(header)), &["[0][1]", "*.{c}", "[?a=b].c"]);
        }

        #[test]
        fn lines_are_read_as_the_csv_crate_reads_them(text in "([a1\"\", \r\n]{0,12}\n){0,4}", header in any::<bool>()) {
            let Ok(rows) = find_rows(Cursor::new(text.as_bytes(), &csv(header)), &["*[*]"]) else { return Ok(()) };
            // A lone carriage return ends a line there and is text here.
            prop_assume!(!text.replace("\r\n", "\n").contains('\r'));
            let mut reader = csv::ReaderBuilder::new().has_headers(header).flexible(true).from_reader(text.as_bytes());
            let cells: Vec<String> = reader.records().flat_map(|record| {
                let record = record.unwrap();
                record.iter().map(String::from).collect::<Vec<_>>()
            }).collect();
            let mine: Vec<String> = rows.iter().map(|(_, found)| {
                let mut out = String::new();
                found[0].append_name(&mut out).unwrap();
                out
            }).collect();
            prop_assert_eq!(mine, cells);
        }
    }
}
