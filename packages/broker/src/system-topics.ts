/**
 * $SYS/broker/…: how the broker does, for those who may subscribe to it. Numbers only, and of the asking organisation alone:
 * no topic, no client, nothing of others. They are sent every systemIntervalMs where somebody subscribes, and at once to a
 * new subscription as if they were retained. '#' and '+' in the first place never match them [MQTT-4.7.2-1]; clients cannot
 * publish there.
 */
import type { Clock } from '@fieldline/kit';
import { type Message, NO_BYTES } from './message.ts';
import { RetainedTree } from './router/retained-tree.ts';
import type { Router } from './router/router.ts';
import type { Session } from './session/session.ts';

export const SYSTEM_LEVEL = '$SYS';
const ROOT = `${SYSTEM_LEVEL}/broker`;
/** Counting walks through all sessions: whoever subscribes again and again is told the same for this long. */
const COUNTED_ANEW_AFTER_MS = 1_000;

export interface SystemTopicsOptions {
  readonly router: Router;
  /** All sessions of all organisations. */
  readonly sessions: () => Iterable<Session>;
  readonly clock: Clock;
}

interface Figures {
  connected: number;
  sessions: number;
  subscriptions: number;
  queuedBytes: number;
}

export class SystemTopics {
  readonly #options: SystemTopicsOptions;
  readonly #startedMs: number;
  #figures = new Map<string, Figures>();
  #countedMs = Number.NEGATIVE_INFINITY;

  constructor(options: SystemTopicsOptions) {
    this.#options = options;
    this.#startedMs = options.clock.monotonicMs();
  }

  /** Sends the figures to everybody who has subscribed to them. */
  publish(): void {
    const { router } = this.#options;
    for (const organizationId of router.organizationsSubscribedTo(SYSTEM_LEVEL)) {
      for (const message of this.#messages(organizationId)) router.publish(organizationId, message, null);
    }
  }

  /** What a new subscription to this filter gets at once. */
  *matching(organizationId: string, filter: string): Generator<Message> {
    if (!filter.startsWith(`${SYSTEM_LEVEL}/`)) return;
    const tree = new RetainedTree();
    for (const message of this.#messages(organizationId)) tree.set(message);
    yield* tree.match(filter, 0);
  }

  #messages(organizationId: string): Message[] {
    const { router, clock } = this.#options;
    const { connected, sessions, subscriptions, queuedBytes } = this.#figuresOf(organizationId);
    const values: [topic: string, value: number][] = [
      ['uptime', Math.floor((clock.monotonicMs() - this.#startedMs) / 1000)],
      ['clients/connected', connected],
      ['clients/disconnected', sessions - connected],
      ['clients/total', sessions],
      ['subscriptions/count', subscriptions],
      ['retained messages/count', router.retainedCountOf(organizationId)],
      ['queued messages/bytes', queuedBytes],
    ];
    return values.map(([topic, value]) => ({
      topic: `${ROOT}/${topic}`,
      payload: new Uint8Array(Buffer.from(String(value))),
      qos: 0,
      retain: false,
      properties: NO_BYTES,
      expiresAtMs: Number.POSITIVE_INFINITY,
    }));
  }

  #figuresOf(organizationId: string): Figures {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#countedMs >= COUNTED_ANEW_AFTER_MS) {
      this.#figures = countAll(this.#options.sessions());
      this.#countedMs = nowMs;
    }
    return this.#figures.get(organizationId) ?? { connected: 0, sessions: 0, subscriptions: 0, queuedBytes: 0 };
  }
}

function countAll(sessions: Iterable<Session>): Map<string, Figures> {
  const all = new Map<string, Figures>();
  for (const { identity, link, subscriptions, outbound } of sessions) {
    let figures = all.get(identity.organizationId);
    if (figures === undefined) {
      figures = { connected: 0, sessions: 0, subscriptions: 0, queuedBytes: 0 };
      all.set(identity.organizationId, figures);
    }
    figures.sessions += 1;
    if (link !== null) figures.connected += 1;
    figures.subscriptions += subscriptions.size;
    figures.queuedBytes += outbound.queuedBytes;
  }
  return all;
}
