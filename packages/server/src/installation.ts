/** What the parts of one running server hold in common. Each field is set by the part that it is named after (roles.ts). */
import type { Api } from '@fieldline/api';
import type { Catalog, JobWorker } from '@fieldline/catalog';
import { createLogger, type Health, type Logger, Metrics, type Remote, type Service } from '@fieldline/kit';
import type { LogReader, PartitionBounds, SharedLog } from '@fieldline/log';
import { DirectoryCache, type DirectorySnapshot } from '@fieldline/model';
import type { Config } from './config/schema.ts';
import type { EventWriter } from './connection-events.ts';
import { Connectivity } from './connectivity.ts';
import type { DataFolder } from './data-folder.ts';
import { DirectoryReached } from './directory-reached.ts';
import type { LastSeen } from './last-seen.ts';
import type { MemoryLiveBus } from './live-bus.ts';
import type { StorageWatch } from './storage-watch.ts';
import type { ConnectorHost } from './threads/connector-messages.ts';
import type { HistoryHost } from './threads/history-messages.ts';
import type { BrokerAddresses, BrokerHost, LogHost, PipelineHost } from './threads/messages.ts';
import type { Thread } from './threads/start-thread.ts';

export class Installation {
  readonly config: Config;
  /** The organisation that the first start makes; null = the catalog's default. */
  readonly firstOrganization: { readonly slug: string; readonly name: string } | null;
  readonly logger: Logger;
  readonly metrics = new Metrics();
  readonly directory = new DirectoryCache();
  readonly directoryReached = new DirectoryReached();
  readonly connectivity = new Connectivity();
  /** Called when a thread has ended unasked: the server cannot go on without it. */
  readonly onFailure: (part: string, error: Error) => void;

  dataFolder!: DataFolder;
  catalog!: Catalog;
  /** The administrator's password where it was made up at this start. */
  generatedPassword: string | null = null;
  directorySnapshot!: DirectorySnapshot;
  /** Called before the catalog closes: they end the watches on it. */
  readonly endings: (() => void)[] = [];
  brokerThread!: Thread<BrokerHost>;
  sharedLog!: SharedLog;
  logHost!: Remote<LogHost>;
  logReader!: LogReader;
  /** The partitions of telemetry.raw as the start found them. */
  logOpenedAt!: readonly PartitionBounds[];
  /** null until the store is open. */
  pipelineThread: Thread<PipelineHost> | null = null;
  /** null where nothing is to be fetched. */
  connectorThread: Thread<ConnectorHost> | null = null;
  jobWorker: JobWorker | null = null;
  /** Started when a replay runs or a sandbox is read; null before. */
  historyThread: Promise<Thread<HistoryHost>> | null = null;
  liveBus!: MemoryLiveBus;
  lastSeen!: LastSeen;
  eventWriter!: EventWriter;
  eventsConsumer!: Service;
  storageWatch: StorageWatch | null = null;
  readonly timers: NodeJS.Timeout[] = [];
  api!: Api;
  apiUrl = '';
  mqtt: BrokerAddresses = { tcp: null, tls: null, ws: null, wss: null };

  /** Set by whoever runs the parts: the state of each, for /health/ready. */
  health: () => Promise<Health[]> = async () => [];

  constructor(
    config: Config,
    firstOrganization: Installation['firstOrganization'],
    onFailure: (part: string, error: Error) => void,
  ) {
    this.config = config;
    this.firstOrganization = firstOrganization;
    this.logger = createLogger('server', config.logLevel);
    this.onFailure = onFailure;
  }
}
