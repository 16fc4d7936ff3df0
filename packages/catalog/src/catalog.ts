/**
 * The catalog's port: everything that is configured or happened, apart from telemetry. This comment is the contract; the
 * conformance suite (conformance.ts) checks it on PGlite and on PostgreSQL.
 *
 * - There are two doors. `scoped(scope)` sees one organisation (and, where the scope lists sites, only what belongs to them):
 *   the database enforces it by row-level security, whatever a query says. `system` is the narrow door for what knows no
 *   organisation yet; every statement behind it stands in queries/system-*.ts. A query through no door is refused.
 * - What a promise has resolved is on disk. Each method is one transaction; nothing else is awaited inside it.
 * - A row that the scope does not see is answered like one that does not exist: null, or NOT_FOUND where it was to be changed.
 * - CONFLICT: a unique name is taken, or `version` is not the stored one. BAD_REQUEST: a value is not valid, with the field in
 *   details.field; a reference (site, gateway) to something that the organisation does not have is a BAD_REQUEST too.
 * - Arguments and results are plain data; `system` may be exposed to other threads as it is.
 */
import type {
  DeviceKind,
  DirectoryChange,
  DirectoryDevice,
  DirectorySnapshot,
  DomainEvent,
  Micros,
  SeriesDefinition,
  SeriesRequest,
  StoredSeries,
  TopicMapping,
} from '@fieldline/model';
import type {
  Actor,
  ApiKey,
  ApiKeyWithSecret,
  AuditEntry,
  AuditFilter,
  AuditNote,
  AuditVerification,
  ConnectivityUpdate,
  CursorPage,
  DeadLetterAction,
  Device,
  DeviceChanges,
  DeviceFilter,
  DeviceWithToken,
  EventFilter,
  IngestReceipt,
  Job,
  JobCounts,
  JobFilter,
  JobProgress,
  JobStatus,
  JsonObject,
  LastSeenUpdate,
  MappingChanges,
  NewApiKey,
  NewDeadLetterAction,
  NewDevice,
  NewJob,
  NewMapping,
  NewSite,
  NewUser,
  Organization,
  OrganizationChanges,
  Page,
  PageRequest,
  RefreshToken,
  Rotation,
  SeriesChanges,
  Setting,
  SigningKey,
  Site,
  SiteChanges,
  TokenClaims,
  User,
  UserChanges,
} from './rows.ts';

/** What a caller may see. */
export interface Scope {
  readonly organizationId: string;
  /** null = every site and what belongs to none; a list = what belongs to these sites only. */
  readonly siteIds: readonly string[] | null;
  /** Who asks, for the audit trail; absent = the system. */
  readonly actor?: Actor;
}

export interface Catalog {
  /** The door of one organisation. Cheap: makes no query. */
  scoped(scope: Scope): ScopedCatalog;
  readonly system: SystemCatalog;
  /** Makes the first organisation and its administrator where there is none yet; afterwards changes nothing. */
  bootstrap(options: BootstrapOptions): Promise<Bootstrap>;
  /** Rejects with UNAVAILABLE where the database does not answer. */
  ping(): Promise<void>;
  /** Ends watches, waits for open transactions, closes the database. Twice is fine. */
  close(): Promise<void>;
}

export interface BootstrapOptions {
  readonly adminEmail: string;
  /** Made up where absent. */
  readonly adminPassword?: string;
  /** Default 'default'. */
  readonly organizationSlug?: string;
  /** Default 'Default organization'. */
  readonly organizationName?: string;
}

export interface Bootstrap {
  readonly organization: Organization;
  /** True where this call made the organisation and the administrator. */
  readonly created: boolean;
  /** The password that was made up, to be printed once; null where one was given or nothing was made. */
  readonly generatedPassword: string | null;
}

/** One organisation, by group. */
export interface ScopedCatalog {
  readonly scope: Scope;
  readonly organization: OrganizationCatalog;
  readonly users: UserCatalog;
  readonly sites: SiteCatalog;
  readonly devices: DeviceCatalog;
  readonly series: SeriesCatalog;
  readonly mappings: MappingCatalog;
  readonly apiKeys: ApiKeyCatalog;
  readonly settings: SettingCatalog;
  readonly events: EventCatalog;
  readonly deadLetters: DeadLetterCatalog;
  readonly receipts: ReceiptCatalog;
  readonly jobs: JobCatalog;
  readonly audit: AuditCatalog;
}

/** Guards a change: it is made only where the row still has this version, else CONFLICT. */
export interface ChangeOptions {
  readonly version?: number;
}

export interface OrganizationCatalog {
  get(): Promise<Organization>;
  update(changes: OrganizationChanges, options?: ChangeOptions): Promise<Organization>;
}

export interface UserCatalog {
  create(user: NewUser): Promise<User>;
  get(id: string): Promise<User | null>;
  /** By e-mail, ascending. */
  list(page?: PageRequest): Promise<Page<User>>;
  /** A new password, a new role, other sites or `disabled` end the user's sessions at once. */
  update(id: string, changes: UserChanges, options?: ChangeOptions): Promise<User>;
  /** The organisation's last enabled administrator cannot be deleted, disabled or demoted: CONFLICT. */
  delete(id: string): Promise<void>;
}

export interface SiteCatalog {
  create(site: NewSite): Promise<Site>;
  get(id: string): Promise<Site | null>;
  /** By name, ascending. */
  list(page?: PageRequest): Promise<Page<Site>>;
  update(id: string, changes: SiteChanges, options?: ChangeOptions): Promise<Site>;
  /** CONFLICT while devices belong to it. */
  delete(id: string): Promise<void>;
}

export interface DeviceCatalog {
  /** Makes the device with a fresh token. */
  create(device: NewDevice): Promise<DeviceWithToken>;
  /** By id, or by key. */
  get(idOrKey: string): Promise<Device | null>;
  list(filter?: DeviceFilter): Promise<Page<Device>>;
  update(id: string, changes: DeviceChanges, options?: ChangeOptions): Promise<Device>;
  /** Replaces the token; the old one is worth nothing from the next directory change on (within 100 ms). */
  rotateToken(id: string): Promise<DeviceWithToken>;
  /** Takes the token away: the device can no longer log in with one. */
  revokeToken(id: string): Promise<Device>;
  /**
   * Takes the device out of sight: gone from lists and directory, its token is worth nothing, its key is free again. Its row
   * and its series stay in the database, so that telemetry that is already stored keeps its meaning.
   */
  delete(id: string): Promise<void>;
  /** Devices by connectivity status, deleted ones left out. */
  countByConnectivity(): Promise<Readonly<Record<'unknown' | 'online' | 'offline', number>>>;
}

export interface SeriesCatalog {
  get(id: number): Promise<SeriesDefinition | null>;
  /** Those of these ids that the scope sees, by id. At most 10,000 ids. */
  getMany(ids: readonly number[]): Promise<SeriesDefinition[]>;
  /** All series of one device or asset, by metric key. */
  listOf(subjectId: string): Promise<SeriesDefinition[]>;
  find(subjectId: string, metricKey: string): Promise<SeriesDefinition | null>;
  update(id: number, changes: SeriesChanges): Promise<SeriesDefinition>;
}

export interface MappingCatalog {
  /** The organisation's own and the built-in ones (organizationId null), in the order in which they are tried. */
  list(): Promise<TopicMapping[]>;
  get(id: string): Promise<TopicMapping | null>;
  /** BAD_REQUEST with field 'pattern' where patternProblem() finds one. */
  create(mapping: NewMapping): Promise<TopicMapping>;
  /** Built-in mappings cannot be changed: FORBIDDEN. An own mapping goes before them. */
  update(id: string, changes: MappingChanges): Promise<TopicMapping>;
  delete(id: string): Promise<void>;
}

export interface ApiKeyCatalog {
  create(apiKey: NewApiKey): Promise<ApiKeyWithSecret>;
  get(id: string): Promise<ApiKey | null>;
  /** Newest first; revoked ones too. */
  list(page?: PageRequest): Promise<Page<ApiKey>>;
  /** Worth nothing from now on. Twice is fine. */
  revoke(id: string): Promise<ApiKey>;
}

/** Free JSON values of the organisation; keys are 1 to 128 characters. */
export interface SettingCatalog {
  get(key: string): Promise<unknown>;
  list(): Promise<Setting[]>;
  set(key: string, value: unknown): Promise<Setting>;
  delete(key: string): Promise<void>;
}

export interface EventCatalog {
  /** Newest first. */
  list(filter?: EventFilter): Promise<CursorPage<DomainEvent>>;
  get(id: string): Promise<DomainEvent | null>;
}

export interface DeadLetterCatalog {
  record(actions: readonly NewDeadLetterAction[]): Promise<void>;
  /** What was done with the dead letters of a partition in [from, to), oldest first. At most 10,000. */
  list(range: { readonly partition: number; readonly from: number; readonly to: number }): Promise<DeadLetterAction[]>;
}

export interface ReceiptCatalog {
  get(id: string): Promise<IngestReceipt | null>;
}

/**
 * The audit trail: every change of what is configured, by whoever made it, in the transaction of the change. Append-only, numbered
 * without a gap and chained by hashes. A scope of some sites reads none of it.
 */
export interface AuditCatalog {
  /** Newest first. */
  list(filter?: AuditFilter): Promise<CursorPage<AuditEntry>>;
  /** For what changes no row: sensitive reads, sign-ins. */
  note(note: AuditNote): Promise<void>;
  /** Goes through the whole chain. `expected` is a head that was noted elsewhere earlier. */
  verify(expected?: AuditVerification['head']): Promise<AuditVerification>;
}

/** The organisation's jobs. They concern it as a whole: a scope of some sites sees none. */
export interface JobCatalog {
  /** OVERLOADED where the organisation has 100 unfinished ones already. */
  create(job: NewJob): Promise<Job>;
  get(id: string): Promise<Job | null>;
  /** Newest first. */
  list(filter?: JobFilter): Promise<Page<Job>>;
  /** A queued or running job rests until resume(). Twice is fine; CONFLICT where it is finished. */
  pause(id: string): Promise<Job>;
  /** A paused or failed job goes on where it was, with all its attempts again. CONFLICT where it is completed or cancelled. */
  resume(id: string): Promise<Job>;
  /** Final. Twice is fine; CONFLICT where it has ended otherwise. */
  cancel(id: string): Promise<Job>;
  /** Deletes the row of a finished job; CONFLICT where it is not finished. */
  delete(id: string): Promise<void>;
  counts(): Promise<JobCounts[]>;
  /** Cancels those that wait for another attempt. Returns how many. */
  cancelDelayed(): Promise<number>;
}

/** The door for what knows no organisation yet. */
export interface SystemCatalog {
  readonly organizations: SystemOrganizations;
  readonly sessions: Sessions;
  readonly directory: Directory;
  readonly feed: Feed;
  readonly jobs: SystemJobs;
}

/** What workers do with jobs, over all organisations. A job that was claimed again, paused or cancelled is the claimer's no more. */
export interface SystemJobs {
  /**
   * Takes the job that has waited longest, for `leaseMs`: a queued one that is due, or one whose worker has not been heard of.
   * Of one organisation and kind one runs at a time. Of `job` and `nextDue` at most one is not null.
   */
  claim(
    kinds: readonly string[],
    leaseMs: number,
  ): Promise<{ readonly job: Job | null; readonly nextDue: Micros | null }>;
  /** Notes how far it is and prolongs the lease. False where the job is the claimer's no more. */
  progress(job: Job, progress: JobProgress, leaseMs: number): Promise<boolean>;
  prolong(job: Job, leaseMs: number): Promise<boolean>;
  /** False where the job is the claimer's no more; it then stays as it is. */
  complete(job: Job, result: JsonObject): Promise<boolean>;
  fail(job: Job, error: string): Promise<boolean>;
  /** Another attempt, after `delayMs`. */
  retry(job: Job, error: string, delayMs: number): Promise<boolean>;
  /** Gives a job back that is interrupted: it costs no attempt. It keeps its place in the queue, or goes to the end of it. */
  release(job: Job, place: 'kept' | 'last'): Promise<boolean>;
  /** Whether one of these kinds is due and nobody has taken it up. */
  isAnyWaiting(kinds: readonly string[]): Promise<boolean>;
  /** Makes running jobs due at once: for a process that knows that no other one can be at work. */
  releaseAll(): Promise<number>;
  /** Those that ended before `before`, oldest first, at most 1,000. */
  finishedBefore(before: Micros): Promise<Job[]>;
  get(id: string): Promise<Job | null>;
  delete(ids: readonly string[]): Promise<void>;
  /** Calls back when a job was made or has another status; id and status null = some may have been missed. */
  onChange(listener: (id: string | null, status: JobStatus | null) => void): () => void;
}

export interface SystemOrganizations {
  create(organization: { readonly slug: string; readonly name: string }): Promise<Organization>;
  list(): Promise<Organization[]>;
  find(idOrSlug: string): Promise<Organization | null>;
}

/** Who somebody is, and for how long that holds. */
export interface Sessions {
  /**
   * The user with this e-mail and password; null where there is none, it is disabled or the password is wrong. Takes as long
   * for an unknown e-mail as for a wrong password. Limits on attempts are the caller's. Remembers lastLoginAt.
   */
  logIn(email: string, password: string, address?: string): Promise<User | null>;
  /** For requests that come with a valid access token; null where the user is gone or disabled. */
  user(userId: string): Promise<User | null>;
  /** Starts a family of refresh tokens (one log-in). */
  startFamily(
    userId: string,
    client?: { readonly userAgent?: string; readonly address?: string },
  ): Promise<RefreshToken>;
  /** Takes a refresh token, once, for the next one of its family. One that comes twice ends the family. */
  rotate(token: string): Promise<Rotation>;
  /** Ends the session that this refresh token belongs to. An unknown token is passed over. */
  endFamily(token: string): Promise<void>;
  /** Ends all sessions of a user: refresh tokens and access tokens. */
  endAll(userId: string): Promise<void>;
  /** True where the access token has been revoked since it was issued. Answers from memory; other processes' revocations arrive within 100 ms. */
  isRevoked(claims: TokenClaims): boolean;
  /** Calls back when a user's sessions have been ended, so that live connections can be closed. familyId null = all of the user's. */
  onRevoked(listener: (revoked: { readonly userId: string; readonly familyId: string | null }) => void): () => void;
  /** The key that signs access tokens; made at the first call. The private key is encrypted in the database. */
  signingKey(): Promise<SigningKey>;
  /** Public keys that may still have signed a living token, by kid. */
  verificationKeys(): Promise<ReadonlyMap<string, string>>;
  /** The API key's row where it is known, not revoked and not expired, else null. Looked up once, then from memory for 10 s. */
  authenticateApiKey(key: string): Promise<ApiKey | null>;
}

/** The directory for broker and pipeline. */
export interface Directory {
  snapshot(): Promise<DirectorySnapshot>;
  /** Version of the newest change that is committed. */
  version(): Promise<number>;
  /**
   * Calls back with the changes after `afterVersion`, in the order of their commits, each version once, until the returned
   * function is called. Typically within 10 ms of the commit, also of other processes'. Several changes of one thing may
   * come as its last one. The listener must not throw.
   */
  watch(afterVersion: number, listener: (changes: readonly DirectoryChange[]) => void): () => void;
}

/** What the pipeline and the broker write, over all organisations, in bulk. All of it may be repeated. */
export interface Feed {
  /**
   * The series for these requests, in their order; those that are new are made. At most 10,000 requests a call.
   * `refused` lists requests (by index) that would pass the limit of series per subject; the others are made all the same.
   */
  registerSeries(requests: readonly SeriesRequest[]): Promise<SeriesRegistration>;
  /**
   * For a catalog that was restored from an older copy: takes in series that the store has samples of, with their ids, where
   * their device is there and neither id nor metric is taken; gives no id up to `highestId` to another one from now on.
   * Returns how many it took in. Twice is fine.
   */
  restoreSeries(series: readonly StoredSeries[], highestId: number): Promise<number>;
  /** The device of this key, made (active, without a token) where there is none. `created` tells which. */
  registerDevice(device: {
    readonly organizationId: string;
    readonly key: string;
    readonly name?: string;
    readonly kind?: DeviceKind;
    readonly siteId?: string | null;
    readonly gatewayId?: string | null;
  }): Promise<{ readonly device: DirectoryDevice; readonly created: boolean }>;
  /** Events are known by their id: one that is there already is passed over. Returns how many were new. */
  insertEvents(events: readonly DomainEvent[]): Promise<number>;
  setConnectivity(updates: readonly ConnectivityUpdate[]): Promise<void>;
  /** After a restart: whatever was online is offline from `time` on, unless it is among `onlineIds`. Returns the ids that changed. */
  markOffline(
    time: Micros,
    onlineIds: readonly string[],
  ): Promise<{ readonly organizationId: string; readonly deviceId: string }[]>;
  touchLastSeen(updates: readonly LastSeenUpdate[]): Promise<void>;
  insertReceipts(receipts: readonly IngestReceipt[]): Promise<void>;
  /** Deletes what is past its age: events, receipts, ended sessions. Returns the rows that were deleted. */
  prune(now: Micros, ages: { readonly eventsMs: number; readonly receiptsMs: number }): Promise<number>;
}

export interface SeriesRegistration {
  /** null at the indexes that stand in `refused`. */
  readonly series: readonly (SeriesDefinition | null)[];
  readonly refused: readonly { readonly index: number; readonly code: 'SERIES_LIMIT' | 'DEVICE_UNKNOWN' }[];
}
