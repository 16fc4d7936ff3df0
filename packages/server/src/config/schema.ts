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
const texts = (value: readonly string[], description: string) =>
  Type.Array(Type.String(), { default: [...value], minItems: 1, description });
const flag = (value: boolean, description: string) => Type.Boolean({ default: value, description });
const integer = (value: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ default: value, minimum, maximum, description });
const port = (value: number, description: string) => integer(value, 0, 65_535, description);
const choice = <const T extends readonly string[]>(values: T, value: T[number], description: string) =>
  Type.Unsafe<T[number]>(Type.Enum([...values], { default: value, description }));
const section = <T extends Record<string, TSchema>>(description: string, properties: T) =>
  Type.Object(properties, { description, additionalProperties: false });

const KIB = 1024;
const MIB = 1024 * KIB;

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
    connectionsMax: integer(20_000, 1, 1_000_000, 'Connections at a time; further ones are closed at once.'),
    connectTimeoutMs: integer(
      9_500,
      100,
      600_000,
      'Longest time from the first byte of TCP to an accepted CONNECT, ms; then it is closed.',
    ),
    keepAliveMaxSeconds: integer(
      0,
      0,
      65_535,
      'Longest keep-alive that MQTT 5 clients are given (Server Keep Alive), s; 0 = what they ask for.',
    ),
    sessionExpiryMaxSeconds: integer(
      604_800,
      0,
      4_294_967_295,
      'Longest time that a session is kept without a connection, s; who asks for more is told this (Session Expiry Interval). 0 = none is kept.',
    ),
    sessionsMax: integer(50_000, 1, 10_000_000, 'Sessions in all, connected or kept; for one more: 0x97.'),
    sessionsPerDeviceMax: integer(
      100,
      1,
      100_000,
      'Sessions of one device; for one more, the one without a connection for longest ends, or 0x97.',
    ),
    subscriptionsPerSessionMax: integer(1_000, 1, 1_000_000, 'Subscriptions of one session; for one more: 0x97.'),
    subscriptionBytesMax: integer(
      256 * MIB,
      MIB,
      16_384 * MIB,
      'Bytes that subscriptions take with the levels of their filters, in all; for one more: 0x97.',
    ),
    subscriptionBytesPerOrganizationMax: integer(128 * MIB, 64 * KIB, 16_384 * MIB, 'The same of one organisation.'),
    subscriptionBytesPerDeviceMax: integer(
      16 * MIB,
      16 * KIB,
      16_384 * MIB,
      'The same of one device over all its sessions.',
    ),
    topicLengthMax: integer(1_024, 16, 65_535, 'Longest topic or topic filter, characters.'),
    topicLevelsMax: integer(32, 2, 1_024, 'Most levels of a topic or topic filter.'),
    topicAliasMaximum: integer(
      32,
      0,
      65_535,
      'Topic aliases of one connection in each direction (Topic Alias Maximum).',
    ),
    packetBytesMax: integer(
      MIB,
      1024,
      256 * MIB,
      'Largest MQTT packet, bytes; told to clients as Maximum Packet Size.',
    ),
    connectBytesMax: integer(64 * KIB, 1024, 16 * MIB, 'Largest CONNECT, bytes: what somebody unknown may send.'),
    packetTimeoutSeconds: integer(
      120,
      1,
      3_600,
      'Longest time from the first byte of a packet to its last, s; then the connection is closed (0x97).',
    ),
    receiveMaximum: integer(
      1_000,
      1,
      65_535,
      'Unanswered QoS 1 and 2 messages from one client (Receive Maximum); beyond it: 0x93.',
    ),
    pendingBytesMax: integer(
      64 * MIB,
      MIB,
      1024 * MIB,
      'Bytes that may wait for the log; beyond it sockets are read later.',
    ),
    pendingBytesPerDeviceMax: integer(
      16 * MIB,
      64 * KIB,
      1024 * MIB,
      'The same of one device over all its connections; beyond it none of its sockets is read.',
    ),
    pendingBytesPerConnectionMax: integer(
      4 * MIB,
      64 * KIB,
      1024 * MIB,
      'The same of one connection; beyond it its socket is not read.',
    ),
    partialBytesMax: integer(
      64 * MIB,
      MIB,
      4096 * MIB,
      'Bytes of packets that are not complete yet, in all; a connection that goes beyond it is closed (0x97).',
    ),
    partialBytesPerDeviceMax: integer(
      8 * MIB,
      64 * KIB,
      4096 * MIB,
      'The same of one device over all its connections.',
    ),
    unknownBytesMax: integer(
      16 * MIB,
      64 * KIB,
      1024 * MIB,
      'The same of all connections that nobody has logged in on.',
    ),
    appendRetryMs: integer(
      15_000,
      100,
      600_000,
      'How long a message that the log does not take is tried again before its sender is disconnected, ms.',
    ),
    inFlightMax: integer(
      100,
      1,
      65_535,
      'QoS 1 and 2 messages to one client that it has not answered; its own lower Receive Maximum goes before.',
    ),
    outboundBytesMax: integer(
      32 * MIB,
      MIB,
      4096 * MIB,
      'Bytes that were written to sockets and are not read, in all; beyond it every connection has its share.',
    ),
    outboundBytesPerDeviceMax: integer(
      2 * MIB,
      32 * KIB,
      4096 * MIB,
      'The same of one device over all its connections.',
    ),
    outboundBytesPerConnectionMax: integer(
      256 * KIB,
      16 * KIB,
      1024 * MIB,
      'The same of one connection; beyond it QoS 0 is dropped, QoS 1 and 2 wait, and its own packets are not read.',
    ),
    stalledReaderTimeoutSeconds: integer(
      60,
      1,
      3_600,
      'How long a client with too much unread may read nothing at all, s; then it is disconnected (0x97).',
    ),
    queueBytesMax: integer(
      128 * MIB,
      MIB,
      16_384 * MIB,
      'Bytes of QoS 1 and 2 messages that wait for clients, in all; beyond it the largest queues give way, oldest first.',
    ),
    queueMemoryBytesMax: integer(
      64 * MIB,
      MIB,
      16_384 * MIB,
      'How much of these messages is held in memory in all, bytes; beyond it more of every queue lies on disk alone.',
    ),
    queueBytesPerDeviceMax: integer(16 * MIB, 64 * KIB, 16_384 * MIB, 'The same of one device over all its sessions.'),
    queueBytesPerSessionMax: integer(
      4 * MIB,
      64 * KIB,
      16_384 * MIB,
      'The same of one session; beyond it its oldest message gives way and is counted.',
    ),
    retainedBytesMax: integer(
      256 * MIB,
      0,
      16_384 * MIB,
      'Bytes that retained messages take with the levels of their topics, in all; beyond it a message is delivered, and nothing is retained on its topic any more.',
    ),
    retainedBytesPerOrganizationMax: integer(128 * MIB, 0, 16_384 * MIB, 'The same of one organisation.'),
    retainedBytesPerDeviceMax: integer(32 * MIB, 0, 16_384 * MIB, 'The same of what one device has published.'),
    systemIntervalSeconds: integer(
      10,
      0,
      86_400,
      'How often $SYS/broker/… is sent to gateways that have subscribed to it, s; 0 = never.',
    ),
  }),
  connectors: section('What Fieldline fetches itself.', {
    mqtt: section(
      'The bridge from another MQTT 5 broker (EMQX, Mosquitto, HiveMQ …), by shared subscriptions at QoS 1.',
      {
        url: text('', 'Address of that broker, mqtt://host:1883 or mqtts://host:8883; empty = no bridge.'),
        organization: text(
          '',
          'Id or short name of the organisation that all messages belong to; empty = the only one.',
        ),
        userName: text('', 'User name there; empty = none.'),
        password: text('', 'Password there; empty = none.'),
        caFile: text(
          '',
          "PEM file with the authorities of that broker's certificate; empty = those that the system trusts.",
        ),
        certFile: text('', 'PEM file with our own certificate, where that broker wants one.'),
        keyFile: text('', 'PEM file with the private key of our own certificate.'),
        filters: texts(['v1/telemetry/#', 'robots/+/sensors/#', 'uns/#'], 'Topic filters that are subscribed to.'),
        shareGroup: text('bridge-group', 'Name of the share: several bridges of one name divide the messages.'),
        clientId: text(
          '',
          'Beginning of the client identifiers; must stay the same. Empty = fieldline and the organisation.',
        ),
        connections: integer(1, 1, 64, 'Connections side by side, for brokers that serve each in one thread.'),
        receiveMaximum: integer(1_000, 1, 65_535, 'Messages on the way to us before the first is acknowledged.'),
        sessionExpirySeconds: integer(
          604_800,
          0,
          4_294_967_295,
          'How long that broker keeps messages for us while we are away, s.',
        ),
        keepAliveSeconds: integer(30, 5, 65_535, 'How often we are heard of at least, s.'),
        pendingBytesMax: integer(
          16 * MIB,
          MIB,
          1024 * MIB,
          'Bytes that may wait for the log; beyond it the bridge reads later.',
        ),
      },
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
    sandboxBytesMax: integer(
      10_737_418_240,
      16_777_216,
      1_125_899_906_842_624,
      'Room that all sandboxes together may take, bytes; a replay that needs more fails and says so.',
    ),
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
    ingestQueueBytesMax: integer(
      64 * MIB,
      MIB,
      1024 * MIB,
      'Bytes of HTTP telemetry that may wait for the log; beyond it requests get 429 with Retry-After.',
    ),
    unreadAnswerBytesMax: integer(
      64 * MIB,
      MIB,
      4096 * MIB,
      'Bytes of large answers that callers have not read; beyond it slow readers are cut off.',
    ),
    liveClientsMax: integer(10_000, 1, 1_000_000, 'Live clients (Socket.IO) at a time.'),
    liveUnreadBytesMax: integer(
      32 * MIB,
      MIB,
      4096 * MIB,
      'Bytes written to live clients that they have not read; beyond it whoever has read nothing for 5 s is cut off.',
    ),
    liveBacklogBytesMax: integer(
      16 * MIB,
      MIB,
      4096 * MIB,
      'Bytes that wait for live clients who read slowly; beyond it the oldest are left out, and they are told.',
    ),
    liveStalledTimeoutMs: integer(
      30_000,
      1000,
      3_600_000,
      'How long a live client may leave unread what was sent to it before it is cut off, ms.',
    ),
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
