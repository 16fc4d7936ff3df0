/** The part `connectors`: what Fieldline fetches from the outside world; off where no setting names a source. */
import type { BridgeTls } from '@fieldline/connectors';
import { FieldlineError } from '@fieldline/kit';
import type { Installation } from '../installation.ts';
import { readPem } from '../pem-file.ts';
import type { ConnectorHost, ConnectorThreadData } from '../threads/connector-messages.ts';
import { startThread } from '../threads/start-thread.ts';
import { portToLog } from './log-part.ts';

export async function startConnectors(of: Installation): Promise<void> {
  if (of.config.connectors.mqtt.url === '') return;
  const logPort = portToLog(of);
  const thread = await startThread<ConnectorHost>({
    name: 'connectors',
    file: './connector-thread.ts',
    data: {
      config: of.config,
      organizationId: organizationOf(of),
      tls: tlsOf(of),
      directory: { ...of.directorySnapshot, series: [] },
      logPort,
    } satisfies ConnectorThreadData,
    transfer: [logPort],
    youngGenerationMb: 32,
    onFailure: (error) => of.onFailure('connectors', error),
  });
  of.connectorThread = thread;
  of.endings.push(
    of.catalog.system.directory.watch(of.directorySnapshot.version, (changes) => {
      const concerning = changes.filter(({ kind }) => kind !== 'series');
      if (concerning.length > 0) void thread.host.applyDirectory(concerning);
    }),
  );
}

/** Takes nothing more in, and acknowledges what becomes durable meanwhile. */
export async function stopConnectors(of: Installation): Promise<void> {
  await of.connectorThread?.host.stop();
  await of.connectorThread?.end();
}

function organizationOf({ config, directorySnapshot }: Installation): string {
  const name = config.connectors.mqtt.organization;
  const { organizations } = directorySnapshot;
  const found = name === '' ? organizations : organizations.filter(({ id, slug }) => id === name || slug === name);
  if (found.length === 1) return found[0]!.id;
  const there = organizations.map(({ slug }) => slug).join(', ');
  const message =
    name === ''
      ? `connectors.mqtt.organization: there are ${organizations.length} organisations (${there}); name the one that the messages belong to`
      : `connectors.mqtt.organization: there is no organisation "${name}"; there are ${there}`;
  throw new FieldlineError('CONFIG_INVALID', message);
}

function tlsOf({ config }: Installation): BridgeTls {
  const { caFile, certFile, keyFile } = config.connectors.mqtt;
  return {
    ...(caFile !== '' && { ca: readPem('connectors.mqtt.caFile', caFile) }),
    ...(certFile !== '' && { cert: readPem('connectors.mqtt.certFile', certFile) }),
    ...(keyFile !== '' && { key: readPem('connectors.mqtt.keyFile', keyFile) }),
  };
}
