/** The part `api`: HTTP, Socket.IO and the web UI in the main thread, bound to the other parts through their threads. */
import { existsSync } from 'node:fs';
import { type ApiDependencies, createApi, DEFAULT_API_SETTINGS, type PipelineReport } from '@fieldline/api';
import { FieldlineError, messageOf, systemClock } from '@fieldline/kit';
import { createDeadLetterAccess } from '../dead-letter-access.ts';
import { sandboxAccess } from '../history-access.ts';
import type { Installation } from '../installation.ts';
import { UI_DIST } from '../ui-build.ts';
import { pipelineOf } from './pipeline-part.ts';

export async function startApi(of: Installation): Promise<void> {
  of.api = await createApi(apiDependencies(of));
  await listen(of);
  const { host, port } = of.api.address!;
  of.apiUrl = `http://${isWildcard(host) ? 'localhost' : host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function listen({ api, config }: Installation): Promise<void> {
  const { host, port } = config.api;
  try {
    await api.start(host, port);
  } catch (error) {
    const message = `api: cannot listen on ${host}:${port} (${messageOf(error)}); free the port or set another one (settings api.host and api.port)`;
    throw new FieldlineError('CONFIG_INVALID', message, { cause: error });
  }
}

export async function stopApi(of: Installation): Promise<void> {
  await of.api?.stop();
}

function apiDependencies(of: Installation): ApiDependencies {
  return {
    catalog: of.catalog,
    telemetry: {
      readRaw: async (query) => pipelineOf(of).readRaw(query),
      readBuckets: async (query) => pipelineOf(of).readBuckets(query),
      downsample: async (query) => pipelineOf(of).downsample(query),
      latest: async (seriesIds) => pipelineOf(of).latest(seriesIds),
    },
    directory: of.directory,
    directorySettled: async () => of.directoryReached.until(await of.catalog.system.directory.version()),
    ingest: (batch) => of.logHost.append('telemetry.raw', batch),
    storedPositions: async () => pipelineOf(of).storedPositions(),
    deadLetters: createDeadLetterAccess(of),
    sandboxes: sandboxAccess(of),
    liveBus: of.liveBus,
    deviceStatus: (deviceId) => {
      const connection = of.connectivity.get(deviceId);
      const lastSeen = of.lastSeen.get(deviceId);
      if (connection === undefined && lastSeen === null) return null;
      return { status: connection?.status ?? 'unknown', since: connection?.since ?? null, lastSeen };
    },
    health: () => of.health(),
    pipelineHealth: () => pipelineReport(of),
    metricsSnapshots: async () => [
      await of.metrics.snapshot(),
      await of.brokerThread.host.metrics(),
      (await of.pipelineThread?.host.metrics()) ?? [],
      (await of.connectorThread?.host.metrics()) ?? [],
    ],
    mqttAddress: () => ({
      host: of.mqtt.tcp !== null && isWildcard(of.mqtt.tcp.host) ? null : (of.mqtt.tcp?.host ?? null),
      port: of.mqtt.tcp?.port ?? null,
      tlsPort: of.mqtt.tls?.port ?? null,
    }),
    clock: systemClock,
    logger: of.logger.child({ service: 'api' }),
    metrics: of.metrics,
    settings: {
      ...DEFAULT_API_SETTINGS,
      publicUrl: of.config.api.publicUrl === '' ? null : of.config.api.publicUrl,
      uiDir: of.config.api.ui && existsSync(UI_DIST) ? UI_DIST : null,
      trustProxy: of.config.api.trustProxy,
      bodyBytesMax: of.config.api.bodyBytesMax,
      ingestQueueBytesMax: of.config.api.ingestQueueBytesMax,
      unreadAnswerBytesMax: of.config.api.unreadAnswerBytesMax,
      liveClientsMax: of.config.api.liveClientsMax,
      liveUnreadBytesMax: of.config.api.liveUnreadBytesMax,
      liveBacklogBytesMax: of.config.api.liveBacklogBytesMax,
      liveStalledTimeoutMs: of.config.api.liveStalledTimeoutMs,
      requestsPerMinute: {
        ...DEFAULT_API_SETTINGS.requestsPerMinute,
        general: of.config.api.requestsPerMinute,
        timeSeries: of.config.api.requestsPerMinute,
      },
    },
  };
}

async function pipelineReport(of: Installation): Promise<PipelineReport> {
  const report = await pipelineOf(of).report();
  const topics = ['telemetry.raw', 'events', 'dead-letters'] as const;
  const log = await Promise.all(
    topics.map(async (topic) => {
      const bounds = await of.logReader.bounds(topic);
      return {
        topic,
        records: bounds.reduce((sum, { first, next }) => sum + next - first, 0),
        bytes: bounds.reduce((sum, { byteLength }) => sum + byteLength, 0),
      };
    }),
  );
  return { ...report, log };
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
