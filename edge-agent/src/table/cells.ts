/**
 * What one cell of a table means: missing, a number, or text. One rule for the evaluator and the CSV feed, so that a
 * file means the same to both.
 */

/** Cells that stand for "no value", compared without regard to case. */
const MISSING = new Set(['', 'na', 'n/a', 'nan', 'null', 'none', 'inf', '+inf', '-inf', 'infinity', '-infinity']);

/** A decimal number as text; hexadecimal and the like are text. */
const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** Whether a cell holds no value. Infinities count as missing: the engine takes finite numbers only. */
export function isMissing(cell: string): boolean {
  return cell.length <= 9 && MISSING.has(cell.trim().toLowerCase());
}

/** The number in a cell, or NaN when it is missing or not a finite decimal number. */
export function numberIn(cell: string): number {
  const code = cell.charCodeAt(0);
  const mayBeNumber = (code >= 48 && code <= 57) || code === 45 || code === 43 || code === 46;
  if (!mayBeNumber || !DECIMAL.test(cell)) return Number.NaN;
  const value = Number(cell);
  return Number.isFinite(value) ? value : Number.NaN;
}
