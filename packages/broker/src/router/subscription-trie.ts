/**
 * Subscriptions by their filter's levels. match() walks a topic through it and calls back once per subscription, and once
 * per shared subscription, that it meets. What they hold is counted: a level, or a share, counts for whoever has brought it
 * in first, until it goes; a subscription for its subscriber. Pure: S is whoever subscribes.
 */
import type { Usage } from '../budgets.ts';
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

/** What one level of a filter takes, its place among the others included. */
const LEVEL_BYTES = 288;
/** What a subscription takes beside the text of its filter: itself, its places in the session and at its level. */
const SUBSCRIPTION_BYTES = 256;
/** What a shared subscription takes beside its members. */
const SHARE_BYTES = 768;

class Node<S> {
  children: Map<string, Node<S>> | null = null;
  /** Subscriptions whose filter ends here. */
  subscribers: Map<S, Subscription> | null = null;
  shares: Map<string, HeldShare<S>> | null = null;
  readonly holder: Usage | null;

  constructor(holder: Usage | null) {
    this.holder = holder;
  }

  get isEmpty(): boolean {
    return this.children === null && this.subscribers === null && this.shares === null;
  }
}

interface HeldShare<S> {
  readonly share: Share<S>;
  readonly holder: Usage | null;
}

export class SubscriptionTrie<S> {
  readonly #root = new Node<S>(null);
  #size = 0;
  #byteLength = 0;

  /** Subscriptions held. */
  get size(): number {
    return this.#size;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  /** What add() would add in bytes; 0 where it replaces. */
  bytesToAdd(subscriber: S, text: string): number {
    const { share, filter } = parseFilter(text);
    const levels = filter.split('/');
    let node: Node<S> | undefined = this.#root;
    let depth = 0;
    for (; depth < levels.length; depth++) {
      const child: Node<S> | undefined = node.children?.get(levels[depth]!);
      if (child === undefined) break;
      node = child;
    }
    const end = depth === levels.length ? node : null;
    const group = share === null ? undefined : end?.shares?.get(share)?.share;
    if (share === null ? end?.subscribers?.has(subscriber) : group?.has(subscriber)) return 0;
    const ofShare = share !== null && group === undefined ? SHARE_BYTES : 0;
    return bytesOf(text) + ofShare + (levels.length - depth) * LEVEL_BYTES;
  }

  /** Adds or replaces [MQTT-3.8.4-3]; counts for `holder`, who is the subscriber's own. True where the subscription is new. */
  add(subscriber: S, subscription: Subscription, holder: Usage | null = null): boolean {
    const { share, filter } = parseFilter(subscription.filter);
    let node = this.#root;
    for (const level of filter.split('/')) {
      node.children ??= new Map();
      let child = node.children.get(level);
      if (child === undefined) {
        child = new Node(holder);
        node.children.set(level, child);
        this.#count(holder, LEVEL_BYTES);
      }
      node = child;
    }
    let isNew: boolean;
    if (share === null) {
      node.subscribers ??= new Map();
      isNew = !node.subscribers.has(subscriber);
      node.subscribers.set(subscriber, subscription);
    } else isNew = this.#shareOf(node, share, holder).add(subscriber, subscription);
    if (isNew) {
      this.#size += 1;
      this.#count(holder, bytesOf(subscription.filter));
    }
    return isNew;
  }

  /** False where there was none. `holder` as for add(). */
  remove(subscriber: S, text: string, holder: Usage | null = null): boolean {
    const { share, filter } = parseFilter(text);
    const removed = this.#removeFrom(this.#root, filter.split('/'), 0, subscriber, share);
    if (!removed) return false;
    this.#size -= 1;
    this.#count(holder, -bytesOf(text));
    return true;
  }

  /** True where some filter begins with this level as it stands. */
  hasFirstLevel(level: string): boolean {
    return this.#root.children?.has(level) ?? false;
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
      if (node.subscribers !== null)
        for (const [subscriber, subscription] of node.subscribers) found(subscriber, subscription);
      if (node.shares !== null) for (const { share } of node.shares.values()) foundShare(share);
    });
  }

  /** The shared subscription behind this text ($share/…); null where it has no member. */
  share(text: string): Share<S> | null {
    const { share, filter } = parseFilter(text);
    let node: Node<S> | undefined = this.#root;
    for (const level of filter.split('/')) node = node?.children?.get(level);
    return (share !== null && node?.shares?.get(share)?.share) || null;
  }

  #shareOf(node: Node<S>, name: string, holder: Usage | null): Share<S> {
    node.shares ??= new Map();
    let held = node.shares.get(name);
    if (held === undefined) {
      held = { share: new Share(), holder };
      node.shares.set(name, held);
      this.#count(holder, SHARE_BYTES);
    }
    return held.share;
  }

  #removeFrom(node: Node<S>, levels: readonly string[], depth: number, subscriber: S, share: string | null): boolean {
    if (depth === levels.length) {
      return share === null ? removeSubscriber(node, subscriber) : this.#removeMember(node, share, subscriber);
    }
    const level = levels[depth]!;
    const child = node.children?.get(level);
    if (child === undefined) return false;
    const removed = this.#removeFrom(child, levels, depth + 1, subscriber, share);
    if (child.isEmpty) {
      node.children!.delete(level);
      if (node.children!.size === 0) node.children = null;
      this.#count(child.holder, -LEVEL_BYTES);
    }
    return removed;
  }

  #removeMember(node: Node<S>, name: string, subscriber: S): boolean {
    const held = node.shares?.get(name);
    if (held === undefined) return false;
    const removed = held.share.remove(subscriber);
    if (held.share.size > 0) return removed;
    node.shares!.delete(name);
    if (node.shares!.size === 0) node.shares = null;
    this.#count(held.holder, -SHARE_BYTES);
    return removed;
  }

  #count(holder: Usage | null, bytes: number): void {
    this.#byteLength += bytes;
    holder?.add('subscriptions', bytes);
  }
}

function removeSubscriber<S>(node: Node<S>, subscriber: S): boolean {
  if (node.subscribers === null || !node.subscribers.delete(subscriber)) return false;
  if (node.subscribers.size === 0) node.subscribers = null;
  return true;
}

/** Twice its length: texts beyond Latin-1 have two bytes a character. */
function bytesOf(filter: string): number {
  return SUBSCRIPTION_BYTES + filter.length * 2;
}

function walk<S>(
  node: Node<S>,
  levels: readonly string[],
  depth: number,
  hidden: boolean,
  visit: (node: Node<S>) => void,
): void {
  const wild = !(hidden && depth === 0);
  const { children } = node;
  const rest = wild ? children?.get('#') : undefined; // '#' also matches the parent level (4.7.1.2)
  if (rest !== undefined) visit(rest);
  if (depth === levels.length) {
    visit(node);
    return;
  }
  const exact = children?.get(levels[depth]!);
  // Topic names hold no wildcards, so 'exact' is never '+' or '#'.
  if (exact !== undefined) walk(exact, levels, depth + 1, hidden, visit);
  const any = wild ? children?.get('+') : undefined;
  if (any !== undefined) walk(any, levels, depth + 1, hidden, visit);
}
