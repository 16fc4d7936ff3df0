/** The parts `store` and `pipeline`: one thread for both, and what it needs of the catalog and the log's writer. */
import { MessageChannel } from 'node:worker_threads';
import { expose, FieldlineError, systemClock } from '@fieldline/kit';
import { type DirectoryDevice, type DomainEvent, newId } from '@fieldline/model';
import type { Installation } from '../installation.ts';
import type {
  CatalogGate,
  ConnectMessage,
  FramesMessage,
  LastSeenMessage,
  PipelineHost,
  PipelineThreadData,
} from '../threads/messages.ts';
import { startThread, type Thread } from '../threads/start-thread.ts';
import { portToLog } from './log-part.ts';

/** A store with a year of data opens within seconds; a repair after damage may take longer. */
const START_TIMEOUT_MS = 300_000;

/** Starts the thread and waits until the store is open; nothing is read yet. */
export async function startStore(of: Installation): Promise<void> {
  const thread = await startThread<PipelineHost>({
    name: 'pipeline',
    file: './pipeline-thread.ts',
    data: { config: of.config } satisfies PipelineThreadData,
    startTimeoutMs: START_TIMEOUT_MS,
    youngGenerationMb: 96,
    onFailure: (error) => of.onFailure('pipeline', error),
  });
  thread.worker.on('message', (message: FramesMessage | LastSeenMessage) => {
    if (message?.type === 'frames') for (const frame of message.frames) of.liveBus.frame(frame);
    else if (message?.type === 'last-seen') of.lastSeen.note(message.deviceIds, message.times);
  });
  of.pipelineThread = thread;
}

/** Closes the store and ends the thread. */
export async function stopStore(of: Installation): Promise<void> {
  await of.pipelineThread?.host.stop();
  await of.pipelineThread?.end();
}

export async function startPipeline(of: Installation): Promise<void> {
  const directory = await of.catalog.system.directory.snapshot();
  const { worker, host } = of.pipelineThread!;
  const gate = new MessageChannel();
  expose(gate.port1, catalogGate(of));
  const ports = { logPort: portToLog(of), catalogPort: gate.port2 };
  worker.postMessage({ type: 'connect', ...ports } satisfies ConnectMessage, Object.values(ports));
  await host.run({ directory, log: of.sharedLog, openedAt: of.logOpenedAt });
  of.directoryReached.note('pipeline', directory.version);
  of.endings.push(
    of.catalog.system.directory.watch(directory.version, (changes) => {
      of.directoryReached.noteWhen(host.applyDirectory(changes), 'pipeline', changes.at(-1)!.version);
    }),
  );
  await host.setLiveInterest(of.liveBus.interest);
}

export async function stopPipeline(of: Installation): Promise<void> {
  await of.pipelineThread?.host.stopReading();
}

/** The thread's stand-in. UNAVAILABLE as long as the store is being opened. */
export function pipelineOf({ pipelineThread }: Installation): Thread<PipelineHost>['host'] {
  if (pipelineThread !== null) return pipelineThread.host;
  throw new FieldlineError(
    'UNAVAILABLE',
    'the telemetry store is still being opened; what is sent meanwhile is kept. Ask again in a few seconds',
    { details: { retryAfterSeconds: 2 } },
  );
}

/** An unknown device that spoke through a door that is open to it is one of the organisation's now. */
function registeredEvent({ organizationId, id, key, gatewayId }: DirectoryDevice): DomainEvent {
  const time = systemClock.nowMicros();
  return {
    id: newId(time / 1000),
    organizationId,
    type: 'DEVICE_REGISTERED',
    subjectKind: 'device',
    subjectId: id,
    time,
    payload: { reason: 'it spoke for the first time', key, gatewayId },
  };
}

/** What other threads ask of the catalog. */
export function catalogGate(of: Installation): CatalogGate {
  const { feed } = of.catalog.system;
  return {
    registerSeries: (requests) => feed.registerSeries(requests),
    restoreSeries: (series, highestId) => feed.restoreSeries(series, highestId),
    registerDevice: async (organizationId, key, gatewayId) => {
      const { device, created } = await feed.registerDevice({ organizationId, key, gatewayId });
      if (created) of.eventWriter.write(registeredEvent(device));
      return device;
    },
  };
}
