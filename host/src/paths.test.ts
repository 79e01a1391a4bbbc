import { expect, test } from 'vitest';
import { checkMapping, parsePath } from './paths.ts';

test.each([
  '',
  'a',
  'a.b',
  'a[0]',
  'a.b[0].c',
  '[0]',
  '[0][1].x',
  'ä ö.x-y_z',
  'd.{dev}.t',
  '*',
  '[*].v',
  'a[{i}].v',
  '[?n=voltage].v',
  "a[?m.n[1]='x]=y'].v",
  "a['b.c']['']",
  'switch:0.apower',
])('%j_is_a_path', (path) => {
  expect(parsePath(path)).not.toBeNull();
});

test.each([
  '.',
  'a.',
  '.a',
  'a..b',
  'a[',
  'a[]',
  'a[x]',
  'a[0]b',
  'a]',
  '[0]a',
  'a.[1]',
  '{}',
  '{a',
  'a{b}',
  '{1}',
  '[{a]',
  "['a'",
  "['a]",
  '[?]',
  '[?a]',
  '[?=1]',
  '[?a=1',
  '[?*=1].v',
  '[?a[?b=1]=2]',
  "[?a='1]",
  `a${'.b'.repeat(32)}`,
])('%j_is_no_path', (path) => {
  expect(parsePath(path)).toBeNull();
});

test('paths_are_checked_in_linear_time', () => {
  const started = performance.now();
  const hostile = ['a[0]'.repeat(20_000), `${'a.'.repeat(40_000)}.`, `${'[0]'.repeat(30_000)}x`, '[?'.repeat(40_000)];
  for (const path of hostile) parsePath(path);
  expect(performance.now() - started).toBeLessThan(1000);
});

const nothing = { time: null, seq: null, captures: [], records: false };

test('a_field_has_the_captures_of_its_wildcards_and_of_what_stands_around_it', () => {
  const fields = [
    { name: 't', path: 'd.{dev}.t' },
    { name: 'u', path: 'd.*.s[{i}].u' },
    { name: 'v', path: 'v' },
  ];
  const captures = [
    { name: 'site', path: 'site' },
    { name: 'kind', path: 'd.*.kind' },
  ];
  expect(checkMapping({ ...nothing, fields, captures })).toEqual({
    captures: [['dev', 'site', 'kind'], ['dev', 'i', 'site', 'kind'], ['site']],
  });
});

test.each([
  [
    'a time further in',
    {
      fields: [
        { name: 't', path: 'd.*.t' },
        { name: 'u', path: 'u' },
      ],
      time: 'd.*.ts',
    },
  ],
  [
    'two names of a wildcard',
    {
      fields: [
        { name: 't', path: 'd.{a}.t' },
        { name: 'u', path: 'd.{b}.u' },
      ],
    },
  ],
  ['two meanings of a name', { fields: [{ name: 't', path: 'd.{a}.t' }], captures: [{ name: 'a', path: 'x' }] }],
  ['too many paths', { fields: Array.from({ length: 65 }, (_, at) => ({ name: `f${at}`, path: `f${at}` })) }],
])('a_mapping_with_%s_is_wrong', (_, mapping) => {
  expect(checkMapping({ ...nothing, ...mapping })).toHaveProperty('wrong');
});
