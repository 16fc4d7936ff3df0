/** A queue whose middle lies in a file behaves as an array does, however it is walked through. */
import { existsSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, silentLogger } from '@fieldline/kit';
import fc from 'fast-check';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { type Delivery, messageBytes, type SharedDelivery } from '../message.ts';
import { Share } from '../router/share.ts';
import { until } from '../testing/harness.ts';
import { DeliveryQueue } from './delivery-queue.ts';
import { FileSpool } from './queue-spool.ts';

const folder = mkdtempSync(join(tmpdir(), 'fieldline-spool-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'queues.spool');
const MANY = 1_000_000_000;
const errors: object[] = [];
const logger: Logger = { ...silentLogger, error: (fields: object) => void errors.push(fields) };

let spool: FileSpool;
let lastId = 0;

beforeEach(() => {
  spool = new FileSpool(path, MANY, logger);
  spool.open();
  errors.length = 0;
});
afterEach(() => spool.close());

const shared: SharedDelivery = {
  filter: '$share/g/#',
  share: new Share(),
  lane: { hold: () => {}, release: () => {} },
};

function delivery(bytes: number, more: { isShared?: boolean; expiresAtMs?: number } = {}): Delivery {
  lastId += 1;
  const message = {
    topic: `app/${'ü'.repeat(lastId % 3)}`,
    payload: new Uint8Array(bytes).fill(lastId % 251),
    qos: (1 + (lastId % 2)) as 1 | 2,
    retain: lastId % 3 === 0,
    properties: new Uint8Array(lastId % 5).fill(7),
    expiresAtMs: more.expiresAtMs ?? Number.POSITIVE_INFINITY,
  };
  const subscriptionIdentifiers = lastId % 2 === 0 ? [] : [1, 268_435_455];
  const one = { message, qos: 1 as const, retain: lastId % 7 === 0, subscriptionIdentifiers, id: lastId };
  return more.isShared === true ? { ...one, shared } : one;
}

/** Comparable, whether its bytes are a view or not. */
function plain({ message, ...rest }: Delivery): unknown {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  return { ...rest, ...message, payload: hex(message.payload), properties: hex(message.properties) };
}

const step = fc.oneof(
  fc.record({
    kind: fc.constant('push' as const),
    bytes: fc.oneof(fc.nat(200), fc.nat(90_000)),
    isShared: fc.boolean(),
    expiresAtMs: fc.constantFrom(10, 20, Number.POSITIVE_INFINITY),
  }),
  fc.record({ kind: fc.constant('shift' as const), count: fc.nat(8) }),
  fc.constant({ kind: 'expire' as const }),
  fc.constant({ kind: 'hand over' as const }),
  fc.constant({ kind: 'snapshot' as const }),
  fc.constant({ kind: 'written' as const }),
);

test('as an array, whatever happens in whatever order; snapshots show the moment at which they were begun', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.boolean(), async (steps, isCrowded) => {
      const own = new FileSpool(join(folder, 'own.spool'), isCrowded ? 0 : MANY, silentLogger);
      own.open();
      const queue = new DeliveryQueue(own);
      let model: Delivery[] = [];
      const snapshots: { expected: unknown[]; walk: ReturnType<typeof queue.snapshot>; seen: unknown[] }[] = [];
      for (const one of steps) {
        if (one.kind === 'push') {
          const pushed = delivery(one.bytes, one);
          queue.push(pushed);
          model.push(pushed);
        } else if (one.kind === 'shift') {
          for (let index = 0; index < one.count; index++) {
            const [expected] = model.splice(0, 1);
            const shifted = queue.shift();
            expect(shifted && plain(shifted)).toEqual(expected && plain(expected));
          }
        } else if (one.kind === 'expire') {
          const taken = queue.take(
            ({ message }) => message.expiresAtMs <= 10,
            (run) => run.nextExpiryMs <= 10,
          );
          expect(taken.map(plain)).toEqual(model.filter(({ message }) => message.expiresAtMs <= 10).map(plain));
          model = model.filter(({ message }) => message.expiresAtMs > 10);
        } else if (one.kind === 'hand over') {
          const isTaken = (other: Delivery): boolean => other.shared !== undefined && other.id % 2 === 0;
          const taken = queue.take(isTaken, (run) => run.shared.length > 0);
          expect(taken.map(plain)).toEqual(model.filter(isTaken).map(plain));
          model = model.filter((other) => !isTaken(other));
        } else if (one.kind === 'snapshot') {
          const walk = queue.snapshot();
          const first = walk.next();
          const seen = first.done === true ? [] : [plain(first.value.delivery)];
          snapshots.push({ expected: model.map(plain), walk, seen });
        } else await new Promise((resolve) => setImmediate(resolve));
        expect(queue.count).toBe(model.length);
        expect(queue.byteLength).toBe(model.reduce((sum, { message }) => sum + messageBytes(message), 0));
      }
      for (const { expected, walk, seen } of snapshots) {
        for (const { delivery: one } of walk) seen.push(plain(one));
        expect(seen).toEqual(expected);
      }
      queue.clear();
      expect(own.objectBytes).toBe(0);
      await until(() => own.fileBytes === 0, 'every block is free again');
      await own.close();
    }),
    { numRuns: 100 },
  );
});

test('a long queue lies in the file, little of it is held as objects; what is fetched frees the file', async () => {
  const queue = new DeliveryQueue(spool);
  for (let index = 0; index < 20_000; index++) queue.push(delivery(500));
  expect(spool.objectBytes).toBeLessThan(150_000);
  await until(() => existsSync(path) && statSync(path).size > 10_000_000, 'it is in the file');
  for (let index = 0; index < 20_000; index++) expect(queue.shift()!.id).toBe(lastId - 20_000 + index + 1);
  expect(queue.shift()).toBeUndefined();
  await until(() => spool.fileBytes === 0 && statSync(path).size === 0, 'the file is empty');
});

test('no file to be had: it is told once, and everything waits in memory', async () => {
  const warnings: object[] = [];
  const nowhere = new FileSpool(join(folder, 'missing', 'queues.spool'), MANY, {
    ...silentLogger,
    warn: (fields: object) => void warnings.push(fields),
  });
  nowhere.open();
  const queue = new DeliveryQueue(nowhere);
  for (let index = 0; index < 1_000; index++) queue.push(delivery(500));
  for (let index = 0; index < 1_000; index++) expect(queue.shift()!.id).toBe(lastId - 999 + index);
  expect(warnings).toEqual([expect.objectContaining({ error: expect.stringContaining('ENOENT') })]);
  await nowhere.close();
});

test.each([
  ['changed', () => writeFileSync(path, Buffer.alloc(64 * 1024, 1), { flag: 'r+' }), 'have changed on the disk'],
  ['cut off', () => truncateSync(path, 100), 'is cut off'],
])('a file that is %s: told, and never served as truth', async (_, injure, reason) => {
  const queue = new DeliveryQueue(spool);
  const first = delivery(60_000);
  queue.push(first);
  for (let index = 0; index < 60; index++) queue.push(delivery(1_000));
  const count = queue.count;
  await until(() => existsSync(path) && statSync(path).size > 40_000, 'a run is in the file');
  await new Promise((resolve) => setTimeout(resolve, 50));
  injure();
  let served = 0;
  while (queue.shift() !== undefined) served += 1;
  expect(served).toBeLessThan(count);
  expect(errors).toEqual([expect.objectContaining({ count: count - served, error: expect.stringContaining(reason) })]);
  expect([queue.count, queue.byteLength, spool.objectBytes]).toEqual([0, 0, 0]);
});
