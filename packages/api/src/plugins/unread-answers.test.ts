/** Callers that do not read their answers, over real sockets: bounded, cut off, and others are answered. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import type { ApiSettings } from '../settings.ts';
import { startApi, type TestApi } from '../testing/start-api.ts';

const MEBIBYTE = 1024 * 1024;
/** More than the kernel takes for one connection. */
const ANSWER_BYTES = 16 * MEBIBYTE;

let test: TestApi;
let token: string;
let path: string;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await test.stop();
});

async function start(settings: Partial<ApiSettings>): Promise<void> {
  test = await startApi(settings);
  const organizationId = (await test.catalog.addOrganization('plant')).id;
  token = await test.tokenFor(organizationId, 'viewer');
  const { device } = await test.catalog.scoped({ organizationId, siteIds: null }).devices.create({ name: 'a' });
  const { id } = await test.catalog.addSeries(device, 'large');
  test.store.put(id, [[test.clock.nowMicros() - 1, 'x'.repeat(ANSWER_BYTES)]]);
  path = `/api/v1/telemetry/device/${device.id}/latest`;
}

/** Asks so many times without waiting and reads nothing. */
async function ask(times = 1, of = path): Promise<Socket> {
  const socket = connect(Number(new URL(test.url).port), '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {}); // It is cut off on purpose.
  socket.pause();
  await once(socket, 'connect');
  socket.write(`GET ${of} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`.repeat(times));
  return socket;
}

async function metric(name: string): Promise<number> {
  const text = (await test.call('GET', '/metrics')).body as string;
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')[1] ?? 0,
  );
}
const unreadBytes = (): Promise<number> => metric('api_unread_answer_bytes');

it('an answer of which nothing is read for too long is cut off', async () => {
  await start({ answerStalledTimeoutMs: 300 });
  await ask();
  await expect.poll(unreadBytes, { timeout: 10_000 }).toBeGreaterThan(ANSWER_BYTES - 1);
  await expect.poll(unreadBytes, { timeout: 10_000 }).toBe(0);
  expect(await metric('api_answers_cut_total')).toBe(1);
});

it('one that is read slowly is not', async () => {
  await start({ answerStalledTimeoutMs: 500 });
  const socket = await ask();
  await expect.poll(unreadBytes, { timeout: 10_000 }).toBeGreaterThan(0);
  let read = 0;
  socket.on('data', (chunk) => {
    read += chunk.length;
    socket.pause();
    setTimeout(() => socket.resume(), 2);
  });
  socket.resume();
  await expect.poll(() => read, { timeout: 10_000 }).toBeGreaterThan(ANSWER_BYTES);
  expect(await metric('api_answers_cut_total')).toBe(0);
}, 15_000);

it('in all no more is held than may be: further large answers are refused, small ones are given', async () => {
  await start({ unreadAnswerBytesMax: 3.5 * ANSWER_BYTES });
  for (let index = 0; index < 3; index++) await ask();
  await expect.poll(unreadBytes, { timeout: 10_000 }).toBeGreaterThan(3 * ANSWER_BYTES);
  const refused = await test.call('GET', path, { token });
  expect(refused.status).toBe(429);
  expect(refused.headers.get('retry-after')).toBe('5');
  expect((await test.call('GET', '/api/v1/auth/me', { token })).status).toBe(200);
  for (const socket of sockets.splice(0)) socket.destroy();
  await expect.poll(unreadBytes, { timeout: 10_000 }).toBe(0);
  expect((await test.call('GET', path, { token })).status).toBe(200);
});

it('whoever has had an answer for a while without reading makes room for others', async () => {
  await start({ unreadAnswerBytesMax: 1.5 * ANSWER_BYTES });
  const slow = await ask();
  await expect.poll(unreadBytes, { timeout: 10_000 }).toBeGreaterThan(ANSWER_BYTES);
  await expect
    .poll(async () => (await test.call('GET', path, { token })).status, { timeout: 10_000, interval: 500 })
    .toBe(200);
  slow.resume();
  await once(slow, 'close');
}, 15_000);

it('a connection that asks on and on is answered so much and no more', async () => {
  await start({ requestsPerConnectionMax: 4, unreadAnswerBytesPerConnectionMax: 2.5 * ANSWER_BYTES });
  const socket = await ask(200);
  await expect.poll(unreadBytes, { timeout: 10_000 }).toBeGreaterThan(ANSWER_BYTES);
  expect(await unreadBytes()).toBeLessThan(2.5 * ANSWER_BYTES);
  let heard = '';
  socket.on('data', (chunk) => {
    heard += chunk.toString('latin1').replaceAll(/x{100,}/g, '');
  });
  socket.resume();
  await expect.poll(() => heard.match(/HTTP\/1.1 429/g)?.length ?? 0, { timeout: 10_000 }).toBe(198);
}, 20_000);
