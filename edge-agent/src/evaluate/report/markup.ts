/** Text in markup: names of files, columns and classes come from outside. */

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text that stands in HTML and SVG as what it is; characters that XML has no place for are replaced. */
export function escapeMarkup(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML 1.0 clause 2.2 leaves out
  const sound = text.toWellFormed().replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd');
  return sound.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
