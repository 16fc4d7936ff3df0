/**
 * Scenarios: which devices a simulation has and what they say. In: YAML; out: a checked Scenario, or CONFIG_INVALID with
 * each problem as `line: path: what is wrong`.
 */
import { type Static, type TSchema, Type } from 'typebox';
import { checked, parseYaml } from './checked-yaml.ts';
import { PATTERN_SCHEMAS, type Pattern } from './patterns.ts';

const strict = { additionalProperties: false };
const text = Type.String({ minLength: 1 });
const positive = Type.Number({ exclusiveMinimum: 0 });
const pattern = Type.Unsafe<Pattern>(
  Type.Object({ pattern: Type.Union(Object.keys(PATTERN_SCHEMAS).map((name) => Type.Literal(name))) }),
);

const replay = Type.Object(
  {
    /** CSV file, or JSON messages (.json, .jsonl, .ndjson), relative to the scenario. */
    file: text,
    /** How to read CSV, as for `fieldline import` (codecs: CsvMapping); mostly nothing is needed. */
    mapping: Type.Optional(Type.Unsafe<object>(Type.Object({}))),
    /** 1 = as it was, 60 = a minute in a second. */
    speed: Type.Optional(positive),
    /** Starts again at the end; default true. Otherwise the device falls silent. */
    loop: Type.Optional(Type.Boolean()),
    /** The time in the file that is now when the simulation starts; default its beginning. ISO 8601. */
    startAt: Type.Optional(text),
    /** Longer pauses in the file are cut to this. */
    pauseMsMax: Type.Optional(positive),
  },
  strict,
);

const history = Type.Object(
  {
    days: positive,
    /** One reading in so much time; default a minute. */
    stepMs: Type.Optional(positive),
    /** So much of the time just past is told as densely as the present; default 10 minutes. */
    denseMs: Type.Optional(Type.Number({ minimum: 0 })),
  },
  strict,
);

const behavior = Type.Object(
  {
    /** The connection breaks off and comes back, at random, on average so often and for so long. */
    disconnect: Type.Optional(Type.Object({ everyMs: positive, forMs: positive }, strict)),
    /** Part of the messages that are never sent, 0 to 1. */
    dropRatio: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    /** Each message is held back for a random time up to this, and so may overtake another. */
    latencyMsMax: Type.Optional(Type.Number({ minimum: 0, maximum: 60_000 })),
    /** Messages kept while there is no connection, sent in a burst afterwards; the oldest give way. Default 10,000. */
    bufferMessagesMax: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
  },
  strict,
);

const device = Type.Object(
  {
    /** What the device is called in its topic and at log-in. With count: the keys are key-1, key-2 … */
    key: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$' }),
    count: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
    username: Type.Optional(text),
    token: Type.Optional(text),
    format: Type.Optional(Type.Union([Type.Literal('json'), Type.Literal('protobuf')])),
    /** Where it publishes; {organization}, {key} and {sensorType} are filled in. Default: what the format asks for. */
    topic: Type.Optional(text),
    /** Third level of the default topic of protobuf; default 'main'. */
    sensorType: Type.Optional(Type.String({ pattern: '^[^/+#]+$' })),
    /** Readings of each metric; for a replay the file tells. Default 1. */
    ratePerSecond: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1000 })),
    /** Readings of each metric that go into one message; default 1. */
    samplesPerMessage: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
    metrics: Type.Optional(Type.Record(Type.String({ minLength: 1, maxLength: 256 }), pattern)),
    replay: Type.Optional(replay),
    history: Type.Optional(history),
    behavior: Type.Optional(behavior),
  },
  strict,
);

const scenario = Type.Object(
  {
    name: Type.Optional(Type.String()),
    /** Slug of the organisation that the devices belong to. */
    organization: Type.Optional(text),
    broker: Type.Optional(
      Type.Object(
        {
          host: Type.Optional(text),
          port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
          tls: Type.Optional(Type.Boolean()),
          /** PEM file of the authority that signed the broker's certificate, relative to the scenario. */
          caFile: Type.Optional(text),
        },
        strict,
      ),
    ),
    seed: Type.Optional(Type.Union([Type.Integer(), Type.String()])),
    /** Ends by itself after so much time; default: runs on. */
    durationMs: Type.Optional(positive),
    statisticsIntervalMs: Type.Optional(positive),
    devices: Type.Array(device, { minItems: 1 }),
  },
  strict,
);

export type Scenario = Static<typeof scenario>;
export type ScenarioDevice = Static<typeof device>;
export type ReplaySettings = Static<typeof replay>;
export type HistorySettings = Static<typeof history>;

/** Reads a scenario from YAML (or JSON). Throws FieldlineError CONFIG_INVALID that lists every problem. */
export function parseScenario(yaml: string, fileName = 'scenario'): Scenario {
  const document = parseYaml(yaml, fileName);
  const found = checked(scenario, document);
  for (const [index, one] of found.devices.entries()) {
    const path = ['devices', index];
    if (one.metrics === undefined && one.replay === undefined) document.problem(path, 'needs metrics or replay');
    if (one.metrics !== undefined && one.replay !== undefined) {
      document.problem(path, 'has both metrics and replay; make them two devices');
    }
    for (const [metric, settings] of Object.entries(one.metrics ?? {})) {
      document.check(PATTERN_SCHEMAS[settings.pattern] as TSchema, settings, [...path, 'metrics', metric]);
    }
  }
  const keys = found.devices.map((one) => one.key);
  for (const [index, key] of keys.entries()) {
    if (keys.indexOf(key) < index) document.problem(['devices', index, 'key'], `"${key}" stands twice`);
  }
  document.throwProblems();
  return found;
}
