/** Retained messages by topic (MQTT 5, 3.3.1.3), with their bytes counted. Pure. */
import { type Message, messageBytes } from '../message.ts';

class Node {
  readonly children = new Map<string, Node>();
  message: Message | null = null;
}

export class RetainedTree {
  readonly #root = new Node();
  #count = 0;
  #byteLength = 0;

  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  get(topic: string): Message | null {
    let node: Node | undefined = this.#root;
    for (const level of topic.split('/')) {
      node = node.children.get(level);
      if (node === undefined) return null;
    }
    return node.message;
  }

  /** Replaces what is retained under the message's topic. */
  set(message: Message): void {
    this.remove(message.topic);
    let node = this.#root;
    for (const level of message.topic.split('/')) {
      let child = node.children.get(level);
      if (child === undefined) {
        child = new Node();
        node.children.set(level, child);
      }
      node = child;
    }
    node.message = message;
    this.#count += 1;
    this.#byteLength += messageBytes(message);
  }

  remove(topic: string): boolean {
    const removed = take(this.#root, topic.split('/'), 0);
    if (removed === null) return false;
    this.#count -= 1;
    this.#byteLength -= messageBytes(removed);
    return true;
  }

  /** Messages under a filter that have not expired. */
  *match(filter: string, nowMs: number): Generator<Message> {
    for (const message of find(this.#root, filter.split('/'), 0)) {
      if (message.expiresAtMs > nowMs) yield message;
    }
  }

  all(): Generator<Message> {
    return subtree(this.#root, false);
  }

  /** Removes what has expired; returns the topics. */
  expire(nowMs: number): string[] {
    const topics: string[] = [];
    for (const message of this.all()) if (message.expiresAtMs <= nowMs) topics.push(message.topic);
    for (const topic of topics) this.remove(topic);
    return topics;
  }
}

function* find(node: Node, levels: readonly string[], depth: number): Generator<Message> {
  if (depth === levels.length) {
    if (node.message !== null) yield node.message;
    return;
  }
  const level = levels[depth]!;
  if (level === '#') {
    yield* subtree(node, depth === 0);
  } else if (level === '+') {
    for (const [name, child] of node.children) {
      if (depth > 0 || !name.startsWith('$')) yield* find(child, levels, depth + 1); // [MQTT-4.7.2-1]
    }
  } else {
    const child = node.children.get(level);
    if (child !== undefined) yield* find(child, levels, depth + 1);
  }
}

function* subtree(node: Node, withoutDollar: boolean): Generator<Message> {
  if (node.message !== null) yield node.message;
  for (const [name, child] of node.children) if (!withoutDollar || !name.startsWith('$')) yield* subtree(child, false);
}

function take(node: Node, levels: readonly string[], depth: number): Message | null {
  if (depth === levels.length) {
    const { message } = node;
    node.message = null;
    return message;
  }
  const child = node.children.get(levels[depth]!);
  if (child === undefined) return null;
  const message = take(child, levels, depth + 1);
  if (child.message === null && child.children.size === 0) node.children.delete(levels[depth]!);
  return message;
}
