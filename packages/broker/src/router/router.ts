/**
 * From a message to its subscribers. Every organisation has its own subscriptions and retained messages: nothing goes
 * from one to another. A message goes to each subscriber once, with the highest QoS of the subscriptions it falls under
 * and all their identifiers [MQTT-3.3.4-2]; shared subscriptions count for themselves.
 */
import type { Clock } from '@fieldline/kit';
import { Budgets, DeviceUsage, type Usage } from '../budgets.ts';
import type { Delivery, Message, QoS, SharedDelivery } from '../message.ts';
import type { RetainHandling } from '../packets/subscribe.ts';
import type { Session } from '../session/session.ts';
import {
  type SessionStore,
  type StoredDelivery,
  type StoredOperation,
  storedDelivery,
} from '../session/session-store.ts';
import { RetainedTree } from './retained-tree.ts';
import type { MemberCheck, Share } from './share.ts';
import { type Subscription, SubscriptionTrie } from './subscription-trie.ts';
import { isUnder, parseFilter } from './topic.ts';

class Room {
  readonly subscriptions = new SubscriptionTrie<Session>();
  readonly retained = new RetainedTree();
}

export type DropReason =
  | 'slow-reader'
  | 'queue-full'
  | 'expired'
  | 'packet-too-large'
  | 'retained-full'
  | 'log-failed'
  | 'not-allowed';

/** A message on its way, and where it was queued. */
class Outgoing {
  readonly message: Message;
  readonly stored: StoredDelivery[] = [];
  readonly queuedFor: Session[] = [];

  constructor(message: Message) {
    this.message = message;
  }
}

export interface RouterOptions {
  readonly store: SessionStore;
  readonly clock: Clock;
  /** Who holds what; without it nothing is counted by device. */
  readonly budgets?: Budgets;
  readonly retainedBytesMax: number;
  /** Limits that are not given are not kept. */
  readonly retainedBytesPerOrganizationMax?: number;
  readonly retainedBytesPerDeviceMax?: number;
  readonly subscriptionBytesMax?: number;
  readonly subscriptionBytesPerOrganizationMax?: number;
  readonly subscriptionBytesPerDeviceMax?: number;
  readonly dropped: (reason: DropReason, count: number) => void;
  /** Messages that a new subscription gets before the retained ones. */
  readonly standing?: (organizationId: string, filter: string) => Iterable<Message>;
  /** Something was queued for this session: whoever keeps the budgets may want room. */
  readonly queued?: (session: Session) => void;
}

export interface PublishOutcome {
  /** Subscribers that the message goes to. */
  readonly subscriberCount: number;
  /** False where the message asked to be retained and there was no room: then nothing is retained on its topic any more. */
  readonly isRetained: boolean;
}

export class Router {
  readonly #options: RouterOptions;
  readonly #rooms = new Map<string, Room>();
  readonly #budgets: Budgets;

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#budgets = options.budgets ?? new Budgets();
  }

  get subscriptionCount(): number {
    let count = 0;
    for (const room of this.#rooms.values()) count += room.subscriptions.size;
    return count;
  }

  get retainedCount(): number {
    let count = 0;
    for (const room of this.#rooms.values()) count += room.retained.count;
    return count;
  }

  retainedCountOf(organizationId: string): number {
    return this.#rooms.get(organizationId)?.retained.count ?? 0;
  }

  /** Organisations with a subscription that begins with this level. */
  *organizationsSubscribedTo(level: string): Generator<string> {
    for (const [organizationId, room] of this.#rooms) {
      if (room.subscriptions.hasFirstLevel(level)) yield organizationId;
    }
  }

  get retainedBytes(): number {
    return this.#budgets.total.retained;
  }

  /** What the organisation with the most of it holds. */
  largestOfOrganizations(kind: 'retained' | 'subscriptions'): number {
    let largest = 0;
    for (const room of this.#rooms.values()) largest = Math.max(largest, room[kind].byteLength);
    return largest;
  }

  /**
   * Hands a message to all subscribers of the organisation. `publisher` is null where the platform speaks, or a will: what is
   * retained counts for `holder`.
   */
  publish(organizationId: string, message: Message, publisher: Session | null, holder?: Usage): PublishOutcome {
    const room = this.#room(organizationId);
    const isRetained =
      !message.retain ||
      this.#retain(organizationId, room, message, holder ?? publisher?.device ?? this.#budgets.platform);
    const targets = new Map<Session, { qos: QoS; retain: boolean; identifiers: number[] }>();
    const going = new Outgoing(message);
    let subscriberCount = 0;
    const found = (session: Session, subscription: Subscription): void => {
      if (subscription.noLocal && session === publisher) return; // [MQTT-3.8.3-3]
      const retain = subscription.retainAsPublished && message.retain; // [MQTT-3.3.1-12], [-13]
      const identifiers = subscription.identifier === 0 ? [] : [subscription.identifier];
      const target = targets.get(session);
      if (target === undefined) {
        targets.set(session, { qos: subscription.qos, retain, identifiers });
      } else {
        if (subscription.qos > target.qos) target.qos = subscription.qos;
        target.retain ||= retain;
        target.identifiers.push(...identifiers);
      }
    };
    room.subscriptions.match(message.topic, found, (share) => {
      if (this.#toShare(share, going)) subscriberCount += 1;
    });
    for (const [session, target] of targets) {
      this.#deliver(session, target.qos, target.retain, target.identifiers, going);
    }
    this.#finish(going);
    return { subscriberCount: subscriberCount + targets.size, isRetained };
  }

  /** Adds or replaces a subscription. True where it is new. */
  subscribe(session: Session, subscription: Subscription): boolean {
    session.subscriptions.set(subscription.filter, subscription);
    const holder = this.#budgets.device(session.identity);
    return this.#room(session.identity.organizationId).subscriptions.add(session, subscription, holder);
  }

  /** Whose budget has no room for this subscription, in words; null where there is room, or it replaces one. */
  fullFor(session: Session, filter: string): string | null {
    const { subscriptions } = this.#room(session.identity.organizationId);
    const bytes = subscriptions.bytesToAdd(session, filter);
    if (bytes === 0) return null;
    const { subscriptionBytesMax, subscriptionBytesPerOrganizationMax, subscriptionBytesPerDeviceMax } = this.#options;
    const isOver = (held: number, most = Number.POSITIVE_INFINITY): boolean => held + bytes > most;
    if (isOver(this.#budgets.device(session.identity).subscriptions, subscriptionBytesPerDeviceMax))
      return 'the device';
    if (isOver(subscriptions.byteLength, subscriptionBytesPerOrganizationMax)) return 'the organisation';
    return isOver(this.#budgets.total.subscriptions, subscriptionBytesMax) ? 'the server' : null;
  }

  unsubscribe(session: Session, filter: string): boolean {
    session.subscriptions.delete(filter);
    session.owedRetained?.delete(filter);
    return this.#removeSubscription(session, filter);
  }

  /**
   * Owes the session what is retained under a subscription that was just made (3.3.1.3), and nothing that is retained later:
   * that comes as it is published. It is sent by sendNextRetained() as fast as the client reads, so that a hundred thousand
   * topics are neither dropped nor all waiting at once. False where there is nothing to owe.
   */
  oweRetained(session: Session, subscription: Subscription, isNew: boolean, handling: RetainHandling): boolean {
    const { share } = parseFilter(subscription.filter);
    if (share !== null || handling === 2 || (handling === 1 && !isNew)) return false;
    const { serial } = this.#room(session.identity.organizationId).retained;
    session.owedRetained ??= new Map();
    session.owedRetained.set(subscription.filter, { subscription, serialMax: serial, messages: null });
    return true;
  }

  /** From now on the session is sent what it is owed: its client knows about the subscriptions. */
  beginRetained(session: Session): void {
    if (session.owedRetained === null) return;
    const { organizationId } = session.identity;
    for (const owed of session.owedRetained.values()) {
      if (owed.messages !== null) continue;
      const { filter } = owed.subscription;
      const retained = this.#room(organizationId).retained.match(filter, this.#options.clock.nowMs(), owed.serialMax);
      owed.messages = oneAfterTheOther(this.#options.standing?.(organizationId, filter) ?? [], retained);
    }
    session.link?.wake();
  }

  /** Hands the next retained message that is owed to the session; false where there is none. */
  sendNextRetained(session: Session): boolean {
    if (session.owedRetained === null) return false;
    for (const [filter, { subscription, messages }] of session.owedRetained) {
      if (messages === null) continue;
      for (let next = messages.next(); next.done !== true; next = messages.next()) {
        const message = next.value;
        if (message.expiresAtMs <= this.#options.clock.nowMs()) continue;
        const identifiers = subscription.identifier === 0 ? [] : [subscription.identifier];
        const going = new Outgoing(message);
        this.#deliver(session, subscription.qos, true, identifiers, going);
        this.#finish(going);
        return true;
      }
      session.owedRetained.delete(filter);
      // Behind the last message's own note, so a crash between them sends again rather than nothing.
      if (session.isPersistent) this.#options.store.note({ kind: 'retained-sent', key: session.key, filter });
    }
    if (session.owedRetained.size === 0) session.owedRetained = null;
    return false;
  }

  /**
   * The connection of a member of shared subscriptions is gone: what it was not sent yet, and what of QoS 1 it has not
   * answered, goes to other members that are connected and have room (4.8.2), the rest waits until one has; `always`: the
   * session has ended, so to any other member. A QoS 2 message that was sent stays where it is [MQTT-4.8.2-4], [MQTT-4.8.2-5].
   */
  handOver(session: Session, always: boolean): void {
    const { shares } = session.outbound;
    if (shares === null || !(always || someHasRoom(shares))) return;
    session.outbound.offerShared(({ message, id, shared }) => {
      const { share, lane } = shared!;
      if (always ? share.size === 0 : !share.some(MEMBERS.hasRoom)) return false;
      lane.release();
      // First where it goes, then that it has gone: a crash between them doubles it rather than losing it.
      const going = new Outgoing(message);
      this.#toShare(share, going);
      this.#finish(going);
      if (id > 0) this.#options.store.note({ kind: 'delivered', key: session.key, id });
      return true;
    });
    if (!always) return;
    for (const { delivery } of session.outbound.unfinished()) delivery.shared?.lane.release();
  }

  /**
   * Takes away what waits for the session through filters that were taken from it, and through no other of its own: of a
   * share it goes to the other members, else to nobody, and that is counted.
   */
  takeBack(session: Session, lost: readonly string[]): void {
    const ordinary = lost.filter((filter) => parseFilter(filter).share === null);
    const kept = [...session.subscriptions.keys()].filter((filter) => parseFilter(filter).share === null);
    const taken = session.outbound.takeQueued(({ message: { topic }, shared }) => {
      if (shared !== undefined) return lost.includes(shared.filter);
      return ordinary.some((filter) => isUnder(topic, filter)) && !kept.some((filter) => isUnder(topic, filter));
    });
    let dropped = 0;
    for (const { message, id, shared } of taken) {
      shared?.lane.release();
      const going = new Outgoing(message);
      if (shared === undefined || !this.#toShare(shared.share, going)) dropped += 1;
      this.#finish(going);
      if (id > 0) this.#options.store.note({ kind: 'delivered', key: session.key, id });
    }
    if (dropped > 0) this.#options.dropped('not-allowed', dropped);
  }

  /** The shared subscription that a message came through before a restart; undefined where it is not there any more. */
  readonly sharedOf = (member: Session, filter: string, topic: string): SharedDelivery | undefined => {
    const share = this.#room(member.identity.organizationId).subscriptions.share(filter);
    return share === null ? undefined : { filter, share, lane: share.laneOf(member, topic) };
  };

  /** Takes all subscriptions of a session that ends away. */
  forget(session: Session): void {
    for (const filter of session.subscriptions.keys()) this.#removeSubscription(session, filter);
    session.subscriptions.clear();
    session.owedRetained = null;
  }

  /** Removes retained messages that have expired. */
  expire(nowMs: number): void {
    for (const room of this.#rooms.values()) room.retained.expire(nowMs);
  }

  /** Puts a retained message back after a restart; null = it was taken away. `device`: whom it counts for. */
  restoreRetained(organizationId: string, topic: string, message: Message | null, device?: string): void {
    const { retained } = this.#room(organizationId);
    if (message === null) retained.remove(topic);
    else retained.set(message, device === undefined ? this.#budgets.platform : this.#budgets.deviceOf(device));
  }

  *snapshot(): Generator<StoredOperation> {
    for (const [organizationId, room] of this.#rooms) {
      for (const message of room.retained.all())
        yield retainedOperation(organizationId, message, room.retained.publisherOf(message.topic));
    }
  }

  #retain(organizationId: string, room: Room, message: Message, holder: Usage): boolean {
    // [MQTT-3.3.1-6]: an empty payload takes the retained message away.
    const isEmpty = message.payload.length === 0;
    if (!isEmpty && this.#hasRoomFor(room, message, holder)) {
      room.retained.set(message, holder);
      this.#options.store.note(retainedOperation(organizationId, message, holder));
      return true;
    }
    if (!isEmpty) this.#options.dropped('retained-full', 1);
    // Where there is no room for the new value, the old one goes all the same: it is not what is so any more.
    if (room.retained.remove(message.topic)) {
      this.#options.store.note({ kind: 'cleared', organizationId, topic: message.topic });
    }
    return isEmpty;
  }

  /** Judged by what would change: a value that is no longer than the one it replaces always has room. */
  #hasRoomFor({ retained }: Room, message: Message, holder: Usage): boolean {
    const change = retained.changeOf(message, holder);
    const { retainedBytesMax, retainedBytesPerOrganizationMax, retainedBytesPerDeviceMax } = this.#options;
    const fits = (held: number, added: number, most = Number.POSITIVE_INFINITY): boolean =>
      added <= 0 || held + added <= most;
    return (
      fits(this.#budgets.total.retained, change.bytes, retainedBytesMax) &&
      fits(retained.byteLength, change.bytes, retainedBytesPerOrganizationMax) &&
      (holder === this.#budgets.platform || fits(holder.retained, change.publisherBytes, retainedBytesPerDeviceMax))
    );
  }

  #removeSubscription(session: Session, filter: string): boolean {
    const { subscriptions } = this.#room(session.identity.organizationId);
    return subscriptions.remove(session, filter, this.#budgets.device(session.identity));
  }

  /** False where the share has no member. */
  #toShare(share: Share<Session>, going: Outgoing): boolean {
    const { message } = going;
    const choice = share.choose(message.topic, MEMBERS);
    if (choice === null) return false;
    const { member, subscription, lane } = choice;
    const retain = subscription.retainAsPublished && message.retain;
    const identifiers = subscription.identifier === 0 ? [] : [subscription.identifier];
    this.#deliver(member, subscription.qos, retain, identifiers, going, {
      filter: subscription.filter,
      share,
      lane,
    });
    return true;
  }

  #deliver(
    session: Session,
    qosMax: QoS,
    retain: boolean,
    subscriptionIdentifiers: readonly number[],
    going: Outgoing,
    shared?: SharedDelivery,
  ): void {
    const { message } = going;
    const qos = Math.min(message.qos, qosMax) as QoS;
    const { link } = session;
    if (qos === 0) {
      // A session without a connection is not kept QoS 0 messages (4.3.1 promises none).
      const delivery: Delivery = { message, qos, retain, subscriptionIdentifiers, id: 0 };
      if (link !== null && !link.sendQos0(delivery)) this.#options.dropped('slow-reader', 1);
      return;
    }
    const isStored = session.isPersistent;
    const delivery: Delivery = {
      message,
      qos,
      retain,
      subscriptionIdentifiers,
      id: isStored ? session.nextDeliveryId() : 0,
      ...(shared && { shared }),
    };
    shared?.lane.hold();
    const dropped = session.outbound.offer(delivery);
    if (isStored && !dropped.includes(delivery)) going.stored.push(storedDelivery(session.key, delivery));
    for (const old of dropped) {
      old.shared?.lane.release();
      if (old !== delivery && old.id > 0) this.#options.store.note({ kind: 'delivered', key: session.key, id: old.id });
    }
    if (dropped.length > 0) this.#options.dropped('queue-full', dropped.length);
    going.queuedFor.push(session);
    link?.wake();
  }

  /** A message is where it goes: that is noted, and then others may have to give way to it (which is noted behind it). */
  #finish({ message, stored, queuedFor }: Outgoing): void {
    if (stored.length > 0) this.#options.store.note({ kind: 'queued', message, deliveries: stored });
    if (this.#options.queued !== undefined) for (const session of queuedFor) this.#options.queued(session);
  }

  #room(organizationId: string): Room {
    let room = this.#rooms.get(organizationId);
    if (room === undefined) {
      room = new Room();
      this.#rooms.set(organizationId, room);
    }
    return room;
  }
}

function retainedOperation(organizationId: string, message: Message, publisher: Usage | null): StoredOperation {
  const device = publisher instanceof DeviceUsage ? publisher.key : undefined;
  return { kind: 'retained', organizationId, message, ...(device !== undefined && { device }) };
}

function* oneAfterTheOther(first: Iterable<Message>, second: Iterable<Message>): Generator<Message> {
  yield* first;
  yield* second;
}

function someHasRoom(shares: ReadonlySet<Share<Session>>): boolean {
  for (const share of shares) if (share.some(MEMBERS.hasRoom)) return true;
  return false;
}

/** For shared subscriptions: nobody's queue runs over because messages of a topic are kept together. */
const MEMBERS: MemberCheck<Session> = {
  isReady: ({ link }) => link !== null && !link.isSlow,
  hasRoom: ({ link, outbound }) => link !== null && outbound.hasRoom,
};
