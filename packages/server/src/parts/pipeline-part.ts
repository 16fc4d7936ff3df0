/** The part `pipeline`: its thread with the store in it, and what it needs of the catalog and the log's writer. */
import { MessageChannel } from 'node:worker_threads';
import { expose, systemClock } from '@fieldline/kit';
import { type DirectoryDevice, type DomainEvent, newId } from '@fieldline/model';
import type { Installation } from '../installation.ts';
import type {
  CatalogGate,
  FramesMessage,
  LastSeenMessage,
  PipelineHost,
  PipelineThreadData,
} from '../threads/messages.ts';
import { startThread } from '../threads/start-thread.ts';
import { portToLog } from './log-part.ts';

/** A store with a year of data opens within seconds; a repair after damage may take longer. */
const START_TIMEOUT_MS = 300_000;

export async function startPipeline(of: Installation): Promise<void> {
  const directory = await of.catalog.system.directory.snapshot();
  const gate = new MessageChannel();
  expose(gate.port1, catalogGate(of));
  const logPort = portToLog(of);
  const thread = await startThread<PipelineHost>({
    name: 'pipeline',
    file: './pipeline-thread.ts',
    data: {
      config: of.config,
      directory,
      log: of.sharedLog,
      logPort,
      catalogPort: gate.port2,
    } satisfies PipelineThreadData,
    transfer: [logPort, gate.port2],
    startTimeoutMs: START_TIMEOUT_MS,
    youngGenerationMb: 96,
    onFailure: (error) => of.onFailure('pipeline', error),
  });
  of.pipelineThread = thread;
  of.directoryReached.note('pipeline', directory.version);
  thread.worker.on('message', (message: FramesMessage | LastSeenMessage) => {
    if (message?.type === 'frames') for (const frame of message.frames) of.liveBus.frame(frame);
    else if (message?.type === 'last-seen') of.lastSeen.note(message.deviceIds, message.times);
  });
  of.endings.push(
    of.catalog.system.directory.watch(directory.version, (changes) => {
      of.directoryReached.noteWhen(thread.host.applyDirectory(changes), 'pipeline', changes.at(-1)!.version);
    }),
  );
  await thread.host.run();
}

export async function stopPipeline(of: Installation): Promise<void> {
  await of.pipelineThread?.host.stop();
  await of.pipelineThread?.end();
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

function catalogGate(of: Installation): CatalogGate {
  const { feed } = of.catalog.system;
  return {
    registerSeries: (requests) => feed.registerSeries(requests),
    registerDevice: async (organizationId, key, gatewayId) => {
      const { device, created } = await feed.registerDevice({ organizationId, key, gatewayId });
      if (created) of.eventWriter.write(registeredEvent(device));
      return device;
    },
  };
}
