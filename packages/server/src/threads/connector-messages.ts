/** What the main thread and the connectors' thread say to each other. */
import type { MessagePort } from 'node:worker_threads';
import type { BridgeTls } from '@fieldline/connectors';
import type { DirectoryChange, DirectorySnapshot } from '@fieldline/model';
import type { Config } from '../config/schema.ts';
import type { ThreadHost } from './messages.ts';

export interface ConnectorHost extends ThreadHost {
  applyDirectory(changes: readonly DirectoryChange[]): void;
}

export interface ConnectorThreadData {
  readonly config: Config;
  /** Everything that comes over the bridge belongs to it. */
  readonly organizationId: string;
  readonly tls: BridgeTls;
  /** Without series. */
  readonly directory: DirectorySnapshot;
  /** To the log's writer (LogHost). */
  readonly logPort: MessagePort;
}
