/**
 * All connections of /live, also those that have not said who they are: looked after once a second, so that clients that do not
 * read hold a bounded amount of memory; gauges of what is held and what may be.
 */
import type { Metrics } from '@fieldline/kit';
import type { Server } from 'socket.io';
import type { ApiSettings } from '../settings.ts';
import { BacklogBudget } from './backlog.ts';
import { ConnectionWatch, type EngineSocket, type WatchLimits } from './connection-watch.ts';

const LOOK_INTERVAL_MS = 1_000;

export class Watches {
  readonly backlog: BacklogBudget;
  readonly #limits: WatchLimits;
  readonly #watches = new Map<EngineSocket, ConnectionWatch>();
  readonly #timer: NodeJS.Timeout;

  /** `largestBacklog` tells what the client with the most of it holds. */
  constructor(
    engine: Server['engine'],
    settings: ApiSettings,
    metrics: Metrics,
    monotonicMs: () => number,
    largestBacklog: () => number,
  ) {
    this.backlog = new BacklogBudget(settings.liveBacklogBytesMax, settings.liveBacklogBytesPerClientMax);
    this.#limits = {
      unreadBytesPerClientMax: settings.liveUnreadBytesPerClientMax,
      unreadBytesMax: settings.liveUnreadBytesMax,
      stalledTimeoutMs: settings.liveStalledTimeoutMs,
    };
    engine.on('connection', (connection: EngineSocket) => {
      this.#watches.set(connection, new ConnectionWatch(connection, this.#limits));
      connection.request.socket.once('close', () => this.#watches.delete(connection));
    });
    const ended = metrics.counter('ws_clients_ended_total', 'Live connections that the server has cut', ['reason']);
    this.#timer = setInterval(() => {
      const now = monotonicMs();
      const total = this.#unreadTotal();
      for (const watch of this.#watches.values()) {
        if (!watch.isStalled(now, total)) continue;
        ended.inc({ reason: 'not-reading' });
        watch.cut();
      }
    }, LOOK_INTERVAL_MS);
    this.#registerGauges(metrics, largestBacklog);
  }

  /** The watch of an open connection; undefined where it has closed. */
  of(connection: EngineSocket): ConnectionWatch | undefined {
    return this.#watches.get(connection);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #unreadTotal(): number {
    let total = 0;
    for (const { unreadBytes } of this.#watches.values()) total += unreadBytes;
    return total;
  }

  #registerGauges(metrics: Metrics, largestBacklog: () => number): void {
    const labels = ['budget', 'scope'] as const;
    const { backlog } = this;
    metrics.gauge('ws_budget_used_bytes', 'Bytes held for live clients; client: by the largest', labels, (gauge) => {
      let largest = 0;
      for (const { unreadBytes } of this.#watches.values()) largest = Math.max(largest, unreadBytes);
      gauge.set({ budget: 'unread', scope: 'total' }, this.#unreadTotal());
      gauge.set({ budget: 'unread', scope: 'client' }, largest);
      gauge.set({ budget: 'backlog', scope: 'total' }, backlog.bytes);
      gauge.set({ budget: 'backlog', scope: 'client' }, largestBacklog());
    });
    metrics.gauge('ws_budget_limit_bytes', 'Most bytes that may be held for live clients', labels, (gauge) => {
      gauge.set({ budget: 'unread', scope: 'total' }, this.#limits.unreadBytesMax);
      gauge.set({ budget: 'unread', scope: 'client' }, this.#limits.unreadBytesPerClientMax);
      gauge.set({ budget: 'backlog', scope: 'total' }, backlog.bytesMax);
      gauge.set({ budget: 'backlog', scope: 'client' }, backlog.bytesPerClientMax);
    });
    const leftOut = 'What clients that did not read were not sent; they are told so';
    metrics.gauge('ws_left_out', leftOut, ['what'], (gauge) => {
      gauge.set({ what: 'samples' }, backlog.samplesLeftOut);
      gauge.set({ what: 'news' }, backlog.newsLeftOut);
    });
  }
}
