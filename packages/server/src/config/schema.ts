/**
 * Every setting of Fieldline, in the order of the data's way. This file is the single truth: the YAML file, the
 * environment variables, `fieldline config`, .env.example and docs/configuration.md are all made from it.
 * A setting's environment variable is FIELDLINE_ and its path in capitals: broker.tls.port → FIELDLINE_BROKER_TLS_PORT.
 */
import { LOG_LEVELS } from '@fieldline/kit';
import Type, { type Static, type TSchema } from 'typebox';

export const ROLES = ['broker', 'ingest', 'pipeline', 'api', 'jobs'] as const;
export type Role = (typeof ROLES)[number];

const text = (value: string, description: string) => Type.String({ default: value, description });
const flag = (value: boolean, description: string) => Type.Boolean({ default: value, description });
const integer = (value: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ default: value, minimum, maximum, description });
const port = (value: number, description: string) => integer(value, 0, 65_535, description);
const choice = <const T extends readonly string[]>(values: T, value: T[number], description: string) =>
  Type.Unsafe<T[number]>(Type.Enum([...values], { default: value, description }));
const section = <T extends Record<string, TSchema>>(description: string, properties: T) =>
  Type.Object(properties, { description, additionalProperties: false });

const MIB = 1024 * 1024;

export const ConfigSchema = section('Fieldline', {
  dataDir: text('./data', 'Folder that holds everything Fieldline keeps. One process at a time.'),
  roles: Type.Array(Type.Unsafe<Role>(Type.Enum([...ROLES])), {
    default: [...ROLES],
    minItems: 1,
    description: 'Which parts this process runs. Embedded adapters need all of them in one process.',
  }),
  logLevel: choice(LOG_LEVELS, 'info', 'Least level that is written to standard output.'),
  admin: section('The administrator that is made at the first start.', {
    email: text('admin@fieldline.local', 'E-mail address, also the log-in name.'),
    password: text('', 'Password; empty = made up and printed once.'),
  }),
  broker: section('The embedded MQTT broker.', {
    host: text(
      '127.0.0.1',
      'Address for plain MQTT. Loopback unless told otherwise: user name and token travel in clear.',
    ),
    port: port(1883, 'Port for plain MQTT; 0 = any free one.'),
    tls: section('MQTT over TLS. Off until a certificate is given.', {
      host: text('0.0.0.0', 'Address for MQTT over TLS.'),
      port: port(8883, 'Port for MQTT over TLS.'),
      certFile: text('', "PEM file with the server's certificate chain; empty = no TLS listener."),
      keyFile: text('', "PEM file with the server's private key."),
      caFile: text('', 'PEM file with the authorities of client certificates; empty = log-in by token only.'),
      requireClientCertificate: flag(true, 'Where caFile is set: refuse clients without a certificate of it.'),
    }),
    ws: section('MQTT over WebSocket (path /mqtt), for browsers and networks that let only HTTP through.', {
      enabled: flag(false, 'Open the WebSocket listeners.'),
      host: text('127.0.0.1', 'Address for MQTT over plain WebSocket.'),
      port: port(8083, 'Port for MQTT over plain WebSocket; 0 = any free one.'),
      tlsHost: text('0.0.0.0', 'Address for MQTT over WebSocket with TLS; it has the certificates of broker.tls.'),
      tlsPort: port(8084, 'Port for MQTT over WebSocket with TLS; closed while broker.tls has no certificate.'),
    }),
    connectionsMax: integer(20_000, 1, 1_000_000, 'Connections at a time; further ones are refused with 0x89.'),
    packetBytesMax: integer(
      MIB,
      1024,
      256 * MIB,
      'Largest MQTT packet, bytes; told to clients as Maximum Packet Size.',
    ),
    pendingBytesMax: integer(
      64 * MIB,
      MIB,
      1024 * MIB,
      'Bytes that may wait for the log; beyond it sockets are read later.',
    ),
    keepAliveMaxSeconds: integer(
      0,
      0,
      65_535,
      'Longest keep-alive that MQTT 5 clients are given (Server Keep Alive), s; 0 = what they ask for.',
    ),
    systemIntervalSeconds: integer(
      10,
      0,
      86_400,
      'How often $SYS/broker/… is sent to gateways that have subscribed to it, s; 0 = never.',
    ),
  }),
  log: section('The durable log.', {
    adapter: choice(['embedded'] as const, 'embedded', 'Where raw records are kept: files of this process.'),
    segmentBytesMax: integer(64 * MIB, MIB, 1024 * MIB, 'Size of one file of the log, bytes.'),
    rawRetentionHours: integer(720, 1, 87_600, 'How long raw records are kept for replay, hours.'),
    rawRetentionBytes: integer(
      20_480 * MIB,
      64 * MIB,
      Number.MAX_SAFE_INTEGER,
      'How many bytes of raw records are kept.',
    ),
    eventsRetentionHours: integer(2160, 1, 87_600, 'How long events are kept in the log, hours.'),
    deadLettersRetentionHours: integer(720, 1, 87_600, 'How long dead letters are kept, hours.'),
    deadLettersRetentionBytes: integer(
      1024 * MIB,
      MIB,
      Number.MAX_SAFE_INTEGER,
      'How many bytes of dead letters are kept.',
    ),
    commandsRetentionHours: integer(168, 1, 87_600, 'How long commands are kept, hours.'),
  }),
  pipeline: section('From raw records to samples.', {
    transactionIntervalMs: integer(50, 1, 10_000, 'Longest time that decoded samples wait for their transaction, ms.'),
    samplesPerTransactionMax: integer(50_000, 100, 1_000_000, 'Most samples in one transaction.'),
    futureToleranceSeconds: integer(300, 0, 31_536_000, 'A source time further in the future than this is refused, s.'),
    seriesPerDeviceMax: integer(10_000, 1, 1_000_000, 'Most metrics that one device may register.'),
  }),
  store: section('Telemetry: samples and roll-ups.', {
    adapter: choice(['duckdb'] as const, 'duckdb', 'DuckDB with Parquet files, inside the process.'),
    memoryLimitMiB: integer(512, 64, 1_048_576, 'Memory that DuckDB may use for buffers, MiB.'),
    threads: integer(
      1,
      1,
      256,
      'Threads of DuckDB for one query; more make long queries faster and cost ingestion more.',
    ),
    sealAfterSeconds: integer(300, 1, 86_400, 'Age at which samples are moved into Parquet files, s.'),
    sealRows: integer(5_000_000, 1000, 1_000_000_000, 'Number of unsealed samples at which sealing starts earlier.'),
    rawRetentionDays: integer(90, 1, 36_500, 'How long raw samples are kept, days.'),
    hourlyRetentionDays: integer(730, 1, 36_500, 'How long hourly roll-ups are kept, days.'),
    dailyRetentionDays: integer(1826, 1, 36_500, 'How long daily roll-ups are kept, days.'),
  }),
  catalog: section('Organisations, users, devices, series and settings.', {
    adapter: choice(['pglite', 'postgres'] as const, 'pglite', "'pglite' is PostgreSQL inside the process."),
    url: text('', "Where adapter is 'postgres': postgres://user:password@host:5432/database."),
    migrationUrl: text(
      '',
      "Where adapter is 'postgres': the owner's URL for migrations; empty = the schema is up to date already.",
    ),
    secretKey: text('', 'Key (32 bytes, base64) that encrypts secrets at rest; empty = a key file in the data folder.'),
  }),
  jobs: section('Long work: replays.', {
    replayLoadPercentMax: integer(50, 1, 100, "Most of one processor's time that a replay takes, percent."),
    sandboxRetentionHours: integer(168, 1, 87_600, 'How long what a replay has filled a sandbox with is kept, hours.'),
    finishedRetentionHours: integer(720, 1, 87_600, 'How long jobs that have ended are listed, hours.'),
  }),
  api: section('REST, Socket.IO and the web UI.', {
    host: text('127.0.0.1', 'Address of the HTTP server. Put a TLS proxy in front before you open it to a network.'),
    port: port(3000, 'Port of the HTTP server; 0 = any free one.'),
    publicUrl: text(
      '',
      'Address under which people reach the UI, e.g. https://fieldline.plant.example; empty = as called.',
    ),
    ui: flag(true, 'Serve the web UI; it is built at the first start.'),
    trustProxy: flag(false, 'Believe X-Forwarded-* headers of a proxy in front.'),
    requestsPerMinute: integer(1000, 10, 1_000_000, 'Requests a minute for each user or address.'),
    bodyBytesMax: integer(8 * MIB, 1024, 256 * MIB, 'Largest request body, bytes.'),
  }),
});

export type Config = Static<typeof ConfigSchema>;

/** One setting as a line of the reference. */
export interface Setting {
  readonly path: readonly string[];
  readonly environmentVariable: string;
  readonly schema: TSchema & {
    type?: string;
    enum?: readonly string[];
    default?: unknown;
    description?: string;
    minimum?: number;
    maximum?: number;
  };
}

/** All settings, in the order of the schema. */
export function settings(): Setting[] {
  return collect(ConfigSchema, []);
}

function collect(schema: TSchema, path: readonly string[]): Setting[] {
  const properties = (schema as { properties?: Record<string, TSchema> }).properties;
  if (properties === undefined) return [{ path, environmentVariable: environmentVariableOf(path), schema }];
  return Object.entries(properties).flatMap(([key, value]) => collect(value, [...path, key]));
}

function environmentVariableOf(path: readonly string[]): string {
  const words = path.map((part) => part.replace(/MiB/g, 'Mib').replace(/([a-z0-9])([A-Z])/g, '$1_$2'));
  return `FIELDLINE_${words.join('_').toUpperCase()}`;
}
