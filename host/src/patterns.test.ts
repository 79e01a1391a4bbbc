import { expect, test } from 'vitest';
import { nearestName } from './nearest.ts';
import { checkTemplate, checkTopicPattern, templateNames, topicFilter } from './patterns.ts';

test.each([
  ['a/b', []],
  ['{site}/+/{room}/#', ['site', 'room']],
  ['/', []],
  ['#', []],
  ['a/{site}/{device#}', ['site', 'device']],
])('the_topic_pattern_%j_captures_%j', (pattern, captures) => {
  expect(checkTopicPattern(pattern)).toEqual({ captures });
});

test.each([
  '',
  'a/#/b',
  'a#',
  'a+/b',
  '{a}{b}',
  'x{a}',
  '{a}/{a}',
  '{}',
  '{a b}',
  '{a#}/b',
  '{a##}',
  '{a}/{a#}',
  'a\0b',
  'x'.repeat(65_536),
  'a/'.repeat(64),
])('the_topic_pattern_%.20j_is_wrong', (pattern) => {
  expect(checkTopicPattern(pattern)).toHaveProperty('wrong');
});

test('a_pattern_subscribes_with_its_captures_open', () => {
  expect(topicFilter('{site}/a/{room}/#')).toBe('+/a/+/#');
  expect(topicFilter('{site}/{device#}')).toBe('+/#');
});

test('a_template_may_use_what_its_topic_captures', () => {
  expect(templateNames('{a}/{b}-{a}')).toEqual(['a', 'b']);
  expect(checkTemplate('x-{a}', ['a'])).toBeNull();
  expect(checkTemplate('{b}', ['a'])).toContain('{b}');
  expect(checkTemplate('{a', ['a'])).toContain('brace');
});

test.each([
  ['forcast', ['forecast', 'anomaly'], 'forecast'],
  ['Topic', ['topic', 'time'], 'topic'],
  ['zzzzzz', ['topic', 'time'], null],
  ['x'.repeat(1_000_000), ['topic'], null],
])('the_nearest_name_to_%.20j_is_found', (word, names, nearest) => {
  expect(nearestName(word, names)).toBe(nearest);
});
