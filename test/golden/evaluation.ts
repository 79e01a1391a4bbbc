/** Golden scripts of an evaluation: rows of a table with two keys, a category, missing values and labels that come late. */
import { type Field, writeBytes } from '../../host/src/bytes.ts';
import { numbersFrom } from './numbers.ts';
import type { Step } from './script.ts';

const ROWS = 500;
const ROWS_PER_CALL = 100;
const CLASSES = 8;
const COLUMNS = [
  { name: 'temperature', type: 'number' },
  { name: 'pressure', type: 'number' },
  { name: 'weekday', type: 'category' },
  { name: 'stuck', type: 'number' },
];

/** The script for one kind of task. */
export function evaluationScript(kind: 'regression' | 'classification' | 'forecast', seed: number): Step[] {
  const numbers = numbersFrom(seed);
  const horizon = kind === 'forecast' ? 3 : 0;
  const plan = {
    plan: 1,
    evaluate: {
      kind,
      columns: COLUMNS,
      target: 'y',
      horizon,
      label_delay: kind === 'regression' ? 5 : 0,
      classes: CLASSES,
    },
  };
  const steps: Step[] = [{ call: 'open', input: Buffer.from(JSON.stringify(plan)) }];
  const classes: number[] = [];
  let level = 20;
  for (let done = 0; done < ROWS; done += ROWS_PER_CALL) {
    const fields: Field[] = [{ u32: ROWS_PER_CALL }, { u32: COLUMNS.length }];
    for (let row = done; row < done + ROWS_PER_CALL; row++) {
      level += numbers.normal() * 0.3;
      const temperature = level + numbers.normal() * 0.1;
      const pressure = numbers.below(20) === 0 ? Number.NaN : 1013 + 5 * numbers.normal();
      const value = 0.7 * temperature + 0.02 * (pressure || 1013) + (row % 7) * 0.5;
      // A class is its index by first appearance; half-way through the table the classes move.
      const band = Math.floor(value - 33) + (row > ROWS / 2 ? 1 : 0);
      if (kind === 'classification' && !classes.includes(band) && classes.length < CLASSES) classes.push(band);
      const label = kind === 'classification' ? Math.max(0, classes.indexOf(band)) : value;
      const target = row > 0 && numbers.below(50) === 0 ? Number.NaN : label;
      fields.push(
        { u32: row % 2 },
        { f64: target },
        { f64: temperature },
        { f64: pressure },
        { f64: row % 7 },
        { f64: 1 },
      );
    }
    steps.push({ call: 'rows', input: writeBytes(fields) });
  }
  steps.push({ call: 'report', input: Buffer.alloc(0) }, { call: 'checkpoint', input: Buffer.alloc(0) });
  return steps;
}
