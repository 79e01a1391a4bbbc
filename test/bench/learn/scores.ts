/**
 * The scores of a run, from its predictions: the same code for every peer and for the baseline. The engine keeps its own
 * sums by the same definitions (TASKS.md); the bench compares the two on the baseline, which both can compute.
 */
import { readFile } from 'node:fs/promises';

/** Probabilities are held to [1e-15, 1] in the log loss. */
const PROBABILITY_MIN = 1e-15;

/** Scores of one run; what does not apply is absent. */
export interface Scores {
  accuracy?: number;
  kappa?: number | null;
  log_loss?: number | null;
  mae?: number;
  rmse?: number;
}

/** One column of a prepared file as numbers; without a name the last, which is the label. */
export async function readColumn(path: string, name?: string): Promise<Float64Array> {
  const [header = '', ...rows] = (await readFile(path, 'utf8')).trimEnd().split('\n');
  const place = name === undefined ? -1 : header.split(',').indexOf(name);
  return Float64Array.from(rows, (row) => Number(row.split(',').at(place)));
}

/** @param predictions per row the class and a probability per class */
export function scoreClasses(labels: Float64Array, predictions: Float64Array, classes: number): Scores {
  const confusion = new Float64Array(classes * classes);
  let logLoss = 0;
  for (const [row, truth] of labels.entries()) {
    const at = row * (classes + 1);
    const served = predictions[at] ?? 0;
    confusion[truth * classes + served] = (confusion[truth * classes + served] ?? 0) + 1;
    const probability = predictions[at + 1 + truth] ?? 0;
    logLoss -= Math.log(Math.min(1, Math.max(PROBABILITY_MIN, probability)));
  }
  return { ...agreement(confusion, classes, labels.length), log_loss: logLoss / labels.length };
}

/** Scores of always answering the last label that had arrived; class 0 or the number 0 before the first. */
export function scoreLastLabel(labels: Float64Array, delay: number, classes: number): Scores {
  const last = labels.map((_, row) => labels[row - delay - 1] ?? 0);
  if (classes === 0) return scoreNumbers(labels, last);
  const confusion = new Float64Array(classes * classes);
  for (const [row, truth] of labels.entries()) {
    const cell = truth * classes + (last[row] ?? 0);
    confusion[cell] = (confusion[cell] ?? 0) + 1;
  }
  return agreement(confusion, classes, labels.length);
}

export function scoreNumbers(labels: Float64Array, predictions: Float64Array): Scores {
  let [absolute, square] = [0, 0];
  for (const [row, label] of labels.entries()) {
    const miss = label - (predictions[row] ?? 0);
    absolute += Math.abs(miss);
    square += miss * miss;
  }
  return { mae: absolute / labels.length, rmse: Math.sqrt(square / labels.length) };
}

/** Accuracy and Cohen's kappa; kappa is null where chance explains all. */
function agreement(confusion: Float64Array, classes: number, rows: number): Scores {
  let [agreed, chance] = [0, 0];
  for (let one = 0; one < classes; one++) {
    agreed += confusion[one * classes + one] ?? 0;
    let [truths, served] = [0, 0];
    for (let other = 0; other < classes; other++) {
      truths += confusion[one * classes + other] ?? 0;
      served += confusion[other * classes + one] ?? 0;
    }
    chance += (truths / rows) * (served / rows);
  }
  const accuracy = agreed / rows;
  return { accuracy, kappa: chance < 1 ? (accuracy - chance) / (1 - chance) : null };
}
