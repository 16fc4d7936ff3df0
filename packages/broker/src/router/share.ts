/**
 * One shared subscription (MQTT 5, 4.8.2): its members, and which of them gets the next message. Fair: members take turns,
 * those that can take a message now before those that cannot. In order: while a member has unanswered messages of a topic,
 * the following ones of that topic go to it, too, so that one device's messages are never worked on by two at a time. It is
 * passed over only where it is gone or has no room. Pure: S is whoever subscribes.
 */
import type { Subscription } from './subscription-trie.ts';

/** What a share asks about its members. */
export interface MemberCheck<S> {
  /** Is connected and keeps up. */
  isReady(member: S): boolean;
  /** Is connected and has room for messages that wait. */
  hasRoom(member: S): boolean;
}

/** The unanswered messages of one topic at one member. */
export interface Lane {
  /** One more was handed to the member. */
  hold(): void;
  /** One is done: answered, dropped, expired or handed to another member. */
  release(): void;
}

class TopicLane<S> implements Lane {
  readonly member: S;
  readonly #lanes: Map<string, TopicLane<S>>;
  readonly #topic: string;
  #count = 0;

  constructor(member: S, topic: string, lanes: Map<string, TopicLane<S>>) {
    this.member = member;
    this.#topic = topic;
    this.#lanes = lanes;
  }

  hold(): void {
    this.#count += 1;
    this.#lanes.set(this.#topic, this);
  }

  release(): void {
    this.#count -= 1;
    // Another member may have taken the topic over since.
    if (this.#count === 0 && this.#lanes.get(this.#topic) === this) this.#lanes.delete(this.#topic);
  }
}

export interface Choice<S> {
  readonly member: S;
  readonly subscription: Subscription;
  /** To be held for a message that is answered (QoS 1 and 2). */
  readonly lane: Lane;
}

export class Share<S> {
  readonly #members = new Map<S, Subscription>();
  /** As many at most as there are unanswered messages. */
  readonly #lanes = new Map<string, TopicLane<S>>();
  #ring: S[] = [];
  #turn = 0;

  get size(): number {
    return this.#members.size;
  }

  /** Topics whose messages stay with one member at the moment. */
  get laneCount(): number {
    return this.#lanes.size;
  }

  some(isFit: (member: S) => boolean): boolean {
    return this.#ring.some(isFit);
  }

  has(member: S): boolean {
    return this.#members.has(member);
  }

  /** Adds or replaces; true where the member is new. */
  add(member: S, subscription: Subscription): boolean {
    const isNew = !this.#members.has(member);
    this.#members.set(member, subscription);
    this.#ring = [...this.#members.keys()];
    return isNew;
  }

  remove(member: S): boolean {
    const removed = this.#members.delete(member);
    this.#ring = [...this.#members.keys()];
    return removed;
  }

  /** Who gets a message on this topic; null where there is no member. */
  choose(topic: string, check: MemberCheck<S>): Choice<S> | null {
    const lane = this.#lanes.get(topic);
    const kept = lane !== undefined && this.#members.has(lane.member) ? lane.member : null;
    const member =
      kept !== null && check.hasRoom(kept)
        ? kept
        : (this.#next((candidate) => check.isReady(candidate) && check.hasRoom(candidate)) ??
          this.#next((candidate) => check.hasRoom(candidate)) ??
          // Nobody has room: then it waits where the topic's messages before it wait.
          kept ??
          this.#next(() => true));
    if (member === null) return null;
    return { member, subscription: this.#members.get(member)!, lane: this.laneOf(member, topic) };
  }

  /** The lane of a topic's messages that this member has already; to be held for each. */
  laneOf(member: S, topic: string): Lane {
    const lane = this.#lanes.get(topic);
    return lane?.member === member ? lane : new TopicLane(member, topic, this.#lanes);
  }

  #next(isFit: (member: S) => boolean): S | null {
    for (let step = 1; step <= this.#ring.length; step++) {
      const index = (this.#turn + step) % this.#ring.length;
      if (!isFit(this.#ring[index]!)) continue;
      this.#turn = index;
      return this.#ring[index]!;
    }
    return null;
  }
}
