/** `rivulet passwd`: a password as `broker.users` wants it, hashed. The password comes on standard input, so that no list of processes shows it. */
import { parseArgs } from 'node:util';
import { hashPassword, RivuletError } from '@rivulet/host';

const HELP = `Usage: rivulet passwd < FILE

Reads one line from standard input and prints it hashed, for \`password\` in \`broker.users\`.`;

/** What a CONNECT packet can carry. */
const PASSWORD_BYTES_MAX = 65_535;

export async function run(argv: string[]): Promise<number> {
  const { values } = parseArgs({ args: argv, options: { help: { type: 'boolean', short: 'h' } } });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (process.stdin.isTTY) {
    console.error('Password (it will be visible):');
  }
  const password = await firstLine();
  if (password === '' || Buffer.byteLength(password) > PASSWORD_BYTES_MAX) {
    throw new RivuletError('RIV_USAGE', { found: 'no password', expected: 'a line of 1 to 65535 bytes' });
  }
  console.log(await hashPassword(password));
  return 0;
}

async function firstLine(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    text += chunk;
    if (text.includes('\n') || text.length > PASSWORD_BYTES_MAX) {
      break;
    }
  }
  return text.split(/\r?\n/)[0] as string;
}
