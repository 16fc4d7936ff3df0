/**
 * Subscriptions by their filter's levels. match() walks a topic through it and calls back once per subscription that it
 * meets; of a shared subscription one member gets the message, in turn. Pure: S is whoever subscribes.
 */
import type { QoS } from '../message.ts';
import { parseFilter } from './topic.ts';

export interface Subscription {
  /** As the client wrote it, with $share/… where it is shared. */
  readonly filter: string;
  readonly qos: QoS;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  /** 0 = none. */
  readonly identifier: number;
}

class Share<S> {
  readonly members = new Map<S, Subscription>();
  #turn = 0;

  /** The member whose turn it is; those that can take the message now go before those that cannot. */
  choose(isReady: (subscriber: S) => boolean): [S, Subscription] | undefined {
    const members = [...this.members];
    this.#turn += 1;
    for (let step = 0; step < members.length; step++) {
      const member = members[(this.#turn + step) % members.length]!;
      if (isReady(member[0])) return member;
    }
    return members[this.#turn % members.length];
  }
}

class Node<S> {
  readonly children = new Map<string, Node<S>>();
  /** Subscriptions whose filter ends here. */
  readonly subscribers = new Map<S, Subscription>();
  readonly shares = new Map<string, Share<S>>();

  get isEmpty(): boolean {
    return this.children.size === 0 && this.subscribers.size === 0 && this.shares.size === 0;
  }
}

export class SubscriptionTrie<S> {
  readonly #root = new Node<S>();
  #size = 0;

  /** Subscriptions held. */
  get size(): number {
    return this.#size;
  }

  /** Adds or replaces [MQTT-3.8.4-3]. True where the subscription is new. */
  add(subscriber: S, subscription: Subscription): boolean {
    const { share, filter } = parseFilter(subscription.filter);
    let node = this.#root;
    for (const level of filter.split('/')) {
      let child = node.children.get(level);
      if (child === undefined) {
        child = new Node();
        node.children.set(level, child);
      }
      node = child;
    }
    const members = share === null ? node.subscribers : membersOf(node, share);
    const isNew = !members.has(subscriber);
    members.set(subscriber, subscription);
    if (isNew) this.#size += 1;
    return isNew;
  }

  /** False where there was none. */
  remove(subscriber: S, text: string): boolean {
    const { share, filter } = parseFilter(text);
    const removed = removeFrom(this.#root, filter.split('/'), 0, subscriber, share);
    if (removed) this.#size -= 1;
    return removed;
  }

  /** Calls `found` for every subscription that the topic falls under. A subscriber may be met several times. */
  match(
    topic: string,
    isReady: (subscriber: S) => boolean,
    found: (subscriber: S, subscription: Subscription) => void,
  ): void {
    const levels = topic.split('/');
    // [MQTT-4.7.2-1]: wildcards in the first place do not match topics that begin with $.
    walk(this.#root, levels, 0, topic.startsWith('$'), (node) => {
      for (const [subscriber, subscription] of node.subscribers) found(subscriber, subscription);
      for (const share of node.shares.values()) {
        const member = share.choose(isReady);
        if (member !== undefined) found(member[0], member[1]);
      }
    });
  }
}

function walk<S>(
  node: Node<S>,
  levels: readonly string[],
  depth: number,
  hidden: boolean,
  visit: (node: Node<S>) => void,
): void {
  const wild = !(hidden && depth === 0);
  const rest = wild ? node.children.get('#') : undefined; // '#' also matches the parent level (4.7.1.2)
  if (rest !== undefined) visit(rest);
  if (depth === levels.length) {
    visit(node);
    return;
  }
  const exact = node.children.get(levels[depth]!);
  // Topic names hold no wildcards, so 'exact' is never '+' or '#'.
  if (exact !== undefined) walk(exact, levels, depth + 1, hidden, visit);
  const any = wild ? node.children.get('+') : undefined;
  if (any !== undefined) walk(any, levels, depth + 1, hidden, visit);
}

function membersOf<S>(node: Node<S>, name: string): Map<S, Subscription> {
  let share = node.shares.get(name);
  if (share === undefined) {
    share = new Share();
    node.shares.set(name, share);
  }
  return share.members;
}

function removeFrom<S>(
  node: Node<S>,
  levels: readonly string[],
  depth: number,
  subscriber: S,
  share: string | null,
): boolean {
  if (depth === levels.length) {
    if (share === null) return node.subscribers.delete(subscriber);
    const group = node.shares.get(share);
    const removed = group?.members.delete(subscriber) ?? false;
    if (group?.members.size === 0) node.shares.delete(share);
    return removed;
  }
  const child = node.children.get(levels[depth]!);
  if (child === undefined) return false;
  const removed = removeFrom(child, levels, depth + 1, subscriber, share);
  if (child.isEmpty) node.children.delete(levels[depth]!);
  return removed;
}
