/** Sync over HTTPS with certificates on both sides: a real coordinator, a real gateway, and what is wrong said with its code. */
import { sign } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTls, type TlsFiles } from '@rivulet/host';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectCoordinator } from '../../edge-agent/src/sync/coordinator.ts';
import { startAgentProcess } from '../support/agent.ts';
import { type Authority, makeAuthority, opensslAbsent } from '../support/certificates.ts';
import { type CloudProcess, startCloudProcess } from '../support/cloud.ts';
import { newFleetGateway } from '../support/fleet.ts';

describe.skipIf(opensslAbsent !== null)(`sync over HTTPS ${opensslAbsent ?? ''}`, () => {
  let directory = '';
  let ours: Authority;
  let others: Authority;
  let cloud: CloudProcess;
  let files: TlsFiles;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'rivulet-tls-'));
    [ours, others] = [await makeAuthority(), await makeAuthority()];
    const server = await ours.issue('localhost');
    files = { ca: ours.ca, ...(await ours.issue('gateway')) };
    const more = ['--tls-cert', server.cert, '--tls-key', server.key, '--tls-ca', ours.ca];
    cloud = await startCloudProcess(join(directory, 'cloud'), { more });
  });
  afterAll(async () => {
    await cloud.kill();
    await Promise.all([ours.remove(), others.remove(), rm(directory, { recursive: true, force: true })]);
  });

  const read = (own: TlsFiles) => () => readTls(own, (file) => `sync.${file}`, 'RIV_SYNC_TLS', Date.now());
  const enrolment = { ...newFleetGateway('g', '', false), gateway: 'g' };
  const enrol = (own: TlsFiles, url = cloud.url) =>
    connectCoordinator(url, null, read(own)).enrol(
      {
        gateway: 'g',
        public_key: enrolment.publicKey.toString('base64'),
        incarnation: '07'.repeat(16),
        about: '',
        simulated: false,
      },
      (bytes) => sign(null, bytes, enrolment.privateKey),
    );

  it('works with the right certificates, for a gateway as a process too', async () => {
    expect(cloud.url).toMatch(/^https:/);
    expect(await enrol(files)).toMatch(/\w/);
    const config = join(directory, 'plant.yaml');
    await writeFile(
      config,
      `gateway: plant
state: ${join(directory, 'plant')}
broker: { listen: 0 }
sources: [{ topic: "b/{sensor}", key: r, fields: { "{sensor}": value } }]
sync: { url: "${cloud.url}", every: 200ms, ca: ${files.ca}, cert: ${files.cert}, key: ${files.key} }
`,
    );
    const agent = startAgentProcess(config);
    await agent.ready();
    // a second report is only sent after a first one that went well
    await agent.until(() => agent.events.length > 15, 'some rounds of sync');
    const stopped = await agent.stop();
    expect([stopped.last_error, agent.complaints()]).toEqual([undefined, '']);
  }, 30_000);

  it('says what is wrong with our certificates', async () => {
    const foreign = await others.issue('gateway');
    await expect(enrol({ ...files, ca: null })).rejects.toMatchObject({
      code: 'RIV_SYNC_TLS',
      message: expect.stringContaining('sync.ca'),
    });
    await expect(enrol({ ...files, ca: others.ca })).rejects.toMatchObject({ code: 'RIV_SYNC_TLS' });
    for (const own of [
      { ca: files.ca, cert: null, key: null },
      { ...files, ...foreign },
    ]) {
      await expect(enrol(own)).rejects.toMatchObject({
        code: expect.stringMatching(/RIV_SYNC_(TLS|UNREACHABLE)/),
        message: expect.stringContaining('sync.cert'),
      });
    }
    const { cert, key } = await ours.issue('elsewhere', { address: '10.0.0.1' });
    const elsewhere = await startCloudProcess(join(directory, 'elsewhere'), {
      more: ['--tls-cert', cert, '--tls-key', key],
    });
    await expect(enrol(files, elsewhere.url)).rejects.toMatchObject({
      code: 'RIV_SYNC_TLS',
      message: expect.stringContaining('stands in its certificate'),
    });
    await elsewhere.kill();
    expect(() => connectCoordinator(cloud.url, null, read({ ...files, key: foreign.key }))).toThrow(
      expect.objectContaining({ code: 'RIV_SYNC_TLS' }),
    );
    expect(() => connectCoordinator(cloud.url, null, read({ ...files, cert: '/no/such' }))).toThrow(
      expect.objectContaining({ code: 'RIV_FILE_UNREADABLE' }),
    );
  }, 30_000);

  it('says at the start what is wrong with those of the coordinator', async () => {
    const { cert, key } = await ours.issue('localhost');
    const start = (...more: string[]) => startCloudProcess(join(directory, 'other'), { more });
    await expect(start('--tls-cert', cert)).rejects.toThrow('RIV_USAGE');
    await expect(start('--tls-cert', cert, '--tls-key', files.key as string)).rejects.toThrow('RIV_CLOUD_TLS');
    await expect(start('--tls-cert', '/no/such', '--tls-key', key)).rejects.toThrow('RIV_FILE_UNREADABLE');
  }, 30_000);
});
