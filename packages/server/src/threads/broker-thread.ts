/**
 * The broker's thread: MQTT sockets and sessions, and the log's only writer, side by side, so that the way from a socket to
 * the disk crosses no thread. In: the configuration, then the directory; out: connection messages, the log by RPC.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { type Broker, type BrokerOptions, createBroker, type DeviceName } from '@fieldline/broker';
import { createLogger, expose, Metrics, messageOf, systemClock } from '@fieldline/kit';
import { type Log, openEmbeddedLog } from '@fieldline/log';
import { DirectoryCache, type DirectoryChange, type DirectoryDevice, MICROS_PER_SECOND } from '@fieldline/model';
import { admitDevice, admitSubscription, routePublication } from '../admission.ts';
import { writeCompiledCode } from '../compiled-code.ts';
import { brokerLimits } from '../config/broker-limits.ts';
import type { Config } from '../config/schema.ts';
import { EVENTS_GROUP } from '../events-consumer.ts';
import { topicSettings } from '../log-settings.ts';
import { LogRetention } from './log-retention.ts';
import type { BrokerHost, BrokerThreadData, ConnectionMessage, LogHost } from './messages.ts';
import { TlsFiles } from './tls-files.ts';

/** MQTT 5, 2.4: Administrative action. */
const ADMINISTRATIVE_ACTION = 0x98;
const TLS_FILES_EVERY_MS = 5_000;
const REFUSALS_APART_MICROS = 10 * MICROS_PER_SECOND;

const port = parentPort!;
const { config } = workerData as BrokerThreadData;
const logger = createLogger('broker', config.logLevel);
const metrics = new Metrics();
const directory = new DirectoryCache();
const refusedAt = new Map<string, number>();
const tlsFiles = config.broker.tls.certFile === '' ? null : new TlsFiles(config.broker.tls);
let tlsProblem = '';

const log = await openEmbeddedLog({
  dir: join(config.dataDir, 'log'),
  topics: topicSettings(config),
  segmentBytesMax: config.log.segmentBytesMax,
  clock: systemClock,
  logger: logger.child({ service: 'log' }),
  metrics,
});
const sessionsDir = join(config.dataDir, 'broker');
mkdirSync(sessionsDir, { recursive: true });
const broker = createBroker(brokerOptions());
const retention = new LogRetention({ log, eventsGroup: EVENTS_GROUP, clock: systemClock, logger });
const retentionTimer = setInterval(() => void retention.enforce(), 60_000);
const tlsTimer = tlsFiles === null ? undefined : setInterval(() => renewCertificates(tlsFiles), TLS_FILES_EVERY_MS);

expose(port, brokerHost(broker));
// A port that comes in is another thread's way to the log's writer.
port.on('message', (message: { type?: string; port?: MessagePort }) => {
  if (message?.type === 'log-port' && message.port !== undefined) expose(message.port, logHost(log));
});
port.postMessage({ type: 'ready', handover: log.shareable() });
writeCompiledCode();

function brokerOptions(): BrokerOptions {
  return {
    listeners: listenersOf(config),
    limits: brokerLimits(config.broker),
    dataDir: sessionsDir,
    clock: systemClock,
    logger,
    metrics,
    authenticate: (request) => {
      const login = admitDevice(directory, request);
      if (login.refusal !== undefined) {
        if (login.device !== undefined) tellRefusal(login.device, login.refusal.reason);
        // A stranger is not told whether there is such a device: that is for the events of its organisation.
        return { accepted: false, reasonCode: login.refusal.reasonCode, reason: 'this log-in is not accepted' };
      }
      const { organizationId, id: deviceId } = login.device;
      return { accepted: true, identity: { organizationId, deviceId, kind: 'device' } };
    },
    route: (identity, topic) => {
      const device = directory.device(identity.deviceId);
      if (device === undefined)
        return { to: 'refused', reasonCode: 0x87, reason: 'this device does not exist any more' };
      return routePublication(directory, device, topic);
    },
    maySubscribe: (identity, filter) => {
      const device = directory.device(identity.deviceId);
      if (device === undefined)
        return { allowed: false, reasonCode: 0x87, reason: 'this device does not exist any more' };
      return admitSubscription(directory, device, filter);
    },
    responseInformation: ({ organizationId, deviceId }) => {
      const device = directory.device(deviceId);
      return device === undefined ? null : `app/${organizationId}/responses/${device.key}`;
    },
    appendToLog: (batch) => log.append('telemetry.raw', batch),
    onConnection: (event) => {
      if (event.identity === undefined || event.type === 'refused') return;
      port.postMessage({
        type: 'connection',
        change: event.type,
        organizationId: event.identity.organizationId,
        deviceId: event.identity.deviceId,
        time: event.time,
        reason: event.reason,
      } satisfies ConnectionMessage);
    },
  };
}

function listenersOf({ broker: settings }: Config): BrokerOptions['listeners'] {
  const { tls, ws } = settings;
  const tcp = [{ host: settings.host, port: settings.port }];
  const plainWs = ws.enabled ? [{ host: ws.host, port: ws.port }] : [];
  if (tlsFiles === null) return { tcp, ws: plainWs };
  const clientCertificate = tls.caFile === '' ? 'none' : tls.requireClientCertificate ? 'required' : 'optional';
  const secure = { ...tlsFiles.material, clientCertificate } as const;
  return {
    tcp,
    tls: [{ host: tls.host, port: tls.port, ...secure }],
    ws: [...plainWs, ...(ws.enabled ? [{ host: ws.tlsHost, port: ws.tlsPort, ...secure }] : [])],
  };
}

/** A renewed certificate is taken without a restart; one that is none is told, and the one before stays. */
function renewCertificates(files: TlsFiles): void {
  try {
    const material = files.changed();
    if (material === null) return;
    broker.renewCertificates(material);
    logger.info({}, 'the certificates of broker.tls have changed; new connections get the new ones');
    tlsProblem = '';
  } catch (error) {
    if (messageOf(error) === tlsProblem) return;
    tlsProblem = messageOf(error);
    logger.error({ error: tlsProblem }, 'the changed files of broker.tls cannot be used; the certificates before stay');
  }
}

/** A device that keeps trying with a wrong token is told of once in ten seconds. */
function tellRefusal(device: DirectoryDevice, reason: string): void {
  const time = systemClock.nowMicros();
  if (time - (refusedAt.get(device.id) ?? 0) < REFUSALS_APART_MICROS) return;
  refusedAt.set(device.id, time);
  const { organizationId, id: deviceId } = device;
  port.postMessage({
    type: 'connection',
    change: 'refused',
    organizationId,
    deviceId,
    time,
    reason,
  } satisfies ConnectionMessage);
}

function brokerHost(of: Broker): BrokerHost {
  return {
    listen: async () => {
      await of.start();
      const addresses = of.addresses();
      return {
        tcp: addresses.find(({ kind }) => kind === 'tcp') ?? null,
        tls: addresses.find(({ kind }) => kind === 'tls') ?? null,
        ws: addresses.find(({ kind }) => kind === 'ws') ?? null,
        wss: addresses.find(({ kind }) => kind === 'wss') ?? null,
      };
    },
    closeListeners: () => of.stop(),
    loadDirectory: (snapshot) => directory.load(snapshot),
    applyDirectory: (changes) => {
      for (const change of changes) {
        const ending = endingOf(change);
        directory.apply(change);
        if (ending !== null) of.disconnectDevice(ending.device, ADMINISTRATIVE_ACTION, ending.reason);
      }
      of.forgetRoutes();
    },
    statistics: () => of.statistics(),
    health: () => [of.health()],
    metrics: () => metrics.snapshot(),
    stop: async () => {
      clearInterval(retentionTimer);
      clearInterval(tlsTimer);
      await of.stop();
      await log.close();
    },
  };
}

/** The live session that a change ends at once, with the reason; null where it ends none. Asked before the change is applied. */
function endingOf(change: DirectoryChange): { device: DeviceName; reason: string } | null {
  if (change.kind !== 'device' && change.kind !== 'device-removed') return null;
  const before = directory.device(change.kind === 'device' ? change.device.id : change.deviceId);
  // Nobody can have logged in as a device that was not known.
  if (before === undefined) return null;
  const device = { organizationId: before.organizationId, deviceId: before.id };
  if (change.kind === 'device-removed') return { device, reason: 'the device was removed' };
  const { organizationId, lifecycle, tokenSha256 } = change.device;
  if (lifecycle === 'decommissioned') return { device, reason: 'the device was decommissioned' };
  if (organizationId !== before.organizationId)
    return { device, reason: 'the device belongs to another organisation now' };
  const isTokenChanged = before.tokenSha256 !== null && before.tokenSha256 !== tokenSha256;
  return isTokenChanged ? { device, reason: 'the device token was changed' } : null;
}

function logHost(of: Log): LogHost {
  return {
    append: (topic, batch) => of.append(topic, batch),
    advance: (topic, partition, position) => of.advance(topic, partition, position),
    commitPosition: (group, topic, partition, position) => of.commitPosition(group, topic, partition, position),
    committedPosition: (group, topic, partition) => of.committedPosition(group, topic, partition),
    bounds: (topic) => of.bounds(topic),
    storedUpTo: (partition, position) => retention.storedUpTo(partition, position),
  };
}
