/** The command line of the coordinator: a table of subcommands, each loaded when asked for. */
import { toRivuletError } from '@rivulet/host';
import { VERSION } from '../version.ts';

const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

const COMMANDS: Record<string, () => Promise<{ run(argv: string[]): Promise<number> }>> = {
  run: () => import('./run.ts'),
  forget: () => import('./forget.ts'),
  kernel: () => import('./kernel.ts'),
  judge: () => import('./judge.ts'),
  release: () => import('./release.ts'),
  simulate: () => import('./simulate.ts'),
};

const HELP = `rivulet-cloud ${VERSION}: merges what gateways have learned into fleet models

  rivulet-cloud run [options]     start the coordinator

    --state DIR           where it keeps everything       (./rivulet-state/coordinator)
    --port N              HTTP port; 0: any free one      (8787)
    --host ADDRESS        address to listen on            (127.0.0.1)
    --release-every TIME  at most one release per model   (5s)
    --token TOKEN         what gateways must show to enrol (none; also RIVULET_CLOUD_TOKEN)
    --tls-cert FILE --tls-key FILE        speak HTTPS only, with this certificate
    --tls-ca FILE         ask every client for a certificate that this authority signed
    --mqtt URL            answer gateways at this broker too, mqtt:// or mqtts://, USER:PASSWORD@ before its name
    --mqtt-protocol 4|5   4 is MQTT 3.1.1                 (4)
    --mqtt-ca FILE        the authority of the broker's certificate
    --tasks NAME,NAME     take deltas of these tasks only         (all)
    --upstream URL        a site's coordinator: hand on what its gateways say to the coordinator there, and
                          serve the releases that come from it; releases are made there only
    --upstream-every TIME how often                       (10s)
    --upstream-token TOKEN   what it asks for at enrolment   (none; also RIVULET_UPSTREAM_TOKEN)
    --upstream-ca FILE --upstream-cert FILE --upstream-key FILE   whom to trust there, and who we are
    --core BUILD          auto, scalar or simd            (auto)
    --status-json         one JSON event per line on standard output

  rivulet-cloud forget GATEWAY [--since TIME] [--allow-return]
                                  take a gateway out of every model, proven by digest; its later deltas are refused
    --since TIME          only what it handed in from then on: 2026-11-20T08:00:00Z, or so long ago as 36h; it goes
                          back to the last delta of a day before (seven such days are kept)

  rivulet-cloud judge GATEWAY trust|distrust|auto
                                  in every release, in none, or as the class-mean test says

  rivulet-cloud kernel ls|accept HASH|refuse HASH
                                  the cores whose statistics are taken: those this coordinator has run, and those named here

  rivulet-cloud release ls [--task TASK] [--limit N]
  rivulet-cloud release show RELEASE
  rivulet-cloud release diff RELEASE RELEASE
  rivulet-cloud release pin RELEASE       gateways are told this one from now on; newest lifts the pin
  rivulet-cloud release rollback [TASK]   gateways are told again what they were told before

    RELEASE is the beginning of a hash, or champion, previous or newest (of --task TASK when there are several models)
    --state DIR, --json; a coordinator that runs on that directory carries the command out itself

  rivulet-cloud simulate [options]        a fleet of real cores and a real coordinator, in simulated time

    --scenario NAME     synthetic(A,B), synthetic-iid, sine-2, circle-2, sea, or, with --data DIR,
                        stations and stations-late                               (synthetic-iid)
    --gateways N        (30)      --ticks N, syncs   (20)      --seed S   (0)
    --trouble KIND      none, stragglers, offline, storm, clocks, backups or random   (none)
    --attack KIND       none, scale, flip or collude; --attackers SHARE               (none, 0.2)
    --alone             nobody talks to anybody
    --removable         releases hold only what depends on no release;  --json

  rivulet-cloud --help, --version
`;

/** Runs one command and returns the exit code: 0 done, 1 failed, 2 asked for wrongly. */
export async function main(argv: readonly string[]): Promise<number> {
  const [name = '--help', ...rest] = argv;
  if (name === '--version') return print(VERSION, EXIT.ok);
  if (name === '--help' || name === '-h' || name === 'help' || rest.includes('--help')) return print(HELP, EXIT.ok);
  const load = COMMANDS[name];
  if (load === undefined) {
    process.stderr.write(`RIV_USAGE: there is no command ${JSON.stringify(name)}. See rivulet-cloud --help.\n`);
    return EXIT.usage;
  }
  try {
    const { run } = await load();
    return await run(rest);
  } catch (error) {
    const { code, message } = toRivuletError(error);
    process.stderr.write(`${code}: ${message}\n`);
    return code === 'RIV_USAGE' || code === 'RIV_UNIT' ? EXIT.usage : EXIT.failed;
  }
}

function print(text: string, code: number): number {
  process.stdout.write(`${text.trimEnd()}\n`);
  return code;
}
