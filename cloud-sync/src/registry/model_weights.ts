/** The numbers of a model by name (FORMATS.md section 7), for people who compare releases. Nothing is computed with them. */
import { byteReader, RivuletError, readMagic } from '@rivulet/host';

/** Bounds as in the core. */
const FEATURES_MAX = 1024;
const CLASSES_MAX = 4096;
const LABEL_BYTES_MAX = 65_536;

/** Weights by name, in the order of the features: `co2`, `(intercept)`; of classes `occupied: co2`. */
export function modelWeights(model: Uint8Array, features: readonly string[]): Map<string, number> {
  const reader = byteReader(model, 'a model');
  readMagic(reader, 'RVRM', 3, 'a model');
  const form = reader.u8();
  reader.u8();
  const d = reader.u32();
  if (d > FEATURES_MAX || d !== features.length) {
    throw new RivuletError('RIV_CORRUPT', `a model of ${d} features for a schema of ${features.length}`);
  }
  const weights = new Map<string, number>();
  if (form === 1) {
    reader.f64(); // rows
    for (const feature of features) weights.set(feature, reader.f64());
    weights.set('(intercept)', reader.f64());
    return weights;
  }
  const classes = reader.u32();
  if (form !== 2 || classes > CLASSES_MAX) throw new RivuletError('RIV_CORRUPT', `a model of form ${form}`);
  for (let at = 0; at < classes; at++) {
    const label = reader.str(LABEL_BYTES_MAX);
    for (const feature of features) weights.set(`${label}: ${feature}`, reader.f64());
    weights.set(`${label}: (intercept)`, reader.f64());
  }
  return weights;
}
