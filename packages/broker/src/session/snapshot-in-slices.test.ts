/**
 * A snapshot is taken in slices while things go on. Whatever happens between two steps of it: the snapshot and the operations
 * noted since it was begun bring back the same sessions as all operations do.
 */
import { ManualClock } from '@fieldline/kit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Budgets } from '../budgets.ts';
import { NO_BYTES } from '../message.ts';
import { Router } from '../router/router.ts';
import { MemorySpool } from './queue-spool.ts';
import type { Session, SessionLink } from './session.ts';
import { SessionRegistry } from './session-registry.ts';
import type { StoredOperation } from './session-store.ts';

const link: SessionLink = { sendQos0: () => true, wake: () => {}, takenOver: () => {}, isSlow: false };

/** Sessions without sockets, and everything that was noted about them. */
class World {
  readonly noted: StoredOperation[] = [];
  readonly clock = new ManualClock();
  readonly router: Router;
  readonly registry: SessionRegistry;

  constructor() {
    const { clock, noted } = this;
    const store = {
      open: async () => [],
      note: (operation: StoredOperation) => void noted.push(operation),
      isPending: false,
      waitingBytes: 0,
      durable: async () => {},
      close: async () => {},
    };
    this.router = new Router({ store, clock, retainedBytesMax: 1_000_000, dropped: () => {} });
    this.registry = new SessionRegistry({
      store,
      router: this.router,
      clock,
      budgets: new Budgets(),
      queueBytesPerSessionMax: 20_000,
      spool: new MemorySpool(0),
      expired: () => {},
      publishWill: () => {},
    });
  }

  *snapshot(): Generator<StoredOperation | null> {
    yield* this.registry.snapshot();
    yield* this.router.snapshot();
  }

  /** What a restart would find. */
  get state(): unknown {
    const sessions = Array.from(
      this.registry.all,
      ({ key, expiryIntervalS, subscriptions, outbound, receivedQos2 }) => ({
        key,
        expiryIntervalS,
        subscriptions: [...subscriptions.values()].sort((a, b) => (a.filter < b.filter ? -1 : 1)),
        sent: outbound.sent().map(({ delivery, packetId, stage }) => ({ id: delivery.id, packetId, stage })),
        unfinished: [...outbound.unfinished()].map(({ delivery: { id, message, shared } }) => ({
          id,
          message: { ...message, payload: [...message.payload] },
          share: shared?.filter,
        })),
        received: [...receivedQos2.keys()].sort(),
      }),
    ).sort((a, b) => (a.key < b.key ? -1 : 1));
    const retained = [...this.router.snapshot()].map((operation) => JSON.stringify(operation)).sort();
    return { sessions, retained };
  }
}

type Step = (world: World) => void;

function session(world: World, clientId: string): Session | undefined {
  return world.registry.find({ organizationId: 'o', deviceId: 'd', kind: 'device' }, clientId);
}

const client = fc.constantFrom('a', 'b', 'c');
const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(client, fc.boolean()).map(([clientId, clean]) => (world: World) => {
    const identity = { organizationId: 'o', deviceId: 'd', kind: 'device' } as const;
    const opened = world.registry.open({ identity, clientId, clean, expiryIntervalS: 100, will: null });
    opened.session.connected(link);
  }),
  client.map((clientId) => (world: World) => {
    const found = session(world, clientId);
    if (found?.link != null) world.registry.disconnected(found, false);
  }),
  client.map((clientId) => (world: World) => {
    const found = session(world, clientId);
    if (found !== undefined) world.registry.end(found);
  }),
  fc.tuple(client, fc.constantFrom('t/#', 't/1', '$share/g/t/+')).map(([clientId, filter]) => (world: World) => {
    const found = session(world, clientId);
    if (found === undefined) return;
    const subscription = { filter, qos: 2, noLocal: false, retainAsPublished: false, identifier: 0 } as const;
    world.router.subscribe(found, subscription);
    world.noted.push({ kind: 'subscribed', key: found.key, subscription });
  }),
  fc
    .tuple(fc.nat(3), fc.constantFrom(1 as const, 2 as const), fc.boolean(), fc.nat(3_000))
    .map(([topic, qos, retain, length]) => (world: World) => {
      const payload = new Uint8Array(length).fill(world.noted.length % 251);
      const expiresAtMs = Number.POSITIVE_INFINITY;
      world.router.publish('o', { topic: `t/${topic}`, payload, qos, retain, properties: NO_BYTES, expiresAtMs }, null);
    }),
  client.map((clientId) => (world: World) => {
    const found = session(world, clientId);
    const work = found?.outbound.next(5, 0, () => {});
    if (found === undefined || work?.kind !== 'publish' || work.duplicate) return;
    world.noted.push({ kind: 'sent', key: found.key, id: work.delivery.id, packetId: work.packetId });
  }),
  fc.tuple(client, fc.integer({ min: 1, max: 6 })).map(([clientId, packetId]) => (world: World) => {
    const found = session(world, clientId);
    if (found === undefined) return;
    const { outbound, key } = found;
    const released = outbound.pubrec(packetId);
    if (released !== null) world.noted.push({ kind: 'released', key, id: released.id });
    const done = released === null ? outbound.puback(packetId) : null;
    if (done !== null) world.noted.push({ kind: 'delivered', key, id: done.id });
  }),
  fc.tuple(client, fc.integer({ min: 1, max: 6 })).map(([clientId, packetId]) => (world: World) => {
    const found = session(world, clientId);
    const done = found?.outbound.pubcomp(packetId);
    if (found !== undefined && done != null) world.noted.push({ kind: 'delivered', key: found.key, id: done.id });
  }),
  fc.tuple(client, fc.nat(4), fc.boolean()).map(([clientId, packetId, isNew]) => (world: World) => {
    const found = session(world, clientId);
    if (found === undefined) return;
    if (isNew) found.receivedQos2.set(packetId, 'taken');
    else found.receivedQos2.delete(packetId);
    world.noted.push(
      isNew
        ? { kind: 'received', key: found.key, packetIds: [packetId] }
        : { kind: 'completed', key: found.key, packetId },
    );
  }),
);

function restored(operations: readonly StoredOperation[]): unknown {
  const world = new World();
  for (const _ of world.registry.restoring(operations));
  return world.state;
}

test('a snapshot in slices and what was noted since are as good as everything that was noted', () => {
  const history = fc.array(steps, { maxLength: 60 });
  const meanwhile = fc.array(fc.tuple(steps, fc.nat(3)), { maxLength: 40 });
  fc.assert(
    fc.property(history, meanwhile, (before, during) => {
      const world = new World();
      for (const step of before) step(world);
      const begunAt = world.noted.length;
      const slices = world.snapshot();
      const snapshot: StoredOperation[] = [];
      const take = (): boolean => {
        const next = slices.next();
        if (next.done !== true && next.value !== null) snapshot.push(next.value);
        return next.done !== true;
      };
      for (const [step, count] of during) {
        for (let taken = 0; taken < count; taken++) take();
        step(world);
      }
      while (take());
      expect(restored([...snapshot, ...world.noted.slice(begunAt)])).toEqual(restored(world.noted));
    }),
    { numRuns: 500 },
  );
});
