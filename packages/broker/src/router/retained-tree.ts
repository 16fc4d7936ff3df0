/**
 * Retained messages by topic (MQTT 5, 3.3.1.3), with what they hold counted: the messages, and the levels of their topics.
 * A level counts for whoever has brought it in first, until it goes; a message for its publisher. Pure.
 */
import type { Usage } from '../budgets.ts';
import { type Message, messageBytes } from '../message.ts';

/** What one level of a topic takes beside the message at its end, its place among the others included. */
const LEVEL_BYTES = 288;
/** What a message that lies here takes beside messageBytes(): byte arrays of its own. */
const RETAINED_BYTES = 128;

class Node {
  children: Map<string, Node> | null = null;
  message: Message | null = null;
  /** Whom the message counts for; null = nobody. */
  publisher: Usage | null = null;
  /** Which of all set() calls has brought the message. */
  serial = 0;
  readonly holder: Usage | null;

  constructor(holder: Usage | null) {
    this.holder = holder;
  }

  get isEmpty(): boolean {
    return this.message === null && this.children === null;
  }
}

/** What a message would change: bytes in all, and of what it counts for its publisher alone. */
export interface RetainedChange {
  readonly bytes: number;
  readonly publisherBytes: number;
}

export class RetainedTree {
  readonly #root = new Node(null);
  #count = 0;
  #byteLength = 0;
  #serial = 0;

  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  /** Messages set so far: what is retained from now on has a higher number. */
  get serial(): number {
    return this.#serial;
  }

  get(topic: string): Message | null {
    return this.#find(topic)?.message ?? null;
  }

  /** The topics' own publisher, as long as something is retained there; null = nobody's, or nothing is. */
  publisherOf(topic: string): Usage | null {
    return this.#find(topic)?.publisher ?? null;
  }

  /** What set() would add (or, below 0, free) if it were called with these. */
  changeOf(message: Message, publisher: Usage | null): RetainedChange {
    const levels = message.topic.split('/');
    let depth = 0;
    let node: Node | undefined = this.#root;
    for (; depth < levels.length; depth++) {
      const child: Node | undefined = node.children?.get(levels[depth]!);
      if (child === undefined) break;
      node = child;
    }
    const added = bytesOf(message) + (levels.length - depth) * LEVEL_BYTES;
    const before = depth === levels.length ? node : null;
    const replaced = before?.message ? bytesOf(before.message) : 0;
    return {
      bytes: added - replaced,
      publisherBytes: added - (before !== null && before.publisher === publisher ? replaced : 0),
    };
  }

  /** Replaces what is retained under the message's topic; counts for `publisher`, where there is one. */
  set(message: Message, publisher: Usage | null = null): void {
    let node = this.#root;
    for (const level of message.topic.split('/')) {
      node.children ??= new Map();
      let child = node.children.get(level);
      if (child === undefined) {
        child = new Node(publisher);
        node.children.set(level, child);
        this.#add(publisher, LEVEL_BYTES);
      }
      node = child;
    }
    this.#takeMessage(node);
    node.message = message;
    node.publisher = publisher;
    this.#serial += 1;
    node.serial = this.#serial;
    this.#count += 1;
    this.#add(publisher, bytesOf(message));
  }

  remove(topic: string): boolean {
    return this.#removeFrom(this.#root, topic.split('/'), 0);
  }

  /** Messages under a filter that have not expired; those up to this serial, where one is given. */
  *match(filter: string, nowMs: number, serialMax = Number.POSITIVE_INFINITY): Generator<Message> {
    for (const { message, serial } of find(this.#root, filter.split('/'), 0)) {
      if (message !== null && serial <= serialMax && message.expiresAtMs > nowMs) yield message;
    }
  }

  *all(): Generator<Message> {
    for (const { message } of subtree(this.#root, false)) if (message !== null) yield message;
  }

  /** Removes what has expired; returns the topics. */
  expire(nowMs: number): string[] {
    const topics: string[] = [];
    for (const message of this.all()) if (message.expiresAtMs <= nowMs) topics.push(message.topic);
    for (const topic of topics) this.remove(topic);
    return topics;
  }

  #find(topic: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const level of topic.split('/')) {
      node = node.children?.get(level);
      if (node === undefined) return undefined;
    }
    return node;
  }

  #removeFrom(node: Node, levels: readonly string[], depth: number): boolean {
    if (depth === levels.length) return this.#takeMessage(node);
    const level = levels[depth]!;
    const child = node.children?.get(level);
    if (child === undefined) return false;
    const removed = this.#removeFrom(child, levels, depth + 1);
    if (child.isEmpty) {
      node.children!.delete(level);
      if (node.children!.size === 0) node.children = null;
      this.#add(child.holder, -LEVEL_BYTES);
    }
    return removed;
  }

  #takeMessage(node: Node): boolean {
    const { message, publisher } = node;
    if (message === null) return false;
    node.message = null;
    node.publisher = null;
    this.#count -= 1;
    this.#add(publisher, -bytesOf(message));
    return true;
  }

  #add(holder: Usage | null, bytes: number): void {
    this.#byteLength += bytes;
    holder?.add('retained', bytes);
  }
}

function bytesOf(message: Message): number {
  return messageBytes(message) + RETAINED_BYTES;
}

/** Nodes under a filter; maybe without a message. */
function* find(node: Node, levels: readonly string[], depth: number): Generator<Node> {
  if (depth === levels.length) {
    yield node;
    return;
  }
  const level = levels[depth]!;
  if (level === '#') {
    yield* subtree(node, depth === 0);
  } else if (level === '+') {
    for (const [name, child] of node.children ?? []) {
      if (depth > 0 || !name.startsWith('$')) yield* find(child, levels, depth + 1); // [MQTT-4.7.2-1]
    }
  } else {
    const child = node.children?.get(level);
    if (child !== undefined) yield* find(child, levels, depth + 1);
  }
}

function* subtree(node: Node, withoutDollar: boolean): Generator<Node> {
  if (node.message !== null) yield node;
  for (const [name, child] of node.children ?? [])
    if (!withoutDollar || !name.startsWith('$')) yield* subtree(child, false);
}
