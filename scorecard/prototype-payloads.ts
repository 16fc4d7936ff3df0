/** What line 26 sends: names that mean something to JavaScript, payloads with their fate, bodies after a route's schema. Pure. */
import { encodeProtobuf } from '@fieldline/codecs';

export const NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'hasOwnProperty',
  'toString',
  'valueOf',
  '__defineSetter__',
] as const;

/** One message that becomes one sample of this metric, or one dead letter (null). */
export interface Message {
  readonly topic: string;
  readonly payload: string | Uint8Array;
  readonly metric: string | null;
  /** Source time of the sample, ms. */
  readonly ts: number;
}

/** Over MQTT, by this device. `mapped` is the first level of topics that an own mapping reads. */
export function messagesOf(
  device: { readonly key: string; readonly organizationId: string },
  mapped: string,
  time: () => number,
): Message[] {
  const telemetry = `v1/telemetry/${device.organizationId}/${device.key}`;
  const json = (metric: string | null, text: (ts: number) => string): Message => {
    const ts = time();
    return { topic: telemetry, payload: text(ts), metric, ts };
  };
  return NAMES.flatMap((name) => [
    json(name, (ts) => `{"ts":${ts},"metrics":{"${name}":1}}`),
    json(name, (ts) => `[{"ts":${ts},"metrics":{"${name}":{"value":2,"unit":"${name}"}}}]`),
    json('a', (ts) => `{"ts":${ts},"${name}":{"ts":5,"polluted":1},"metrics":{"a":1}}`),
    json('a', (ts) => `{"metrics":{"a":{"value":3,"ts":${ts},"${name}":{"polluted":1}}}}`),
    json('unit', (ts) => `{"ts":${ts},"metrics":{"unit":{"value":1,"${name}":{"quality":"bad"}}}}`),
    json(null, () => `{"metrics":{"${name}":{"polluted":1}}}`),
    json(null, () => `{"metrics":{"a":{"${name}":{"value":1}}}}`),
    json(null, () => `{"${name}":{"metrics":{"a":1}}}`),
    json(null, () => `{"constructor":{"prototype":{"${name}":1}}}`),
    uns(device.key, name, time()),
    protobuf(device.key, name, time()),
    {
      ...json(`${name}.${name}.a`, (ts) => `{"ts":${ts},"metrics":{"a":1}}`),
      topic: `${mapped}/${device.key}/${name}/${name}`,
    },
  ]);
}

function uns(deviceKey: string, name: string, ts: number): Message {
  return { topic: `uns/e/s/a/l/${deviceKey}/${name}`, payload: `{"value":4,"ts":${ts}}`, metric: name, ts };
}

function protobuf(deviceKey: string, name: string, ts: number): Message {
  const payload = encodeProtobuf({ sourceTime: ts * 1000, columns: [{ metric: name, values: [5] }] });
  return { topic: `robots/${deviceKey}/sensors/${name}/data`, payload, metric: `${name}.${name}`, ts };
}

/** A mapping whose captures are called like the insides of an object. */
export function mappingOf(first: string): object {
  return {
    name: 'prototype',
    pattern: `${first}/{device}/{constructor}/{valueOf}`,
    codec: 'json',
    device: '{device}',
    metric: '{constructor}.{valueOf}.{metric}',
  };
}

interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly minimum?: number;
  readonly format?: string;
}

/** A value that the schema takes, or nearly: everything in it that may be there is there. */
export function sampleOf(schema: object): unknown {
  const { type, enum: words, anyOf, properties, items, minimum, format, ...rest } = schema as Schema;
  if (rest.const !== undefined) return rest.const;
  if (words !== undefined) return words[0];
  if (anyOf !== undefined) return sampleOf(anyOf[0]!);
  if (properties !== undefined) {
    return Object.fromEntries(Object.entries(properties).map(([key, inner]) => [key, sampleOf(inner)]));
  }
  if (type === 'array') return items === undefined ? [] : [sampleOf(items)];
  if (type === 'number' || type === 'integer') return minimum ?? 1;
  if (type === 'boolean') return true;
  if (type === 'object') return { a: 1 };
  return format === 'date-time' ? '2026-01-01T00:00:00Z' : 'constructor';
}

/** JSON texts: the sample with a key of each name in each of its objects, and with each name in the place of each text. */
export function* poisoned(sample: unknown): Generator<string> {
  for (const name of NAMES) {
    yield `{"${name}":${JSON.stringify(sample)}}`;
    for (const value of ['{"polluted":1}', '"polluted"', 'null', `{"prototype":{"polluted":1}}`]) {
      yield* variants(sample, (node) =>
        typeof node === 'object' && node !== null && !Array.isArray(node)
          ? JSON.stringify(node).replace(/^\{/, `{"${name}":${value},`).replace(/,\}$/, '}')
          : null,
      );
    }
    yield* variants(sample, (node) => (typeof node === 'string' ? JSON.stringify(name) : null));
  }
}

/** The value's JSON with one node at a time put as `change` says. */
function* variants(value: unknown, change: (node: unknown) => string | null): Generator<string> {
  const changed = change(value);
  if (changed !== null) yield changed;
  if (typeof value !== 'object' || value === null) return;
  const entries = Object.entries(value);
  for (const [index, [, inner]] of entries.entries()) {
    for (const text of variants(inner, change)) {
      const texts = entries.map(([key, other], at) => {
        const own = at === index ? text : JSON.stringify(other);
        return Array.isArray(value) ? own : `${JSON.stringify(key)}:${own}`;
      });
      yield Array.isArray(value) ? `[${texts.join(',')}]` : `{${texts.join(',')}}`;
    }
  }
}
