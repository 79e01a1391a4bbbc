import { describe, expect, test } from 'vitest';
import { createCsvParser, separatorOf } from './csv.ts';

function parse(text: string, cut = text.length): string[][] {
  const parser = createCsvParser(',', 'test.csv');
  const rows = [];
  for (let at = 0; at < text.length; at += cut) rows.push(...parser.push(text.slice(at, at + cut)));
  rows.push(...parser.end());
  return rows.map((row) => row.cells);
}

const TRICKY = 'a, b ,"c,1"\r\n"say ""hi""","two\nlines",\n\n"",x,"y" \nlast,"",5';

describe('the CSV parser', () => {
  test('takes quotes, doubled quotes, line breaks in quotes, blanks and missing cells', () => {
    expect(parse(TRICKY)).toEqual([
      ['a', 'b', 'c,1'],
      ['say "hi"', 'two\nlines', ''],
      ['', 'x', 'y '],
      ['last', '', '5'],
    ]);
  });

  test('gives the same rows wherever the text is cut', () => {
    for (let cut = 1; cut < TRICKY.length; cut++) expect(parse(TRICKY, cut)).toEqual(parse(TRICKY));
  });

  test('names the line a row began on', () => {
    const parser = createCsvParser(',', 'test.csv');
    expect(parser.push('h\n"two\nlines"\nx\n').map((row) => row.line)).toEqual([1, 2, 4]);
  });

  test('refuses a file that ends inside quotes, and says where they were opened', () => {
    expect(() => parse('a\n"open')).toThrow(/test\.csv:2: the file ends inside quotes/);
  });

  test('a quote in the middle of a cell is text', () => {
    expect(parse('5" pipe,1')).toEqual([['5" pipe', '1']]);
  });

  test('finds the separator in the header', () => {
    expect([separatorOf('a,b'), separatorOf('a;b;c'), separatorOf('a\tb'), separatorOf('one')]).toEqual([
      ',',
      ';',
      '\t',
      ',',
    ]);
  });
});
