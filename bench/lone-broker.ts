/**
 * The broker alone in a process, for figures about it: anybody may log in, `app/…` goes between clients, everything else into a
 * log that answers at once. Arguments: a PEM certificate and its key for TLS (optional). Prints its addresses as one JSON line.
 */
import { readFileSync } from 'node:fs';
import { createBroker, type PublishRoute } from '@fieldline/broker';

const [certFile, keyFile] = process.argv.slice(2);
const local = { host: '127.0.0.1', port: 0 };
const routes = new Map<string, PublishRoute>();

const broker = createBroker({
  listeners: {
    tcp: [local],
    ws: [local],
    tls:
      certFile === undefined || keyFile === undefined
        ? []
        : [{ ...local, cert: readFileSync(certFile), key: readFileSync(keyFile), clientCertificate: 'none' }],
  },
  limits: { subscriptionsPerSessionMax: 1_000_000 },
  authenticate: ({ clientId }) => ({
    accepted: true,
    identity: { organizationId: 'bench', deviceId: clientId, kind: 'device' },
  }),
  route: ({ organizationId, deviceId }, topic) => {
    if (topic.startsWith('app/')) return { to: 'clients' };
    let route = routes.get(topic);
    if (route === undefined) {
      route = {
        to: 'log',
        origin: { organizationId, deviceId, topic, codec: 'json', source: 'mqtt', mappingVersion: 1 },
      };
      routes.set(topic, route);
    }
    return route;
  },
  maySubscribe: () => ({ allowed: true }),
  appendToLog: async () => {},
  dataDir: null,
});
await broker.start();
process.on('SIGTERM', () => process.exit(0));
console.log(JSON.stringify(Object.fromEntries(broker.addresses().map(({ kind, port }) => [kind, port]))));
