/** Writes what the codec `json` reads. For simulators, tests and load generators. */
import type { Micros } from '@fieldline/model';

export type JsonMetrics = Readonly<Record<string, number | boolean | string>>;

/** One message as UTF-8 bytes. Without a time the receiver's clock counts. */
export function encodeJson(metrics: JsonMetrics, sourceTime?: Micros): Uint8Array {
  return Buffer.from(JSON.stringify(jsonMessage(metrics, sourceTime)));
}

/** Several messages in one payload, as an array. */
export function encodeJsonBatch(messages: readonly { metrics: JsonMetrics; sourceTime?: Micros }[]): Uint8Array {
  return Buffer.from(JSON.stringify(messages.map((message) => jsonMessage(message.metrics, message.sourceTime))));
}

function jsonMessage(metrics: JsonMetrics, sourceTime: Micros | undefined): object {
  return sourceTime === undefined ? { metrics } : { ts: sourceTime / 1000, metrics };
}
