/** What a simulation has done so far: counts, and how long acknowledgements took. */

/** Upper ends of the latency classes, each a tenth above the last: 0.1 ms to about 10 minutes. */
const CLASSES = 165;
const FIRST_MS = 0.1;
const GROWTH = 1.1;

export interface StatisticsSnapshot {
  readonly devices: number;
  readonly connected: number;
  readonly sentMessages: number;
  readonly sentSamples: number;
  readonly acknowledgedMessages: number;
  /** Refused by the broker, with a reason code. */
  readonly failedMessages: number;
  /** Given up because a buffer was full, or on purpose (dropRatio). */
  readonly droppedMessages: number;
  readonly bufferedMessages: number;
  readonly latencyP50Ms: number;
  readonly latencyP95Ms: number;
}

export class Statistics {
  devices = 0;
  connected = 0;
  sentMessages = 0;
  sentSamples = 0;
  acknowledgedMessages = 0;
  failedMessages = 0;
  droppedMessages = 0;
  bufferedMessages = 0;
  readonly #latencies = new Uint32Array(CLASSES);

  /** From handing a message to the socket to its acknowledgement. */
  acknowledged(latencyMs: number): void {
    this.acknowledgedMessages += 1;
    const at = Math.ceil(Math.log(latencyMs / FIRST_MS) / Math.log(GROWTH));
    const latencyClass = Math.min(CLASSES - 1, Math.max(0, at));
    this.#latencies[latencyClass] = this.#latencies[latencyClass]! + 1;
  }

  snapshot(): StatisticsSnapshot {
    const { devices, connected, sentMessages, sentSamples, acknowledgedMessages } = this;
    const { failedMessages, droppedMessages, bufferedMessages } = this;
    return {
      devices,
      connected,
      sentMessages,
      sentSamples,
      acknowledgedMessages,
      failedMessages,
      droppedMessages,
      bufferedMessages,
      latencyP50Ms: this.#quantile(0.5),
      latencyP95Ms: this.#quantile(0.95),
    };
  }

  /** The upper end of the class in which the quantile falls; 0 before the first acknowledgement. */
  #quantile(share: number): number {
    let left = this.acknowledgedMessages * share;
    if (left === 0) return 0;
    const at = this.#latencies.findIndex((count) => {
      left -= count;
      return left <= 0;
    });
    return FIRST_MS * GROWTH ** at;
  }
}

/** One line for people. */
export function statisticsLine(now: StatisticsSnapshot): string {
  const ms = (latency: number): string => `${latency < 10 ? latency.toFixed(1) : Math.round(latency)} ms`;
  return [
    `${now.connected} of ${now.devices} devices connected`,
    `sent ${now.sentMessages} messages (${now.sentSamples} samples)`,
    `acknowledged ${now.acknowledgedMessages} (p50 ${ms(now.latencyP50Ms)}, p95 ${ms(now.latencyP95Ms)})`,
    `failed ${now.failedMessages}`,
    `dropped ${now.droppedMessages}`,
    `waiting ${now.bufferedMessages}`,
  ].join(', ');
}
