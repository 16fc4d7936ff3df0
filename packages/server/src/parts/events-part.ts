/**
 * The part `events`: what happened goes into the log, from there into the catalog and to live screens; who is online is
 * kept in memory and written to the catalog in bulk.
 */
import { systemClock } from '@fieldline/kit';
import { connectionEvent, EventWriter } from '../connection-events.ts';
import { createEventsConsumer } from '../events-consumer.ts';
import type { Installation } from '../installation.ts';
import { LastSeen } from '../last-seen.ts';
import { MemoryLiveBus } from '../live-bus.ts';
import { StorageWatch } from '../storage-watch.ts';
import type { ConnectionMessage } from '../threads/messages.ts';

const CONNECTIVITY_FLUSH_MS = 1000;
const LAST_SEEN_FLUSH_MS = 15_000;
const STORAGE_LOOK_MS = 1000;

export async function startEvents(of: Installation): Promise<void> {
  of.lastSeen = new LastSeen();
  of.liveBus = new MemoryLiveBus((interest) => void of.pipelineThread?.host.setLiveInterest(interest));
  of.eventWriter = new EventWriter({ append: (batch) => of.logHost.append('events', batch), logger: of.logger });
  of.eventsConsumer = createEventsConsumer({
    reader: of.logReader,
    logger: of.logger,
    commitPosition: (group, topic, partition, position) => of.logHost.commitPosition(group, topic, partition, position),
    insertEvents: (events) => of.catalog.system.feed.insertEvents(events),
    onEvents: (events) => {
      for (const event of events) of.liveBus.event(event);
    },
  });
  await of.eventsConsumer.start();
  await tellInterrupted(of);
  of.storageWatch = storageWatch(of);
  of.timers.push(
    setInterval(() => void of.storageWatch?.look(), STORAGE_LOOK_MS),
    setInterval(() => void flushConnectivity(of), CONNECTIVITY_FLUSH_MS),
    setInterval(() => void flushLastSeen(of), LAST_SEEN_FLUSH_MS),
  );
}

export async function stopEvents(of: Installation): Promise<void> {
  for (const timer of of.timers) clearInterval(timer);
  await of.eventWriter?.flush();
  await flushConnectivity(of);
  await flushLastSeen(of);
  await of.eventsConsumer?.stop();
}

/** A change of a connection, as the broker tells it. */
export function onConnection(of: Installation, message: ConnectionMessage): void {
  of.eventWriter?.write(connectionEvent(message));
  const state = of.connectivity.apply(message);
  if (state === null) return;
  of.liveBus.deviceStatus({ ...state, lastSeen: of.lastSeen.get(state.deviceId) });
}

function storageWatch(of: Installation): StorageWatch {
  return new StorageWatch({
    dataDir: of.config.dataDir,
    logger: of.logger.child({ service: 'storage' }),
    metrics: of.metrics,
    nowMicros: () => systemClock.nowMicros(),
    organizationIds: async () => (await of.catalog.system.organizations.list()).map(({ id }) => id),
    write: (event) => of.eventWriter.write(event),
  });
}

/** Devices that were online when the last run was cut off are offline now, and an event says why. */
async function tellInterrupted(of: Installation): Promise<void> {
  const time = systemClock.nowMicros();
  for (const { organizationId, deviceId } of await of.catalog.system.feed.markOffline(time, [])) {
    const reason = 'the server was restarted';
    of.eventWriter.write(
      connectionEvent({ type: 'connection', change: 'disconnected', organizationId, deviceId, time, reason }),
    );
  }
}

async function flushConnectivity(of: Installation): Promise<void> {
  await of.connectivity.flush(
    (changed) =>
      of.catalog.system.feed.setConnectivity(
        changed.map(({ organizationId, deviceId, status, since }) => ({
          organizationId,
          deviceId,
          status,
          time: since,
        })),
      ),
    of.logger,
  );
}

async function flushLastSeen(of: Installation): Promise<void> {
  await of.lastSeen.flush(async (entries) => {
    const updates = entries.flatMap(({ deviceId, lastSeen }) => {
      const device = of.directory.device(deviceId);
      return device === undefined ? [] : [{ organizationId: device.organizationId, deviceId, time: lastSeen }];
    });
    await of.catalog.system.feed.touchLastSeen(updates);
  }, of.logger);
}
