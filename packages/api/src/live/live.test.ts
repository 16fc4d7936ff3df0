/** Live connections on a real socket: who may hear what, frames, slow and dead sessions. */
import type { Duplex } from 'node:stream';
import type { Device } from '@fieldline/catalog';
import type { LiveAck, LiveTarget, TelemetryNew } from '@fieldline/contract';
import { newId } from '@fieldline/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NOW_MS, startApi, type TestApi, type TestSocket } from '../testing/start-api.ts';

let test: TestApi;
let organizationId: string;
let siteId: string;
let device: Device;
let other: Device;
let foreign: Device;

beforeAll(async () => {
  test = await startApi();
  organizationId = (await test.catalog.addOrganization('plant')).id;
  const door = test.catalog.scoped({ organizationId, siteIds: null });
  siteId = (await door.sites.create({ name: 'north' })).id;
  ({ device } = await door.devices.create({ name: 'a', siteId }));
  ({ device: other } = await door.devices.create({ name: 'b' }));
  const foreignId = (await test.catalog.addOrganization('foreign')).id;
  ({ device: foreign } = await test.catalog
    .scoped({ organizationId: foreignId, siteIds: null })
    .devices.create({ name: 'f' }));
});
afterAll(() => test.stop());

const subscribe = (socket: TestSocket, target: LiveTarget): Promise<LiveAck> => socket.emitWithAck('subscribe', target);
const viewer = async () => test.connect(await test.tokenFor(organizationId, 'viewer'));
function next<T>(socket: TestSocket, name: string): Promise<T> {
  return new Promise((resolve) => socket.once(name as 'telemetry:new', resolve as () => void));
}
function frameOf(of: Device, values: number[], metricKey = 'temp'): void {
  test.bus.frame({
    organizationId: of.organizationId,
    deviceId: of.id,
    metricKeys: [metricKey],
    metricIndex: values.map(() => 0),
    sourceTime: values.map((_, n) => (NOW_MS + n) * 1000),
    value: values,
    quality: values.map(() => 192),
    texts: null,
  });
}
/** Asks the bus what is of interest until it is this. */
async function interestIs(expected: object): Promise<void> {
  await expect.poll(() => test.bus.interest).toEqual({ devices: [], sites: [], organizations: [], ...expected });
}

describe('the handshake', () => {
  it.each(['', 'x.y.z'])('refuses the token %j', async (token) => {
    await expect(test.connect(token)).rejects.toThrow('UNAUTHENTICATED');
  });
});

describe('subscriptions', () => {
  it('tells the bus what is looked at, and that nobody looks any more', async () => {
    const socket = await viewer();
    expect(await subscribe(socket, { deviceId: device.id })).toEqual({ ok: true });
    expect(await subscribe(socket, { siteId })).toEqual({ ok: true });
    expect(await subscribe(socket, { organizationId })).toEqual({ ok: true });
    await interestIs({ devices: [device.id], sites: [siteId], organizations: [organizationId] });
    await socket.emitWithAck('unsubscribe', { siteId });
    await interestIs({ devices: [device.id], organizations: [organizationId] });
    socket.disconnect();
    await interestIs({});
  });

  it('are refused for what is not there or not theirs, in the same words', async () => {
    const socket = await viewer();
    const missing = await subscribe(socket, { deviceId: newId() });
    const theirs = await subscribe(socket, { deviceId: foreign.id });
    expect(missing).toMatchObject({ ok: false, code: 'NOT_FOUND' });
    expect(theirs).toMatchObject({ ok: false, code: 'NOT_FOUND' });
    expect(await subscribe(socket, { organizationId: foreign.organizationId })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await subscribe(socket, { siteId: newId() })).toMatchObject({ code: 'NOT_FOUND' });
    socket.disconnect();
  });

  it.each([
    ['nothing', {}],
    ['two at once', { deviceId: 'a', siteId: 'b' }],
    ['an unknown word', { assetId: 'a' }],
    ['no text', { deviceId: { $ne: null } }],
    ['null', null],
  ])('are refused for %s', async (_, target) => {
    const socket = await viewer();
    expect(await subscribe(socket, target as LiveTarget)).toMatchObject({ ok: false, code: 'BAD_REQUEST' });
    socket.disconnect();
  });

  it('of somebody limited to a site show this site alone', async () => {
    const socket = await test.connect(await test.tokenFor(organizationId, 'viewer', [siteId]));
    expect(await subscribe(socket, { deviceId: other.id })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await subscribe(socket, { organizationId })).toEqual({ ok: true });
    const heard: string[] = [];
    socket.on('device:status', ({ deviceId }) => heard.push(deviceId));
    const status = { status: 'online', since: NOW_MS * 1000, lastSeen: null } as const;
    test.bus.status({ organizationId, deviceId: other.id, ...status });
    test.bus.status({ organizationId, deviceId: device.id, ...status });
    await expect.poll(() => heard).toEqual([device.id]);
    socket.disconnect();
  });
});

describe('a fresh token', () => {
  it.each([[{ toString: null }], [[]], [7], [null]])('that is none (%j) is refused', async (token) => {
    const socket = await viewer();
    const answer = await socket.emitWithAck('authenticate', token as unknown as string);
    expect(answer).toMatchObject({ ok: false, code: 'UNAUTHENTICATED' });
    socket.disconnect();
  });
});

describe('a device that has moved', () => {
  it('is not heard any more by somebody who may not see its new place, once they show a fresh token', async () => {
    const user = await test.catalog.addUser(organizationId, 'viewer', [siteId]);
    const credentials = { email: user.email, password: user.password };
    const login = async () => (await test.call('POST', '/api/v1/auth/login', { body: credentials })).body.accessToken;
    const door = test.catalog.scoped({ organizationId, siteIds: null });
    const { device: moving } = await door.devices.create({ name: 'm', siteId });
    const socket = await test.connect(await login());
    await subscribe(socket, { deviceId: moving.id });
    await interestIs({ devices: [moving.id] });
    await door.devices.update(moving.id, { siteId: null });
    await socket.emitWithAck('authenticate', await login());
    await interestIs({});
    socket.disconnect();
  });
});

describe('telemetry:new', () => {
  it('brings all samples of a device in columns, gathered and in order', async () => {
    const socket = await viewer();
    await subscribe(socket, { deviceId: device.id });
    const frame = next<TelemetryNew>(socket, 'telemetry:new');
    frameOf(device, [1, 2]);
    frameOf(device, [30], 'speed');
    expect(await frame).toEqual({
      organizationId,
      deviceId: device.id,
      metrics: {
        temp: { timestamps: [NOW_MS, NOW_MS + 1], values: [1, 2], quality: [192, 192] },
        speed: { timestamps: [NOW_MS], values: [30], quality: [192] },
      },
    });
    socket.disconnect();
  });

  it('thins what no screen could show, and keeps the peaks', async () => {
    const socket = await viewer();
    await subscribe(socket, { deviceId: device.id });
    const frame = next<TelemetryNew>(socket, 'telemetry:new');
    frameOf(
      device,
      Array.from({ length: 1_500 }, (_, n) => (n === 777 ? 1e6 : n % 10)),
    );
    const { values } = (await frame).metrics.temp!;
    expect(values.length).toBeLessThanOrEqual(100);
    expect(values).toContain(1e6);
    socket.disconnect();
  });

  it('brings overviews the newest value only, and devices of others nothing', async () => {
    const socket = await viewer();
    await subscribe(socket, { organizationId });
    const frame = next<TelemetryNew>(socket, 'telemetry:new');
    frameOf(foreign, [9]);
    frameOf(other, [1, 2, 3]);
    expect((await frame).deviceId).toBe(other.id);
    expect((await frame).metrics.temp).toEqual({ timestamps: [NOW_MS + 2], values: [3], quality: [192] });
    socket.disconnect();
  });
});

describe('status and events', () => {
  it('say that a device has come and gone, and why', async () => {
    const socket = await viewer();
    await subscribe(socket, { deviceId: device.id });
    const gone = next(socket, 'device:disconnected');
    const status = next(socket, 'device:status');
    const since = NOW_MS * 1000;
    test.bus.status({
      organizationId,
      deviceId: device.id,
      status: 'offline',
      since,
      lastSeen: since,
      reason: 'keep-alive',
    });
    const timestamp = '2026-05-01T12:00:00.000Z';
    expect(await status).toMatchObject({
      deviceId: device.id,
      status: 'offline',
      since: timestamp,
      lastSeen: timestamp,
    });
    expect(await gone).toEqual({ organizationId, deviceId: device.id, timestamp, reason: 'keep-alive' });
    const come = next(socket, 'device:connected');
    test.bus.status({ organizationId, deviceId: device.id, status: 'online', since, lastSeen: since });
    expect(await come).toEqual({ organizationId, deviceId: device.id, timestamp });
    socket.disconnect();
  });

  it('tell an event once, however many of its rooms a client is in', async () => {
    const socket = await viewer();
    await subscribe(socket, { organizationId });
    await subscribe(socket, { deviceId: device.id });
    const heard: string[] = [];
    socket.on('event:created', ({ id }) => heard.push(id));
    const ids = [newId(), newId()];
    for (const id of ids) {
      const type = 'DEVICE_REGISTERED' as const;
      test.bus.event({ id, organizationId, type, subjectKind: 'device', subjectId: device.id, time: 0, payload: {} });
    }
    await expect.poll(() => heard).toEqual(ids);
    socket.disconnect();
  });
});

describe('the end of a session', () => {
  it('closes its connections at once', async () => {
    const user = await test.catalog.addUser(organizationId, 'viewer');
    const { body } = await test.call('POST', '/api/v1/auth/login', {
      body: { email: user.email, password: user.password },
    });
    const socket = await test.connect(body.accessToken);
    const untouched = await viewer();
    const ended = next(socket, 'session:ended');
    const closed = next(socket, 'disconnect');
    await test.call('POST', '/api/v1/auth/logout', { body: { refreshToken: body.refreshToken } });
    expect(await ended).toEqual({ code: 'SESSION_REVOKED' });
    await closed;
    expect(untouched.connected).toBe(true);
    untouched.disconnect();
  });

  it('comes with the end of the token, unless a fresh one came before', async () => {
    const short = await startApi({ accessTokenSeconds: 2 });
    const { id } = await short.catalog.addOrganization('o');
    const user = await short.catalog.addUser(id, 'viewer');
    const credentials = { email: user.email, password: user.password };
    const login = async () => (await short.call('POST', '/api/v1/auth/login', { body: credentials })).body.accessToken;
    const [left, kept] = [await short.connect(await login()), await short.connect(await login())];
    short.clock.advanceMs(1_000);
    expect(await kept.emitWithAck('authenticate', await login())).toEqual({ ok: true });
    expect(await kept.emitWithAck('authenticate', await short.tokenFor(id, 'admin'))).toMatchObject({
      code: 'FORBIDDEN',
    });
    expect(await next(left, 'session:ended')).toEqual({ code: 'TOKEN_EXPIRED' });
    expect(kept.connected).toBe(true);
    await short.stop();
  });

  it('comes when the server stops, and nothing listens to the bus any more', async () => {
    const ending = await startApi();
    const socket = await ending.connect(
      await ending.tokenFor((await ending.catalog.addOrganization('o')).id, 'viewer'),
    );
    const ended = next(socket, 'session:ended');
    await ending.api.stop();
    expect(await ended).toEqual({ code: 'SERVER_STOPPING' });
    expect(ending.bus.listenerCount).toBe(0);
    await ending.stop();
  });

  it('comes for somebody who asks without end', async () => {
    const socket = await viewer();
    const closed = next(socket, 'disconnect');
    for (let n = 0; n < 60; n++) socket.emit('subscribe', { deviceId: device.id }, () => {});
    await closed;
  });
});

describe('a stop of the server', () => {
  it('does not wait for a client that does not read', async () => {
    const stopped = await startApi({ stopGraceMs: 100 });
    const id = (await stopped.catalog.addOrganization('plant')).id;
    const socket = await stopped.connect(await stopped.tokenFor(id, 'viewer'));
    (socket.io.engine.transport as unknown as { ws: { _socket: Duplex } }).ws._socket.pause();
    await stopped.api.stop();
    await stopped.stop();
  }, 5_000);
});
