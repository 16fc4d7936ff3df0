/** The part `log`: the broker's thread with the log's writer in it, and a reader for the main thread. Listeners stay closed. */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { remote } from '@fieldline/kit';
import { openEmbeddedLogReader, type SharedLog } from '@fieldline/log';
import type { Installation } from '../installation.ts';
import type { BrokerHost, BrokerThreadData, ConnectionMessage, LogHost } from '../threads/messages.ts';
import { noteOpenedAt } from '../threads/opened-at.ts';
import { startThread } from '../threads/start-thread.ts';
import { onConnection } from './events-part.ts';

/** Starts the thread and waits until the log is open and repaired. */
export async function startLog(of: Installation): Promise<void> {
  const thread = await startThread<BrokerHost>({
    name: 'broker',
    file: './broker-thread.ts',
    data: { config: of.config } satisfies BrokerThreadData,
    youngGenerationMb: 48,
    onFailure: (error) => of.onFailure('log', error),
  });
  of.brokerThread = thread;
  of.sharedLog = thread.handover as SharedLog;
  of.logHost = remote<LogHost>(portToLog(of));
  of.logReader = openEmbeddedLogReader({ shared: of.sharedLog, logger: of.logger });
  of.logOpenedAt = noteOpenedAt(of.config.dataDir, await of.logReader.bounds('telemetry.raw'), of.logger);
  thread.worker.on('message', (message: ConnectionMessage) => {
    if (message?.type === 'connection') onConnection(of, message);
  });
}

/** Closes the log after all that was appended is durable, and ends the thread. */
export async function stopLog(of: Installation): Promise<void> {
  await of.logReader?.close();
  await of.brokerThread?.host.stop();
  await of.brokerThread?.end();
}

/** A new way to the log's writer, for another thread. */
export function portToLog(of: Installation): MessagePort {
  const { port1, port2 } = new MessageChannel();
  of.brokerThread.worker.postMessage({ type: 'log-port', port: port2 }, [port2]);
  return port1;
}
