/**
 * Which columns of a table an evaluation uses and how each is coded as numbers: numbers as they are, text by the order of
 * first appearance, missing as NaN. The target is coded the same way for regression and forecast, as a class otherwise.
 */
import { type BudgetConfig, type EvaluationSpec, type ExpertName, RivuletError } from '@rivulet/host';
import { isMissing, numberIn } from '../table/cells.ts';
import type { ColumnProfile } from '../table/profile.ts';

/** Different texts told apart per column; later ones count as missing, so that memory stays bounded. */
const CATEGORIES_MAX = 65_536;

/** Most classes of a target whose classes were not all seen by the profile. */
const CLASSES_MAX = 4096;

/** What the user asked for. */
export interface EvaluationRequest {
  readonly task: EvaluationSpec['kind'];
  readonly target: string;
  readonly time: string | undefined;
  readonly key: string | undefined;
  readonly drop: readonly string[];
  readonly horizon: number;
  readonly labelDelay: number;
  /** What the panel may cost; absent: the default. */
  readonly budget?: BudgetConfig;
  /** The experts the panel begins with; absent: the default. */
  readonly experts?: ExpertName[];
  /** Classes known beforehand, in order: the first is what is predicted before any label. Others follow as they appear. */
  readonly classes: readonly string[];
  /** What watches the error for drift. */
  readonly drift?: EvaluationSpec['drift'];
}

/** Codes one column's cells; NaN for a missing one. */
export interface CellCoder {
  code(cell: string): number;
  /** The texts met, by code; empty for a number column. */
  readonly names: readonly string[];
}

/** A table's columns as an evaluation takes them. */
export interface EvaluationColumns {
  readonly spec: EvaluationSpec;
  /** Place in the file and coder of each feature. */
  readonly features: readonly { place: number; coder: CellCoder }[];
  readonly target: { place: number; coder: CellCoder };
  /** Absent: all rows have one key. */
  readonly key: { place: number; coder: CellCoder } | null;
}

/**
 * Picks and types the columns.
 * @throws RIV_USAGE for a column that the table does not have, RIV_DATA for a target that does not fit the task
 */
export function columnsFor(
  path: string,
  profiles: readonly ColumnProfile[],
  request: EvaluationRequest,
): EvaluationColumns {
  const placeOf = (name: string): number => {
    const place = profiles.findIndex((profile) => profile.name === name);
    if (place < 0) {
      const names = profiles.map((profile) => profile.name).join(', ');
      throw new RivuletError('RIV_USAGE', { where: path, found: `no column "${name}"`, expected: `one of ${names}` });
    }
    return place;
  };
  const targetPlace = placeOf(request.target);
  const keyPlace = request.key === undefined ? null : placeOf(request.key);
  const left = new Set([targetPlace, ...request.drop.map(placeOf)]);
  if (keyPlace !== null) left.add(keyPlace);
  if (request.time !== undefined) left.add(placeOf(request.time));
  const places = profiles.map((_, place) => place).filter((place) => !left.has(place));

  const target = profiles[targetPlace];
  if (target === undefined) throw new Error('a place that was found is in the list');
  const classification = request.task === 'classification';
  if (!classification && target.texts > 0) {
    throw new RivuletError('RIV_DATA', {
      where: path,
      found: `text in ${target.texts} cells of the target "${target.name}"`,
      expected: `numbers only for ${request.task}`,
    });
  }
  return {
    spec: {
      kind: request.task,
      columns: places.map((place) => {
        const profile = profiles[place];
        return { name: profile?.name ?? '', type: (profile?.texts ?? 0) > 0 ? 'category' : 'number' };
      }),
      target: target.name,
      horizon: request.task === 'forecast' ? request.horizon : 0,
      labelDelay: request.labelDelay,
      ...(request.budget !== undefined && { budget: request.budget }),
      ...(request.experts !== undefined && { experts: request.experts }),
      classes: classification ? classesOf(target, request.classes) : 0,
      drift: request.drift,
    },
    features: places.map((place) => ({ place, coder: coderFor((profiles[place]?.texts ?? 0) > 0) })),
    target: { place: targetPlace, coder: classification ? categoryCoder(request.classes) : coderFor(false) },
    key: keyPlace === null ? null : { place: keyPlace, coder: coderFor(true) },
  };
}

function classesOf(target: ColumnProfile, known: readonly string[]): number {
  return target.manyValues ? CLASSES_MAX : Math.max(2, new Set([...known, ...target.values]).size);
}

function coderFor(categories: boolean): CellCoder {
  return categories ? categoryCoder([]) : { code: numberIn, names: [] };
}

/** @param known texts that have the first codes, in this order */
function categoryCoder(known: readonly string[]): CellCoder {
  const names = [...known];
  const codes = new Map(names.map((name, code) => [name, code]));
  return {
    names,
    code(cell) {
      if (isMissing(cell)) return Number.NaN;
      const known = codes.get(cell);
      if (known !== undefined) return known;
      if (names.length >= CATEGORIES_MAX) return Number.NaN;
      codes.set(cell, names.length);
      return names.push(cell) - 1;
    },
  };
}
