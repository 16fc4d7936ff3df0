/** What retained messages and subscriptions hold is counted, levels included, and bounded by device, organisation and in all. */
import { ManualClock } from '@fieldline/kit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Budgets, type DeviceUsage } from '../budgets.ts';
import { type Message, NO_BYTES } from '../message.ts';
import type { ClientIdentity } from '../options.ts';
import { MemorySpool } from '../session/queue-spool.ts';
import { Session, sessionKey } from '../session/session.ts';
import { MemorySessionStore, type StoredOperation } from '../session/session-store.ts';
import { Router, type RouterOptions } from './router.ts';

const DEEP = '/a'.repeat(30);

class World {
  readonly budgets = new Budgets();
  readonly noted: StoredOperation[] = [];
  readonly router: Router;

  constructor(limits: Partial<RouterOptions> = {}) {
    const store = new MemorySessionStore();
    store.note = (operation?: StoredOperation) => void this.noted.push(operation!);
    this.router = new Router({
      store,
      clock: new ManualClock(),
      budgets: this.budgets,
      retainedBytesMax: 1_000_000,
      dropped: () => {},
      ...limits,
    });
  }

  session(deviceId: string, organizationId = 'org-1'): Session {
    const identity: ClientIdentity = { organizationId, deviceId, kind: 'device' };
    const session = new Session(sessionKey(identity, 'c'), 'c', identity, 1_000, new MemorySpool(0));
    session.countFor(this.device(deviceId, organizationId));
    return session;
  }

  device(deviceId: string, organizationId = 'org-1'): DeviceUsage {
    return this.budgets.device({ organizationId, deviceId, kind: 'device' });
  }

  /** True where it is retained. */
  retain(by: Session | null, topic: string, payload: string): boolean {
    const { organizationId } = by?.identity ?? { organizationId: 'org-1' };
    return this.router.publish(organizationId, message(topic, payload), by).isRetained;
  }

  retained(organizationId = 'org-1'): string[] {
    return [...this.router.snapshot()]
      .filter((operation) => operation.kind === 'retained')
      .filter((operation) => operation.organizationId === organizationId)
      .map((operation) => `${operation.message.topic}=${Buffer.from(operation.message.payload)}`);
  }

  subscribe(session: Session, filter: string): string | null {
    const full = this.router.fullFor(session, filter);
    if (full !== null) return full;
    this.router.subscribe(session, {
      filter,
      qos: 1,
      noLocal: false,
      retainAsPublished: false,
      identifier: 0,
    });
    return null;
  }
}

function message(topic: string, payload: string): Message {
  return {
    topic,
    payload: Buffer.from(payload),
    qos: 1,
    retain: true,
    properties: NO_BYTES,
    expiresAtMs: Number.POSITIVE_INFINITY,
  };
}

test('what an organisation retains takes no room from another one', () => {
  const world = new World({ retainedBytesPerOrganizationMax: 3_000 });
  const greedy = world.session('greedy', 'org-2');
  let count = 0;
  while (world.retain(greedy, `app/fill/${count}`, 'x')) count += 1;
  expect(count).toBeGreaterThan(2);
  expect(world.retain(world.session('valve'), 'app/valve', 'OPEN')).toBe(true);
});

test('one device is refused, its neighbours are not', () => {
  const world = new World({ retainedBytesPerDeviceMax: 2_000 });
  const [greedy, modest] = [world.session('greedy'), world.session('modest')];
  let count = 0;
  while (world.retain(greedy, `app/fill/${count}`, 'x')) count += 1;
  expect(world.device('greedy').retained).toBeLessThanOrEqual(2_000);
  expect(world.retain(modest, 'app/state', 'on')).toBe(true);
  expect(world.retain(null, 'app/of the platform', 'on')).toBe(true);
});

test('full: a value that is no longer replaces the one before it; a longer one takes it away', () => {
  const world = new World({ retainedBytesMax: 2_000 });
  const device = world.session('d');
  expect(world.retain(device, 'app/valve', 'OPEN')).toBe(true);
  for (let index = 0; world.retain(device, `app/fill/${index}`, 'x'); index++);
  expect(world.retain(device, 'app/valve', 'SHUT')).toBe(true);
  expect(world.retained()).toContain('app/valve=SHUT');
  expect(world.retain(device, 'app/valve', 'x'.repeat(2_000))).toBe(false);
  expect(world.retained().filter((one) => one.startsWith('app/valve'))).toEqual([]);
  expect(world.noted.at(-1)).toEqual({ kind: 'cleared', organizationId: 'org-1', topic: 'app/valve' });
  // Its levels are free, too.
  expect(world.retain(device, 'app/valve', 'OPEN')).toBe(true);
});

test('topics of many levels count for what they take, and so do filters', () => {
  const world = new World();
  const session = world.session('d');
  world.retain(session, `app${DEEP}`, 'x');
  world.subscribe(session, `app/s${DEEP}`);
  const { retained, subscriptions } = world.device('d');
  // About 240 bytes a level, seen with --expose-gc.
  expect(retained).toBeGreaterThan(31 * 240);
  expect(subscriptions).toBeGreaterThan(32 * 240);
  expect([world.router.retainedBytes, world.budgets.total.subscriptions]).toEqual([retained, subscriptions]);
});

test('subscriptions: the device, the organisation, the server; what is there already is replaced', () => {
  const filter = (index: number): string => `app/${index}${DEEP}`;
  const fill = (world: World, session: Session): string => {
    for (let index = 0; index < 100; index++) {
      const full = world.subscribe(session, filter(index));
      if (full !== null) return full;
    }
    return 'nobody';
  };
  const devices = new World({ subscriptionBytesPerDeviceMax: 50_000 });
  const session = devices.session('d');
  expect(fill(devices, session)).toBe('the device');
  expect(devices.device('d').subscriptions).toBeLessThanOrEqual(50_000);
  expect(devices.subscribe(session, filter(0))).toBe(null);
  expect(devices.subscribe(devices.session('e'), 'app/x')).toBe(null);
  const organizations = new World({ subscriptionBytesPerOrganizationMax: 50_000 });
  expect(fill(organizations, organizations.session('d'))).toBe('the organisation');
  expect(organizations.subscribe(organizations.session('d', 'org-2'), 'app/x')).toBe(null);
  const all = new World({ subscriptionBytesMax: 50_000 });
  expect(fill(all, all.session('d', 'org-2'))).toBe('the server');
});

test('after a restart retained messages count for the devices that have published them', () => {
  const before = new World();
  before.retain(before.session('d'), 'app/a/b', 'x');
  before.retain(null, 'app/c', 'x');
  const after = new World();
  for (const operation of before.router.snapshot()) {
    if (operation.kind !== 'retained') throw new Error(operation.kind);
    const { organizationId, message: kept, device } = operation;
    after.router.restoreRetained(organizationId, kept.topic, kept, device);
  }
  expect(after.device('d').retained).toBe(before.device('d').retained);
  expect(after.budgets.total.retained).toBe(before.budgets.total.retained);
});

test('whatever comes and goes: what is counted is the sum of all devices, and nothing stays behind', () => {
  const topic = fc.constantFrom('app/a', 'app/a/b', 'app/a/b/c', 'app/d', 'x');
  const filter = fc.constantFrom('app/#', 'app/a/+', '$share/g/app/a', '$share/h/app/a', 'app/a', '+/a');
  const step = fc.tuple(fc.constantFrom('d', 'e', 'f'), fc.boolean(), topic, filter, fc.constantFrom('', 'x', 'xyz'));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const world = new World({ retainedBytesMax: 3_000, retainedBytesPerDeviceMax: 2_000 });
      const sessions = new Map(['d', 'e', 'f'].map((id) => [id, world.session(id)]));
      const sum = (kind: 'retained' | 'subscriptions'): number =>
        ['d', 'e', 'f'].reduce((bytes, id) => bytes + world.device(id)[kind], 0);
      for (const [id, isPublish, on, under, payload] of steps) {
        const session = sessions.get(id)!;
        if (isPublish) world.retain(session, on, payload);
        else if (payload === '') world.router.unsubscribe(session, under);
        else world.subscribe(session, under);
        expect(sum('retained')).toBe(world.router.retainedBytes);
        expect(sum('subscriptions')).toBe(world.budgets.total.subscriptions);
        expect(world.budgets.total.retained).toBeLessThanOrEqual(3_000);
      }
      for (const session of sessions.values()) world.router.forget(session);
      for (const one of world.retained()) world.retain(sessions.get('d')!, one.split('=')[0]!, '');
      expect([sum('retained'), sum('subscriptions')]).toEqual([0, 0]);
      expect([world.router.largestOfOrganizations('retained'), world.router.subscriptionCount]).toEqual([0, 0]);
    }),
  );
});
