/** The connectors' thread: what is fetched from the outside world becomes raw records in the log, away from devices and people. */
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { MqttBridge, RememberedSessions, routeForeignPublication } from '@fieldline/connectors';
import { createLogger, expose, Metrics, remote, systemClock } from '@fieldline/kit';
import { DirectoryCache } from '@fieldline/model';
import type { ConnectorHost, ConnectorThreadData } from './connector-messages.ts';
import type { LogHost } from './messages.ts';

const port = parentPort!;
const { config, organizationId, tls, directory: snapshot, logPort } = workerData as ConnectorThreadData;
const { connectors, broker, logLevel } = config;
const settings = connectors.mqtt;
const metrics = new Metrics();
const directory = new DirectoryCache(snapshot);
const log = remote<LogHost>(logPort);

const bridge = new MqttBridge({
  url: settings.url,
  userName: settings.userName,
  password: settings.password,
  tls,
  // The beginning of an id is the time at which it was made: two installations of one day would share it.
  clientId: settings.clientId === '' ? `fieldline-${organizationId.slice(-8)}` : settings.clientId,
  filters: settings.filters,
  shareGroup: settings.shareGroup,
  connections: settings.connections,
  receiveMaximum: settings.receiveMaximum,
  sessionExpiryS: settings.sessionExpirySeconds,
  keepAliveS: settings.keepAliveSeconds,
  packetBytesMax: broker.packetBytesMax,
  pendingBytesMax: settings.pendingBytesMax,
  sessions: new RememberedSessions(join(config.dataDir, 'connectors', 'mqtt-bridge.json')),
  route: (topic) => routeForeignPublication(directory, organizationId, topic),
  appendToLog: (batch) => log.append('telemetry.raw', batch),
  clock: systemClock,
  logger: createLogger('connectors', logLevel),
  metrics,
});
await bridge.start();

expose(port, {
  applyDirectory: (changes) => {
    for (const change of changes) directory.apply(change);
    bridge.forgetRoutes();
  },
  health: () => [bridge.health()],
  metrics: () => metrics.snapshot(),
  stop: () => bridge.stop(),
} satisfies ConnectorHost);
port.postMessage({ type: 'ready' });
