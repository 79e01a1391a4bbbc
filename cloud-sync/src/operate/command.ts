/** What an operator can ask for, as data: the same on the command line and on the control socket. */
import { RivuletError } from '@rivulet/host';

export type OperatorCommand =
  | { readonly do: 'forget'; readonly gateway: string; readonly allowReturn: boolean; readonly sinceMs?: number | null }
  | { readonly do: 'judge'; readonly gateway: string; readonly trusted: boolean | null }
  | { readonly do: 'kernels' }
  | { readonly do: 'kernel'; readonly hash: string; readonly accept: boolean }
  | { readonly do: 'releases'; readonly task: string | null; readonly limit: number }
  | { readonly do: 'show'; readonly ref: string; readonly task: string | null }
  | { readonly do: 'diff'; readonly from: string; readonly to: string; readonly task: string | null }
  | { readonly do: 'pin'; readonly ref: string; readonly task: string | null }
  | { readonly do: 'rollback'; readonly task: string };

/** The fields of each command with their types; with `?` they may be null, a count absent too. */
const FIELDS: Record<
  OperatorCommand['do'],
  Record<string, 'text' | 'text?' | 'flag' | 'flag?' | 'count' | 'count?'>
> = {
  forget: { gateway: 'text', allowReturn: 'flag', sinceMs: 'count?' },
  judge: { gateway: 'text', trusted: 'flag?' },
  kernels: {},
  kernel: { hash: 'text', accept: 'flag' },
  releases: { task: 'text?', limit: 'count' },
  show: { ref: 'text', task: 'text?' },
  diff: { from: 'text', to: 'text', task: 'text?' },
  pin: { ref: 'text', task: 'text?' },
  rollback: { task: 'text' },
};

const CHECKS = {
  text: (value: unknown) => typeof value === 'string',
  'text?': (value: unknown) => value === null || typeof value === 'string',
  flag: (value: unknown) => typeof value === 'boolean',
  'flag?': (value: unknown) => value === null || typeof value === 'boolean',
  count: (value: unknown) => Number.isInteger(value) && (value as number) > 0,
  'count?': (value: unknown) => (value ?? null) === null || (Number.isInteger(value) && (value as number) > 0),
} as const;

/** Parses a command at the door. Throws `RIV_REQUEST`. */
export function parseCommand(text: string): OperatorCommand {
  const command = parseJson(text);
  const fields = Object.hasOwn(FIELDS, String(command.do)) ? FIELDS[command.do as OperatorCommand['do']] : null;
  const sound = fields !== null && Object.entries(fields).every(([name, type]) => CHECKS[type](command[name]));
  if (!sound) throw new RivuletError('RIV_REQUEST', { found: `the command ${text.slice(0, 200)}` });
  return command as OperatorCommand;
}

function parseJson(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // falls through to the refusal
  }
  throw new RivuletError('RIV_REQUEST', 'a command that is not a JSON object');
}
