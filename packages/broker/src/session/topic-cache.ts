/**
 * The topics that one connection publishes on, as bytes, string and route. A device that keeps to one topic costs a
 * comparison of bytes per packet: no string, no look-up. Bounded; when full it starts anew.
 */
import type { PublishRoute } from '../options.ts';
import { readUtf8 } from '../packets/utf8.ts';
import { checkTopicName, checkTopicSize } from '../router/topic.ts';

export interface TopicEntry {
  readonly topic: string;
  readonly bytes: Uint8Array;
  route: PublishRoute | null;
  /** Epoch of the route; see RouteEpoch. */
  epoch: number;
}

/** Counts up whenever routes may have changed; an entry of an older epoch asks again. */
export interface RouteEpoch {
  current: number;
}

export interface TopicCacheLimits {
  readonly topicLengthMax: number;
  readonly topicLevelsMax: number;
  readonly cachedTopicsMax: number;
}

export class TopicCache {
  readonly #limits: TopicCacheLimits;
  readonly #entries = new Map<string, TopicEntry>();
  #last: TopicEntry | null = null;

  constructor(limits: TopicCacheLimits) {
    this.#limits = limits;
  }

  /** The entry of the topic name in these bytes. Throws a ProtocolError where it is not a topic name. */
  find(buffer: Buffer, start: number, end: number): TopicEntry {
    const last = this.#last;
    if (last !== null && isSame(last.bytes, buffer, start, end)) return last;
    const topic = readUtf8(buffer, start, end);
    let entry = this.#entries.get(topic);
    if (entry === undefined) {
      checkTopicName(topic);
      checkTopicSize(topic, this.#limits.topicLengthMax, this.#limits.topicLevelsMax);
      entry = { topic, bytes: new Uint8Array(buffer.subarray(start, end)), route: null, epoch: -1 };
      if (this.#entries.size >= this.#limits.cachedTopicsMax) this.#entries.clear();
      this.#entries.set(topic, entry);
    }
    this.#last = entry;
    return entry;
  }
}

function isSame(bytes: Uint8Array, buffer: Buffer, start: number, end: number): boolean {
  if (bytes.length !== end - start) return false;
  // From the end: topics of one device differ there.
  for (let index = bytes.length - 1; index >= 0; index--) {
    if (bytes[index] !== buffer[start + index]) return false;
  }
  return true;
}
