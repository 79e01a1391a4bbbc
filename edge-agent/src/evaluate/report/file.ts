/** Where a report goes: looked at before the work begins, written when it is done. */
import { access, constants, stat } from 'node:fs/promises';
import { dirname, extname } from 'node:path';
import { RivuletError, replaceFile } from '@rivulet/host';
import { htmlReport, type ReportedData, svgReport } from './report.ts';

export type { ReportedData } from './report.ts';

/** A file that a report can be written to. */
export interface ReportFile {
  /** Puts the whole report in place at once. */
  write(all: readonly ReportedData[]): Promise<void>;
}

/**
 * Checks the name and the place of a report, so that a long evaluation does not end in an error that could be seen before.
 * @throws RIV_USAGE
 */
export async function reportFile(path: string): Promise<ReportFile> {
  const kind = extname(path).toLowerCase();
  const usage = (found: string, expected: string): RivuletError =>
    new RivuletError('RIV_USAGE', { where: `--report ${path}`, found, expected });
  if (kind !== '.html' && kind !== '.svg') throw usage(`the ending "${kind}"`, '.html or .svg');
  const there = await stat(path).catch(() => null);
  if (there !== null && !there.isFile()) throw usage('something that is no file', 'a file or nothing');
  await access(dirname(path), constants.W_OK).catch((cause: NodeJS.ErrnoException) => {
    throw usage(`a directory that cannot be written (${cause.code})`, 'one that can');
  });
  const render = kind === '.svg' ? svgReport : htmlReport;
  return { write: (all) => replaceFile(path, Buffer.from(render(all), 'utf8')) };
}
