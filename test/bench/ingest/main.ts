/** `npm run bench -- ingest`. */
import { tmpdir } from 'node:os';
import { describeMachine } from '../machine.ts';

export async function run(): Promise<number> {
  console.log(JSON.stringify({ machine: await describeMachine(tmpdir()) }, null, 2));
  return 0;
}
