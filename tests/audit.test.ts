/** The audit trail through the doors of the program: what was done stands in it, it verifies, and a note from elsewhere tells a trail that is another one. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiSession } from './support/api-session.ts';
import { fieldline } from './support/command-line.ts';
import { type RunningServer, startServer, temporaryFolder } from './support/server-process.ts';

interface Entry {
  readonly sequence: number;
  readonly action: string;
  readonly subjectKind: string;
  readonly subjectId: string;
  readonly actor: { readonly kind: string; readonly id: string | null; readonly address: string | null };
  readonly before: object | null;
  readonly after: Record<string, unknown> | null;
  readonly hash: string;
}

const folder = temporaryFolder('audit');
const dataDir = folder.path;
let server: RunningServer;
let api: ApiSession;

beforeAll(async () => {
  server = await startServer({ dataDir });
  api = await ApiSession.signIn(server.url);
}, 60_000);
afterAll(async () => {
  await server.kill();
  folder.remove();
});

const trail = async (query: string): Promise<readonly Entry[]> =>
  (await api.call<{ items: Entry[] }>('GET', `audit?${query}`)).items;
const verify = (...flags: string[]) => fieldline(['audit', 'verify', ...flags]);

test('tells who did what, when, from where, before and after, and no secret', async () => {
  const me = await api.call<{ id: string }>('GET', 'auth/me');
  const device = await api.createDevice('press');
  await api.call('PATCH', `devices/${device.id}`, { name: 'Press 4' });
  const entries = await trail(`subjectId=${device.id}`);
  const who = { kind: 'user', id: me.id, address: '127.0.0.1' };
  expect(entries).toMatchObject([
    { action: 'update', subjectKind: 'device', actor: who, before: { name: 'press' }, after: { name: 'Press 4' } },
    { action: 'create', actor: who, before: null, after: { key: 'press', token_sha256: '(secret)' } },
  ]);
  expect(JSON.stringify(await trail('limit=1000'))).not.toContain(device.token);
});

test('tells sign-ins, those that were refused, and who has read it', async () => {
  await expect(ApiSession.signIn(server.url, undefined, 'a wrong password')).rejects.toThrow('401');
  await trail('limit=1');
  const found = await trail('limit=10');
  expect(found.map(({ action, subjectKind }) => `${action} ${subjectKind}`)).toEqual(
    expect.arrayContaining(['create session', 'sign-in refused user', 'read audit']),
  );
});

test('is whole, for a key with that scope alone, and for the command line once the server is stopped', async () => {
  const made = await api.call<{ key: string }>('POST', 'api-keys', { name: 'siem', scopes: ['audit:read'] });
  const asked = await verify('--url', server.url, '--api-key', made.key, '--json');
  expect([asked.code, asked.stderr]).toEqual([0, '']);
  const [{ head }] = JSON.parse(asked.stdout) as [{ head: { sequence: number; hash: string } }];
  const other = await api.call<{ key: string }>('POST', 'api-keys', { name: 'reader', scopes: ['telemetry:read'] });
  expect(await verify('--url', server.url, '--api-key', other.key)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('needs the permission audit:read'),
  });
  expect(await verify('--data-dir', dataDir)).toMatchObject({ code: 2, stderr: expect.stringContaining('--url') });
  await server.stop();
  const whole = { code: 0, stdout: expect.stringContaining('default: whole') };
  expect(await verify('--data-dir', dataDir)).toMatchObject(whole);
  expect(await verify('--data-dir', dataDir, '--expect', `${head.sequence}:${head.hash}`)).toMatchObject(whole);
  const another = `${head.sequence}:${'0'.repeat(64)}`;
  expect(await verify('--data-dir', dataDir, '--expect', another)).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('the trail was written anew'),
  });
  expect(await verify('--data-dir', dataDir, '--expect', 'x')).toMatchObject({ code: 2 });
  expect(await verify('--data-dir', dataDir, '--organization', 'nobody')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('there are: default'),
  });
}, 60_000);
