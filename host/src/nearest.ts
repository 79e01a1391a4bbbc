// The name that somebody probably meant, for messages about unknown names.

/** Words further apart than this share of their length are not suggested. */
const DISTANCE_SHARE_MAX = 0.5;

/** The candidate nearest to `word` by edit distance, when one is near enough. */
export function nearestName(word: string, candidates: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = Number.POSITIVE_INFINITY;
  // Only the beginning of a hostile, endless word is compared.
  const head = word.slice(0, 64).toLowerCase();
  for (const candidate of candidates) {
    const distance = editDistance(head, candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best !== null && bestDistance <= Math.max(1, best.length * DISTANCE_SHARE_MAX) ? best : null;
}

/** Levenshtein distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
