/** Sessions as time passes, with a clock that stands still until it is told to move. */
import { ManualClock } from '@fieldline/kit';
import { beforeEach, expect, test } from 'vitest';
import { Budgets } from '../budgets.ts';
import { NO_BYTES } from '../message.ts';
import { Router } from '../router/router.ts';
import { MemorySpool } from './queue-spool.ts';
import { EXPIRY_NEVER_S, type SessionLink, type Will } from './session.ts';
import { type OpenRequest, SessionRegistry } from './session-registry.ts';
import type { SessionStore, StoredOperation } from './session-store.ts';

let clock: ManualClock;
let budgets: Budgets;
let registry: SessionRegistry;
let noted: StoredOperation[];
let wills: string[];
let expiredCount = 0;

function create(): SessionRegistry {
  const store: SessionStore = {
    open: async () => [],
    note: (operation) => noted.push(operation),
    isPending: false,
    waitingBytes: 0,
    durable: async () => {},
    close: async () => {},
  };
  const router = new Router({ store, clock, retainedBytesMax: 1000, dropped: () => {} });
  return new SessionRegistry({
    store,
    router,
    clock,
    budgets,
    queueBytesPerSessionMax: 10_000,
    spool: new MemorySpool(1_000_000),
    expired: (count) => {
      expiredCount += count;
    },
    publishWill: (_, { message }) => wills.push(message.topic),
  });
}

beforeEach(() => {
  clock = new ManualClock();
  budgets = new Budgets();
  noted = [];
  wills = [];
  expiredCount = 0;
  registry = create();
});

const link: SessionLink = { sendQos0: () => true, wake: () => {}, takenOver: () => {}, isSlow: false };

function will(topic: string, delayS: number): Will {
  const message = {
    topic,
    payload: NO_BYTES,
    qos: 0 as const,
    retain: false,
    properties: NO_BYTES,
    expiresAtMs: Number.POSITIVE_INFINITY,
  };
  return { message, delayS, expiryS: null };
}

function open(overrides: Partial<OpenRequest> = {}): ReturnType<SessionRegistry['open']> {
  const identity = { organizationId: 'o', deviceId: 'd', kind: 'device' as const };
  const opened = registry.open({
    identity,
    clientId: 'c',
    clean: false,
    expiryIntervalS: 60,
    will: null,
    ...overrides,
  });
  opened.session.connected(link);
  return opened;
}

function pass(seconds: number): void {
  clock.advanceMs(seconds * 1000);
  registry.tick();
}

test('a session is there until its expiry interval has passed, counted from the disconnection', () => {
  const { session } = open();
  pass(1_000);
  registry.disconnected(session, false);
  pass(59);
  expect(registry.count).toBe(1);
  expect(open().isPresent).toBe(true);
  registry.disconnected(session, false);
  pass(60);
  expect(registry.count).toBe(0);
  expect(open().isPresent).toBe(false);
});

test.each([
  ['0: it ends with the connection', 0, 0],
  ['never', EXPIRY_NEVER_S, 1],
])('expiry interval %s', (_, expiryIntervalS, count) => {
  registry.disconnected(open({ expiryIntervalS }).session, false);
  pass(10_000_000);
  expect(registry.count).toBe(count);
});

test('clean start ends what was there', () => {
  const { session } = open();
  session.receivedQos2.set(1, 'taken');
  registry.disconnected(session, false);
  const fresh = open({ clean: true });
  expect(fresh.isPresent).toBe(false);
  expect(fresh.session.receivedQos2.size).toBe(0);
});

test('the same client id of another principal is another session', () => {
  open();
  expect(open({ identity: { organizationId: 'o', deviceId: 'other', kind: 'device' } }).isPresent).toBe(false);
  expect(open({ identity: { organizationId: 'p', deviceId: 'd', kind: 'device' } }).isPresent).toBe(false);
  expect(registry.count).toBe(3);
});

const willCases: [name: string, delayS: number, expiryIntervalS: number, seconds: number, expected: string[]][] = [
  ['at once', 0, 60, 0, ['w']],
  ['not before its delay', 30, 60, 29, []],
  ['after its delay', 30, 60, 30, ['w']],
  ['when the session ends, if that is earlier', 30, 10, 10, ['w']],
  ['at once where the session ends with the connection', 30, 0, 0, ['w']],
];
test.each(willCases)('a will is published %s', (_, delayS, expiryIntervalS, seconds, expected) => {
  const { session } = open({ will: will('w', delayS), expiryIntervalS });
  registry.disconnected(session, true);
  pass(seconds);
  expect(wills).toEqual(expected);
  pass(1_000);
  expect(wills).toEqual(['w']);
});

test('a will is not published after DISCONNECT, nor where the client comes back before its delay', () => {
  registry.disconnected(open({ will: will('polite', 0) }).session, false);
  registry.disconnected(open({ will: will('back', 30) }).session, true);
  open();
  pass(1_000);
  expect(wills).toEqual([]);
});

test('what was noted, and the snapshot, bring the same sessions back; wills become due', () => {
  const { session } = open({ will: will('w', 5) });
  session.receivedQos2.set(7, 'taken');
  session.receivedQos2.set(8, 'routed');
  const ended = open({ clientId: 'ended' }).session;
  registry.changeExpiry(ended, 0);
  registry.disconnected(ended, false);
  const snapshot = [...registry.snapshot()].filter((operation) => operation !== null);
  for (const operations of [[...noted, { kind: 'received', key: session.key, packetIds: [7] } as const], snapshot]) {
    registry = create();
    for (const _ of registry.restoring(operations));
    expect(registry.count).toBe(1);
    const [restored] = registry.all;
    expect([...restored!.receivedQos2]).toEqual([[7, 'taken']]);
    pass(5);
    expect(wills.splice(0)).toEqual(['w']);
  }
});

test('what expires while its client is away does not stay in the queue [MQTT-3.3.2-5]', () => {
  const { session } = open();
  session.connected(link);
  registry.disconnected(session, false);
  const delivery = (id: number, expiresAtMs: number): Parameters<typeof session.outbound.offer>[0] => ({
    message: { ...will('t', 0).message, qos: 1, expiresAtMs },
    qos: 1,
    retain: false,
    subscriptionIdentifiers: [],
    id,
  });
  session.outbound.offer(delivery(1, clock.nowMs() + 1_000));
  session.outbound.offer(delivery(2, Number.POSITIVE_INFINITY));
  const before = budgets.total.queue;
  registry.expire(clock.nowMs() + 999);
  expect(expiredCount).toBe(0);
  noted = [];
  registry.expire(clock.nowMs() + 1_000);
  expect(expiredCount).toBe(1);
  expect(noted).toEqual([{ kind: 'delivered', key: session.key, id: 1 }]);
  expect(budgets.total.queue).toBe(before / 2);
  registry.end(session);
  expect(budgets.total.queue).toBe(0);
});

test('a message that waits for many stands in the snapshot once, and each gets its messages back in order', () => {
  const [one, two] = ['one', 'two'].map((clientId) => open({ clientId }).session);
  const [a, b, c] = ['a', 'b', 'c'].map((topic) => ({ ...will(topic, 0).message, qos: 1 as const }));
  for (const [session, messages] of [
    [one!, [a!, b!, c!]],
    [two!, [c!, a!]],
  ] as const) {
    for (const message of messages) {
      const id = session.nextDeliveryId();
      session.outbound.offer({ message, qos: 1, retain: false, subscriptionIdentifiers: [], id });
    }
    session.connected(link);
    registry.disconnected(session, false);
  }
  const operations = [...registry.snapshot()].filter((operation) => operation !== null);
  expect(operations.filter(({ kind }) => kind === 'queued')).toHaveLength(3);
  registry = create();
  for (const _ of registry.restoring(operations));
  const topicsOf = (clientId: string): string[] =>
    [...registry.find(one!.identity, clientId)!.outbound.unfinished()].map(({ delivery }) => delivery.message.topic);
  expect(topicsOf('one')).toEqual(['a', 'b', 'c']);
  expect(topicsOf('two')).toEqual(['c', 'a']);
});
