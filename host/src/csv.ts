/**
 * Text chunks to rows of cells, after RFC 4180: quoted cells, doubled quotes, line breaks inside quotes, CR LF or LF.
 * Owns the state between two chunks and nothing else; cutting the text anywhere gives the same rows.
 */
import { RivuletError } from './errors.ts';

/** Longest cell, in UTF-16 units: an unclosed quote would otherwise swallow the rest of a file. */
const CELL_UNITS_MAX = 1 << 20;

/** Widest row: the engine's vectors stay far below this. */
const CELLS_PER_ROW_MAX = 4096;

const QUOTE = 34;
const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** One row and the line of the file it began on, from 1. */
export interface CsvRow {
  readonly line: number;
  readonly cells: string[];
}

/** Takes chunks of text with {@link CsvParser.push}, returns the rows that are complete. */
export interface CsvParser {
  push(chunk: string): CsvRow[];
  /** The last row, when the text did not end with a line break. */
  end(): CsvRow[];
}

/** Makes a parser for one separator (a comma, semicolon or tab). Cells outside quotes lose the blanks around them. */
export function createCsvParser(separator: string, fileName: string): CsvParser {
  const separatorCode = separator.charCodeAt(0);
  let cells: string[] = [];
  let cell = '';
  let quoted = false; // inside quotes now
  let wasQuoted = false; // this cell began with a quote
  let quoteSeen = false; // a quote inside quotes, meaning not known before the next character
  let line = 1;
  let rowLine = 1;

  function refused(found: string, expected: string): RivuletError {
    return new RivuletError('RIV_DATA', { where: `${fileName}:${rowLine}`, found, expected });
  }

  function endCell(): void {
    cells.push(wasQuoted ? cell : cell.trim());
    if (cells.length > CELLS_PER_ROW_MAX) {
      throw refused('a row with more cells', `at most ${CELLS_PER_ROW_MAX}`);
    }
    cell = '';
    wasQuoted = false;
  }

  function endRow(rows: CsvRow[]): void {
    const blank = cells.length === 0 && cell === '' && !wasQuoted;
    if (!blank) {
      endCell();
      rows.push({ line: rowLine, cells });
      cells = [];
    }
    rowLine = line;
  }

  function push(chunk: string): CsvRow[] {
    const rows: CsvRow[] = [];
    let start = 0; // where the text not yet taken over into `cell` begins
    for (let at = 0; at < chunk.length; at++) {
      const code = chunk.charCodeAt(at);
      if (code === LINE_FEED) line++;
      if (quoted) {
        if (quoteSeen) {
          quoteSeen = false;
          if (code === QUOTE) {
            cell += '"';
            start = at + 1;
            continue;
          }
          quoted = false;
          start = at;
        } else {
          if (code === QUOTE) {
            cell += chunk.slice(start, at);
            quoteSeen = true;
            start = at + 1;
          }
          continue;
        }
      }
      if (code === separatorCode) {
        cell += chunk.slice(start, at);
        endCell();
        start = at + 1;
      } else if (code === LINE_FEED) {
        cell += chunk.slice(start, at);
        if (cell.charCodeAt(cell.length - 1) === CARRIAGE_RETURN) cell = cell.slice(0, -1);
        start = at + 1;
        endRow(rows);
      } else if (code === QUOTE && !wasQuoted && cell === '' && chunk.slice(start, at).trim() === '') {
        quoted = true;
        wasQuoted = true;
        start = at + 1;
      }
    }
    cell += chunk.slice(start);
    if (cell.length > CELL_UNITS_MAX) {
      throw refused('a cell with more characters', `at most ${CELL_UNITS_MAX}; perhaps a quote was left open`);
    }
    return rows;
  }

  function end(): CsvRow[] {
    if (quoted && !quoteSeen) {
      throw refused('the file ends inside quotes that were opened on this line', 'a closing quote');
    }
    const rows: CsvRow[] = [];
    endRow(rows);
    return rows;
  }

  return { push, end };
}

/** The separator a header line uses: the one of comma, semicolon and tab that stands in it most often. */
export function separatorOf(headerLine: string): string {
  let best = ',';
  let most = 0;
  for (const separator of [',', ';', '\t']) {
    const count = headerLine.split(separator).length - 1;
    if (count > most) {
      best = separator;
      most = count;
    }
  }
  return best;
}
