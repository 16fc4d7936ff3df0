/**
 * Subscriptions by their filter's levels. match() walks a topic through it and calls back once per subscription, and once
 * per shared subscription, that it meets. Pure: S is whoever subscribes.
 */
import type { QoS } from '../message.ts';
import { Share } from './share.ts';
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
    let isNew: boolean;
    if (share === null) {
      isNew = !node.subscribers.has(subscriber);
      node.subscribers.set(subscriber, subscription);
    } else isNew = shareOf(node, share).add(subscriber, subscription);
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

  /** True where some filter begins with this level as it stands. */
  hasFirstLevel(level: string): boolean {
    return this.#root.children.has(level);
  }

  /** Calls back for every subscription that the topic falls under. A subscriber may be met several times. */
  match(
    topic: string,
    found: (subscriber: S, subscription: Subscription) => void,
    foundShare: (share: Share<S>) => void,
  ): void {
    const levels = topic.split('/');
    // [MQTT-4.7.2-1]: wildcards in the first place do not match topics that begin with $.
    walk(this.#root, levels, 0, topic.startsWith('$'), (node) => {
      for (const [subscriber, subscription] of node.subscribers) found(subscriber, subscription);
      for (const share of node.shares.values()) foundShare(share);
    });
  }

  /** The shared subscription behind this text ($share/…); null where it has no member. */
  share(text: string): Share<S> | null {
    const { share, filter } = parseFilter(text);
    let node: Node<S> | undefined = this.#root;
    for (const level of filter.split('/')) node = node?.children.get(level);
    return (share !== null && node?.shares.get(share)) || null;
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

function shareOf<S>(node: Node<S>, name: string): Share<S> {
  let share = node.shares.get(name);
  if (share === undefined) {
    share = new Share();
    node.shares.set(name, share);
  }
  return share;
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
    const removed = group?.remove(subscriber) ?? false;
    if (group?.size === 0) node.shares.delete(share);
    return removed;
  }
  const child = node.children.get(levels[depth]!);
  if (child === undefined) return false;
  const removed = removeFrom(child, levels, depth + 1, subscriber, share);
  if (child.isEmpty) node.children.delete(levels[depth]!);
  return removed;
}
