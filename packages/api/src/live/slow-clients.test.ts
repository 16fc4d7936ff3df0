/** Clients of /live that do not read, on real sockets whose buffers are full: bounded, told, ended, and nobody else waits. */
import type { Duplex } from 'node:stream';
import type { Device } from '@fieldline/catalog';
import type { LiveLagged } from '@fieldline/contract';
import { newId } from '@fieldline/model';
import { afterEach, expect, it } from 'vitest';
import type { ApiSettings } from '../settings.ts';
import { NOW_MS, startApi, type TestApi, type TestSocket } from '../testing/start-api.ts';

/** The client's side of the connection (ws), where reading can be stopped. */
interface ClientWebSocket {
  readonly _socket: Duplex & { bytesWritten: number };
  readonly bufferedAmount: number;
  ping(data: Buffer): void;
}

let test: TestApi;
let organizationId: string;
let device: Device;

afterEach(() => test.stop());

async function start(settings: Partial<ApiSettings> = {}): Promise<void> {
  test = await startApi(settings);
  organizationId = (await test.catalog.addOrganization('plant')).id;
  ({ device } = await test.catalog.scoped({ organizationId, siteIds: null }).devices.create({ name: 'a' }));
}

async function viewer(): Promise<TestSocket> {
  const socket = await test.connect(await test.tokenFor(organizationId, 'viewer'));
  await socket.emitWithAck('subscribe', { deviceId: device.id });
  return socket;
}

const webSocketOf = (socket: TestSocket): ClientWebSocket =>
  (socket.io.engine.transport as unknown as { ws: ClientWebSocket }).ws;
const pause = (socket: TestSocket): unknown => webSocketOf(socket)._socket.pause();
const resume = (socket: TestSocket): unknown => webSocketOf(socket)._socket.resume();

function frameOf(metricKey: string, values: number[]): void {
  test.bus.frame({
    organizationId,
    deviceId: device.id,
    metricKeys: [metricKey],
    metricIndex: values.map(() => 0),
    sourceTime: values.map((_, n) => (NOW_MS + n) * 1000),
    value: values,
    quality: values.map(() => 192),
    texts: null,
  });
}

const FILLER = Array.from({ length: 100 }, () => Math.PI);

/** Frames of some 150 KB, each with its number, as fast as `fast` gets them. */
async function fill(fast: TestSocket, count: number): Promise<void> {
  for (let number = 0; number < count; number++) {
    const arrived = new Promise((resolve) => fast.once('telemetry:new', resolve));
    for (let metric = 0; metric < 40; metric++) frameOf(`filler ${metric}`, FILLER);
    frameOf('sequence', [number]);
    await arrived;
  }
}

/** What a client hears: the numbers of the samples, how many frames, and what it is told. */
function ear(socket: TestSocket): { numbers: number[]; frames: number; notices: LiveLagged[] } {
  const heard = { numbers: [] as number[], frames: 0, notices: [] as LiveLagged[] };
  socket.on('telemetry:new', ({ metrics }) => {
    heard.frames += 1;
    heard.numbers.push(...((metrics.sequence?.values ?? []) as number[]));
  });
  socket.on('live:lagged', (notice) => heard.notices.push(notice));
  return heard;
}

/** A value of /metrics, by the start of its line. */
async function metric(line: string): Promise<number> {
  const text = (await test.call('GET', '/metrics')).body as string;
  const found = text.split('\n').find((row) => row.startsWith(line));
  return found === undefined ? 0 : Number(found.split(' ').at(-1));
}
const held = (budget: string, scope: string): Promise<number> =>
  metric(`ws_budget_used_bytes{budget="${budget}",scope="${scope}"}`);

const SENT = 100;

it('samples wait, merged, and nobody else waits for them', async () => {
  await start({ liveBacklogBytesPerClientMax: 64 * 1024 * 1024, liveBacklogBytesMax: 64 * 1024 * 1024 });
  const [slow, fast] = [await viewer(), await viewer()];
  const heard = ear(slow);
  pause(slow);
  await fill(fast, SENT);
  resume(slow);
  await expect.poll(() => heard.numbers.includes(SENT - 1)).toBe(true);
  expect(heard.frames).toBeLessThan(SENT);
  expect(heard.notices).toEqual([]);
  expect([...heard.numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: SENT }, (_, n) => n));
});

it('the oldest samples are left out where too many wait, and the client is told which', async () => {
  await start();
  const [slow, fast] = [await viewer(), await viewer()];
  const heard = ear(slow);
  pause(slow);
  await fill(fast, SENT);
  expect(await held('backlog', 'client')).toBeLessThanOrEqual(256 * 1024);
  expect(await held('backlog', 'client')).toBeGreaterThan(100 * 1024);
  expect(await held('unread', 'client')).toBeGreaterThan(0);
  resume(slow);
  await expect.poll(() => heard.numbers.includes(SENT - 1)).toBe(true);
  expect(heard.numbers.length).toBeLessThan(SENT);
  const [notice] = heard.notices;
  expect(heard.notices).toHaveLength(1);
  expect(notice).toMatchObject({ deviceIds: [device.id], news: 0, since: '2026-05-01T12:00:00.000Z' });
  expect(notice!.samples).toBe((SENT - heard.numbers.length) * (40 * FILLER.length + 1));
  expect(await metric('ws_left_out{what="samples"}')).toBe(notice!.samples);
  await expect.poll(() => held('backlog', 'total')).toBe(0);
});

it('what waits for all of them together is bounded, too', async () => {
  await start({ liveBacklogBytesMax: 900 * 1024 });
  const fast = await viewer();
  const slow = await Promise.all(Array.from({ length: 5 }, viewer));
  for (const socket of slow) pause(socket);
  await fill(fast, SENT);
  // One frame may come on top of each share.
  expect(await held('backlog', 'total')).toBeLessThanOrEqual(900 * 1024 + 5 * 150 * 1024);
  const heard = slow.map(ear);
  for (const socket of slow) resume(socket);
  await expect.poll(() => heard.every(({ numbers }) => numbers.includes(SENT - 1))).toBe(true);
  expect(heard.every(({ notices }) => notices.length === 1)).toBe(true);
});

it('status changes and events wait behind what is unread; the oldest give way', async () => {
  await start();
  const [slow, fast] = [await viewer(), await viewer()];
  const heard = ear(slow);
  pause(slow);
  await fill(fast, SENT);
  const events: string[] = [];
  slow.on('event:created', ({ id }) => events.push(id));
  const ids = Array.from({ length: 2_000 }, () => newId());
  for (const id of ids) {
    const type = 'DEVICE_REGISTERED' as const;
    test.bus.event({ id, organizationId, type, subjectKind: 'device', subjectId: device.id, time: 0, payload: {} });
  }
  expect(await held('backlog', 'client')).toBeLessThanOrEqual(256 * 1024);
  resume(slow);
  await expect.poll(() => events.at(-1)).toBe(ids.at(-1));
  expect(events).toEqual(ids.slice(-events.length));
  expect(heard.notices[0]!.news).toBe(ids.length - events.length);
  expect(events.length).toBeGreaterThan(200);
});

it('whoever has read nothing for too long is cut off, and what it held is free', async () => {
  await start();
  const [slow, fast] = [await viewer(), await viewer()];
  pause(slow);
  await fill(fast, SENT);
  await expect
    .poll(
      () => {
        test.clock.advanceMs(10_000);
        return metric('ws_clients_ended_total{reason="not-reading"}');
      },
      { timeout: 10_000, interval: 300 },
    )
    .toBe(1);
  await expect.poll(() => metric('ws_connected_clients')).toBe(1);
  expect(await held('backlog', 'total')).toBe(0);
  expect(await held('unread', 'total')).toBe(0);
  expect(fast.connected).toBe(true);
});

it('a client that sends pings and reads no answers is not read any more', async () => {
  await start();
  const [rude, other] = [await viewer(), await viewer()];
  const webSocket = webSocketOf(rude);
  pause(rude);
  const data = Buffer.alloc(125);
  // Until the server reads no more of it: the client's own buffer stays as it is, second after second.
  await expect
    .poll(
      async () => {
        for (let count = 0; count < 100_000; count++) webSocket.ping(data);
        const before = webSocket.bufferedAmount;
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        return webSocket.bufferedAmount === before;
      },
      { timeout: 25_000, interval: 0 },
    )
    .toBe(true);
  expect(await held('unread', 'client')).toBeLessThan(2 * 1024 * 1024);
  expect(await other.emitWithAck('unsubscribe', { deviceId: device.id })).toEqual({ ok: true });
}, 30_000);
