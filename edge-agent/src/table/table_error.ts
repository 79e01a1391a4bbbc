/** What the readers of tables and the feeds say when a file is not what they need. */
export class TableError extends Error {
  readonly code = 'RIV_TABLE';
}

/** An error whose message names the file, the line where known, what was found and what was expected. */
export function tableError(message: string): TableError {
  return new TableError(message);
}
