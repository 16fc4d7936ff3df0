/** When a CONNECT is refused: who is connected goes on, and nobody hangs without a word or is said to be connected. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FieldlineError } from '@fieldline/kit';
import { afterEach, expect, test, vi } from 'vitest';
import type { BrokerOptions } from './options.ts';
import { JournalSessionStore } from './session/journal-session-store.ts';
import { HexClient, packetHex, startBroker, type TestBroker, text, until } from './testing/harness.ts';

let broker: TestBroker | null = null;
const sockets: HexClient[] = [];
const folders: string[] = [];
const LOGIN = `${text('dev-9')} ${text('secret')}`;

async function start(overrides: Partial<BrokerOptions> = {}): Promise<TestBroker> {
  broker = await startBroker(overrides);
  return broker;
}

function raw(hex: string): HexClient {
  const client = new HexClient(broker!.port);
  sockets.push(client);
  client.send(hex);
  return client;
}

afterEach(async () => {
  vi.restoreAllMocks();
  for (const socket of sockets.splice(0)) socket.socket.destroy();
  await broker?.broker.stop();
  broker = null;
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

const REFUSED: [name: string, connect: string, answer: RegExp][] = [
  [
    'a will on a topic that is not its own',
    `00044d515454 05 c6 0000 00 ${text('dev-9')} 00 ${text('v1/telemetry/org-1/dev-2')} ${text('x')} ${LOGIN}`,
    /^20..0087/,
  ],
  [
    'the same in MQTT 3.1.1',
    `00044d515454 04 c6 0000 ${text('dev-9')} ${text('v1/telemetry/org-1/dev-2')} ${text('x')} ${LOGIN}`,
    /^20020005$/,
  ],
  [
    'a Maximum Packet Size below the CONNACK',
    `00044d515454 05 c2 0000 05 27 00000008 ${text('dev-9')} ${LOGIN}`,
    /^2003009500$/,
  ],
];
test.each(REFUSED)('%s does not end the session that is connected [MQTT-3.1.4-2]', async (_, connect, answer) => {
  const { broker: running, events } = await start();
  const old = raw('');
  await old.open(5, 'dev-9');
  const refused = raw(packetHex('10', connect));
  await refused.closed();
  expect(refused.hex).toMatch(answer);
  old.send('c000');
  await until(() => old.hex === 'd000', 'the old connection is answered');
  expect(old.isClosed).toBe(false);
  expect(running.statistics()).toMatchObject({ connections: 1, sessions: 1, connectionsRefused: 1 });
  expect(events.map(({ type }) => type)).toEqual(['connected', 'refused']);
});

/** The journal of sessions fails so many times, as a disk without room would make it. */
function breakJournal(failures: number, code: 'DISK_FULL' | 'UNAVAILABLE'): void {
  const durable = JournalSessionStore.prototype.durable;
  let left = failures;
  vi.spyOn(JournalSessionStore.prototype, 'durable').mockImplementation(function (this: JournalSessionStore) {
    left -= 1;
    return left < 0 ? durable.call(this) : Promise.reject(new FieldlineError(code, 'the journal fails'));
  });
}

async function startOnDisk(): Promise<TestBroker> {
  const folder = await mkdtemp(join(tmpdir(), 'fieldline-broker-'));
  folders.push(folder);
  return start({ dataDir: folder, limits: { appendRetryMs: 200 } });
}

const KEPT = {
  5: `00044d515454 05 c0 0000 05 11 0000ffff ${text('dev-9')} ${LOGIN}`,
  4: `00044d515454 04 c0 0000 ${text('dev-9')} ${LOGIN}`,
} as const;

const CANNOT_BE_KEPT: [version: 4 | 5, code: 'DISK_FULL' | 'UNAVAILABLE', answer: RegExp][] = [
  [5, 'DISK_FULL', /^20..0097/],
  [5, 'UNAVAILABLE', /^20..0088/],
  [4, 'DISK_FULL', /^20020003$/],
];
test.each(CANNOT_BE_KEPT)(
  'MQTT %d, %s: a session that cannot be kept is refused in words',
  async (version, code, answer) => {
    const { broker: running, events } = await startOnDisk();
    breakJournal(Number.POSITIVE_INFINITY, code);
    const client = raw(packetHex('10', KEPT[version]));
    await client.closed();
    expect(client.hex).toMatch(answer);
    expect(events.map(({ type }) => type)).toEqual(['refused']);
    expect(running.statistics()).toMatchObject({ connections: 0, sessions: 0, connectionsRefused: 1 });
  },
);

test('a journal that fails for a moment: CONNACK comes late, not never', async () => {
  const { events } = await startOnDisk();
  breakJournal(3, 'DISK_FULL');
  const client = raw(packetHex('10', KEPT[5]));
  await until(() => client.hex.startsWith('20') && client.hex.slice(4, 8) === '0000', 'CONNACK');
  expect(events.map(({ type }) => type)).toEqual(['connected']);
});
