/** What every connection of one broker shares. */
import type { Clock, Logger } from '@fieldline/kit';
import type { BrokerCounters } from './broker-counters.ts';
import type { Budgets } from './budgets.ts';
import type { Connection } from './connection.ts';
import type { GroupCommit } from './group-commit.ts';
import type { BrokerLimits, BrokerOptions, ConnectionEvent } from './options.ts';
import type { Router } from './router/router.ts';
import type { QueueSpool } from './session/queue-spool.ts';
import type { SessionRegistry } from './session/session-registry.ts';
import type { SessionStore } from './session/session-store.ts';
import type { RouteEpoch } from './session/topic-cache.ts';

export interface BrokerContext {
  readonly options: Pick<BrokerOptions, 'authenticate' | 'route' | 'maySubscribe' | 'responseInformation'>;
  readonly limits: BrokerLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly counters: BrokerCounters;
  readonly budgets: Budgets;
  readonly commit: GroupCommit;
  readonly router: Router;
  readonly registry: SessionRegistry;
  readonly store: SessionStore;
  readonly spool: QueueSpool;
  readonly routeEpoch: RouteEpoch;
  readonly connections: Set<Connection>;
  tell(event: Omit<ConnectionEvent, 'time'>): void;
  /** The connection is to be pumped after this round of events. */
  wake(connection: Connection): void;
  /** The connection is not read until there is room in the commit. */
  waitForRoom(connection: Connection): void;
}
