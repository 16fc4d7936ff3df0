/**
 * Opens the catalog: embedded (PGlite) or on a PostgreSQL server, the same code on both. Migrates, brings the built-in
 * mappings up to date, loads young revocations, and joins the groups of queries into the port.
 */
import { type Clock, FieldlineError, type Logger, messageOf, silentLogger, systemClock } from '@fieldline/kit';
import type { Catalog, Feed, Scope, ScopedCatalog, Sessions, SystemCatalog } from './catalog.ts';
import type { Database } from './database/database.ts';
import { openPostgres, type PostgresOptions } from './database/postgres.ts';
import { DirectoryWatch } from './directory-watch.ts';
import { openPglite } from './pglite/pglite.ts';
import type { PgliteOptions, StartedPglite } from './pglite/start-thread.ts';
import { apiKeyCatalog } from './queries/api-keys.ts';
import { auditCatalog } from './queries/audit.ts';
import { deviceCatalog } from './queries/devices.ts';
import { deadLetterCatalog, eventCatalog, receiptCatalog } from './queries/events.ts';
import { JobChanges, jobCatalog } from './queries/jobs.ts';
import { mappingCatalog } from './queries/mappings.ts';
import { organizationCatalog } from './queries/organizations.ts';
import { API_KEY_CHANGED, REVOKED } from './queries/revocations.ts';
import { seriesCatalog } from './queries/series.ts';
import { settingCatalog } from './queries/settings.ts';
import { siteCatalog } from './queries/sites.ts';
import { readChanges, readSnapshot, readVersion } from './queries/system-directory.ts';
import * as feed from './queries/system-feed.ts';
import { systemJobs } from './queries/system-jobs.ts';
import { bootstrap, seedBuiltInMappings, systemOrganizations } from './queries/system-organizations.ts';
import * as refreshTokens from './queries/system-refresh-tokens.ts';
import { registerDevice, registerSeries } from './queries/system-registration.ts';
import { restoreSeries } from './queries/system-series.ts';
import * as sessions from './queries/system-sessions.ts';
import { signingKey, verificationKeys } from './queries/system-signing-keys.ts';
import { userCatalog } from './queries/users.ts';
import { SessionMemory } from './session-memory.ts';

export type CatalogOptions = CommonOptions &
  (({ readonly adapter: 'pglite' } & PgliteOptions) | ({ readonly adapter: 'postgres' } & PostgresOptions));

export interface CommonOptions {
  /** 32 bytes that encrypt what is secret in the database and must be read again. Lost = sessions must be started anew. */
  readonly secretKey: Uint8Array;
  /** Series that one device may have. Default 10,000. */
  readonly seriesPerSubjectMax?: number;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

const SECRET_KEY_BYTES = 32;
const SERIES_PER_SUBJECT_MAX = 10_000;

/**
 * Throws CONFIG_INVALID, DATA_DIR_LOCKED, FORMAT_TOO_NEW, CATALOG_DAMAGED or UNAVAILABLE, each with what to do. `started`: the
 * thread of the embedded database, where startPglite() has begun it already with the same options.
 */
export async function openCatalog(options: CatalogOptions, started?: Promise<StartedPglite>): Promise<Catalog> {
  if (options.secretKey.byteLength !== SECRET_KEY_BYTES) {
    throw new FieldlineError('CONFIG_INVALID', `catalog.secretKey must have ${SECRET_KEY_BYTES} bytes`);
  }
  const database = options.adapter === 'pglite' ? await openPglite(options, started) : await openPostgres(options);
  try {
    return await joinCatalog(database, options);
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** The port over an open database. */
export async function joinCatalog(database: Database, options: CommonOptions): Promise<Catalog> {
  const { clock = systemClock, logger = silentLogger } = options;
  const memory = new SessionMemory();
  const watch = new DirectoryWatch((after) => readChanges(database, after), database.pollIntervalMs, logger);
  const jobChanges = new JobChanges();
  const loadRevocations = async (): Promise<void> => {
    for (const revocation of await sessions.youngRevocations(database)) memory.revoke(revocation, clock.nowMs());
  };
  await seedBuiltInMappings(database);
  await loadRevocations();
  database.onNotification((payload) => {
    if (payload === null) {
      // Some may have been missed: look at everything again.
      memory.forgetApiKey(null);
      watch.wake();
      jobChanges.tell(null);
      loadRevocations().catch((error) =>
        logger.warn({ error: messageOf(error) }, 'catalog: revocations cannot be read'),
      );
    } else if (payload.startsWith(REVOKED)) memory.revoke(JSON.parse(payload.slice(REVOKED.length)), clock.nowMs());
    else if (payload.startsWith(API_KEY_CHANGED)) memory.forgetApiKey(payload.slice(API_KEY_CHANGED.length));
    else if (!jobChanges.tell(payload)) watch.wake();
  });
  const system: SystemCatalog = {
    organizations: systemOrganizations(database),
    sessions: joinSessions(database, memory, clock, options.secretKey),
    directory: {
      snapshot: () => readSnapshot(database),
      version: () => database.transaction('system', readVersion),
      watch: (after, listener) => watch.watch(after, listener),
    },
    feed: joinFeed(database, logger, options.seriesPerSubjectMax ?? SERIES_PER_SUBJECT_MAX),
    jobs: systemJobs(database, jobChanges),
  };
  return {
    system,
    scoped: (scope) => joinScoped(database, scope),
    bootstrap: (bootstrapOptions) => bootstrap(database, bootstrapOptions),
    ping: () => database.ping(),
    async close() {
      await watch.close();
      await database.close();
    },
  };
}

function joinScoped(database: Database, scope: Scope): ScopedCatalog {
  return {
    scope,
    organization: organizationCatalog(database, scope),
    users: userCatalog(database, scope),
    sites: siteCatalog(database, scope),
    devices: deviceCatalog(database, scope),
    series: seriesCatalog(database, scope),
    mappings: mappingCatalog(database, scope),
    apiKeys: apiKeyCatalog(database, scope),
    settings: settingCatalog(database, scope),
    events: eventCatalog(database, scope),
    deadLetters: deadLetterCatalog(database, scope),
    receipts: receiptCatalog(database, scope),
    jobs: jobCatalog(database, scope),
    audit: auditCatalog(database, scope),
  };
}

function joinSessions(database: Database, memory: SessionMemory, clock: Clock, secretKey: Uint8Array): Sessions {
  return {
    logIn: (email, password, address) => sessions.logIn(database, email, password, address),
    user: (userId) => sessions.findUser(database, userId),
    startFamily: (userId, client = {}) => refreshTokens.startFamily(database, clock, userId, client),
    rotate: (token) => refreshTokens.rotate(database, clock, token),
    endFamily: (token) => refreshTokens.endFamily(database, clock, token),
    endAll: (userId) => sessions.endAllSessions(database, userId),
    isRevoked: (claims) => memory.isRevoked(claims),
    onRevoked: (listener) => memory.onRevoked(listener),
    signingKey: () => signingKey(database, secretKey),
    verificationKeys: () => verificationKeys(database),
    authenticateApiKey: (key) => sessions.authenticateApiKey(database, memory, clock, key),
  };
}

function joinFeed(database: Database, logger: Logger, seriesPerSubjectMax: number): Feed {
  return {
    registerSeries: (requests) => registerSeries(database, requests, seriesPerSubjectMax),
    restoreSeries: (list, highestId) => restoreSeries(database, list, highestId),
    registerDevice: (device) => registerDevice(database, device),
    async insertEvents(events) {
      if (events.length === 0) return 0;
      const { inserted, unknownOrganization } = await feed.insertEvents(database, events);
      if (unknownOrganization > 0) {
        logger.warn(
          { eventCount: unknownOrganization },
          'catalog: events of organizations that there are not were passed over',
        );
      }
      return inserted;
    },
    setConnectivity: (updates) => feed.setConnectivity(database, updates),
    markOffline: (time, onlineIds) => feed.markOffline(database, time, onlineIds),
    touchLastSeen: (updates) => feed.touchLastSeen(database, updates),
    insertReceipts: (receipts) => feed.insertReceipts(database, receipts),
    prune: (now, ages) => feed.prune(database, now, ages),
  };
}
