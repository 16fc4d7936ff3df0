/**
 * What the catalog gives out and takes in: plain rows that cross threads. Times are microseconds since 1970 (UTC), ids are
 * UUIDs, secrets are never part of a row. `version` grows with every change of a row and guards against lost updates.
 */
import type { DeviceKind, DeviceLifecycle, EventType, Micros } from '@fieldline/model';

/** What every resource carries. */
export interface Resource {
  readonly id: string;
  readonly organizationId: string;
  readonly createdAt: Micros;
  readonly updatedAt: Micros;
  /** 1 at first; +1 with every change. */
  readonly version: number;
}

export interface Organization {
  readonly id: string;
  /** Short name for addresses and topics: lower case letters, digits and '-'; unique in the installation. */
  readonly slug: string;
  readonly name: string;
  /** Unknown devices that speak through a known door are registered rather than refused. */
  readonly autoRegistration: boolean;
  readonly createdAt: Micros;
  readonly updatedAt: Micros;
  readonly version: number;
}
export type OrganizationChanges = Partial<Pick<Organization, 'slug' | 'name' | 'autoRegistration'>>;

export const USER_ROLES = ['admin', 'operator', 'engineer', 'viewer'] as const;
export type UserRole = (typeof USER_ROLES)[number];

export interface User extends Resource {
  /** Lower case; unique in the installation. */
  readonly email: string;
  readonly name: string;
  readonly role: UserRole;
  /** Sites that the user sees; null = all of the organisation. */
  readonly siteIds: readonly string[] | null;
  readonly disabled: boolean;
  /** Grows when all sessions of the user are ended; belongs into access tokens (see Sessions.isRevoked). */
  readonly tokenVersion: number;
  readonly lastLoginAt: Micros | null;
}
export interface NewUser {
  readonly email: string;
  readonly name: string;
  readonly role: UserRole;
  /** 8 to 1,024 characters; null = cannot log in by password. */
  readonly password: string | null;
  readonly siteIds?: readonly string[] | null;
}
export type UserChanges = Partial<Omit<NewUser, 'password'>> & {
  readonly password?: string;
  readonly disabled?: boolean;
};

export interface Site extends Resource {
  readonly name: string;
  /** IANA name; days of this site's roll-ups start at its midnight. */
  readonly timeZone: string;
  readonly address: string;
  readonly latitude: number | null;
  readonly longitude: number | null;
  readonly attributes: JsonObject;
}
export interface NewSite {
  readonly name: string;
  readonly timeZone?: string;
  readonly address?: string;
  readonly latitude?: number | null;
  readonly longitude?: number | null;
  readonly attributes?: JsonObject;
}
export type SiteChanges = Partial<NewSite>;

export const CONNECTIVITY_STATES = ['unknown', 'online', 'offline'] as const;
export type ConnectivityStatus = (typeof CONNECTIVITY_STATES)[number];

export interface Device extends Resource {
  /** What the device is called on the wire beside its id; unique in the organisation (see model isKey). */
  readonly key: string;
  readonly name: string;
  readonly kind: DeviceKind;
  readonly siteId: string | null;
  readonly lifecycle: DeviceLifecycle;
  readonly serialNumber: string | null;
  readonly attributes: JsonObject;
  readonly tags: readonly string[];
  /** The gateway that may speak for this device. */
  readonly gatewayId: string | null;
  /** True where the device has a token; the token itself is shown once only. */
  readonly hasToken: boolean;
  readonly connectivityStatus: ConnectivityStatus;
  readonly connectivityChangedAt: Micros | null;
  /** Written in batches, so it may lag by some seconds. */
  readonly lastSeen: Micros | null;
}
export interface NewDevice {
  readonly name: string;
  /** Default: the device's id. */
  readonly key?: string;
  readonly kind?: DeviceKind;
  readonly siteId?: string | null;
  readonly lifecycle?: DeviceLifecycle;
  readonly serialNumber?: string | null;
  readonly attributes?: JsonObject;
  readonly tags?: readonly string[];
  readonly gatewayId?: string | null;
}
export type DeviceChanges = Partial<NewDevice>;
export interface DeviceWithToken {
  readonly device: Device;
  /** Shown this once; the catalog keeps its SHA-256 only. */
  readonly token: string;
}

export const DEVICE_SORTS = ['name', 'key', 'createdAt', 'updatedAt', 'lastSeen', 'connectivityStatus'] as const;
export type DeviceSort = (typeof DEVICE_SORTS)[number];
export interface DeviceFilter extends PageRequest {
  /** Part of name, key or serial number, whatever the case. */
  readonly search?: string;
  readonly kind?: DeviceKind;
  readonly siteId?: string;
  readonly gatewayId?: string;
  readonly lifecycle?: DeviceLifecycle;
  readonly connectivityStatus?: ConnectivityStatus;
  readonly tag?: string;
  /** Default 'name', ascending. */
  readonly sort?: DeviceSort;
  readonly descending?: boolean;
}

/** What may be changed of a series; its subject, metric key and value kind stay. */
export interface SeriesChanges {
  readonly unit?: string;
  readonly sourceUnit?: string;
  readonly scale?: number;
  readonly offset?: number;
  readonly minimum?: number | null;
  readonly maximum?: number | null;
  readonly metadata?: JsonObject;
}

export interface NewMapping {
  readonly name: string;
  readonly pattern: string;
  readonly codec: string;
  readonly device: string;
  readonly metric: string;
  /** Default 0. */
  readonly priority?: number;
  /** Default true. */
  readonly enabled?: boolean;
}
export type MappingChanges = Partial<NewMapping>;

export interface ApiKey extends Resource {
  readonly name: string;
  /** The first characters of the key, to recognise it by. */
  readonly prefix: string;
  /** What the key may do, e.g. 'ingest:write', 'telemetry:read'; the words are the API's. */
  readonly scopes: readonly string[];
  readonly siteIds: readonly string[] | null;
  readonly expiresAt: Micros | null;
  /** Written at most once a minute. */
  readonly lastUsedAt: Micros | null;
  readonly revokedAt: Micros | null;
  readonly createdBy: string | null;
}
export interface NewApiKey {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly siteIds?: readonly string[] | null;
  readonly expiresAt?: Micros | null;
  readonly createdBy?: string | null;
}
export interface ApiKeyWithSecret {
  readonly apiKey: ApiKey;
  /** The whole key, shown this once: 'flk_' + prefix + '_' + secret. */
  readonly key: string;
}

export interface Setting {
  readonly key: string;
  readonly value: unknown;
  readonly updatedAt: Micros;
}

export interface EventFilter {
  readonly types?: readonly EventType[];
  readonly subjectId?: string;
  /** Inclusive. */
  readonly from?: Micros;
  /** Exclusive. */
  readonly to?: Micros;
  /** 1 to 1,000; default 100. Newest first. */
  readonly limit?: number;
  /** From the page before; opaque. */
  readonly cursor?: string;
}

/** Who does something. */
export interface Actor {
  readonly kind: 'user' | 'api-key' | 'device';
  readonly id: string;
  /** Where from: an IP address; null where it came from nowhere outside. */
  readonly address: string | null;
}

/** An entry of the audit trail as it is hashed. */
export interface AuditContent {
  /** The hash of the entry before; '' in the first. */
  readonly previous: string;
  readonly sequence: number;
  readonly time: Micros;
  /** `system` where nobody asked for it. */
  readonly actor: { readonly kind: Actor['kind'] | 'system'; readonly id?: string; readonly address?: string };
  readonly action: string;
  readonly subject: { readonly kind: string; readonly id: string };
  readonly before: JsonObject | null;
  readonly after: JsonObject | null;
}

export interface AuditEntry {
  /** 1, 2, 3, … within the organisation, without a gap. */
  readonly sequence: number;
  readonly time: Micros;
  readonly actor: AuditContent['actor'];
  /** create, update, delete; other words where something was done that changes no row. */
  readonly action: string;
  readonly subjectKind: string;
  readonly subjectId: string;
  /** Of an update the columns that changed; secrets are '(secret)'. */
  readonly before: JsonObject | null;
  readonly after: JsonObject | null;
  /** SHA-256, hexadecimal. */
  readonly hash: string;
}

export interface AuditFilter {
  readonly actorId?: string;
  readonly action?: string;
  readonly subjectKind?: string;
  readonly subjectId?: string;
  /** Inclusive. */
  readonly from?: Micros;
  /** Exclusive. */
  readonly to?: Micros;
  /** 1 to 1,000; default 100. Newest first. */
  readonly limit?: number;
  /** From the page before; opaque. */
  readonly cursor?: string;
}

/** Something that was done and changes no row: a sensitive read, a sign-in. */
export interface AuditNote {
  readonly action: string;
  readonly subjectKind: string;
  readonly subjectId: string;
  readonly details?: JsonObject;
}

export interface AuditVerification {
  readonly count: number;
  /** The newest entry; noted elsewhere, it tells later whether all up to it still stands. */
  readonly head: { readonly sequence: number; readonly hash: string };
  /** Empty where the trail is whole. */
  readonly problems: readonly string[];
}

/** What somebody did with a dead letter. A dead letter is a record of the log: (partition, position). */
export interface DeadLetterAction {
  readonly id: string;
  readonly organizationId: string;
  readonly partition: number;
  readonly position: number;
  readonly action: 'replayed' | 'dismissed';
  readonly note: string;
  readonly userId: string | null;
  readonly createdAt: Micros;
}
export type NewDeadLetterAction = Pick<DeadLetterAction, 'partition' | 'position' | 'action' | 'note' | 'userId'>;

/** queued with a runAt ahead waits for its next attempt ("delayed"). The last three are final. */
export const JOB_STATUSES = ['queued', 'running', 'paused', 'completed', 'failed', 'cancelled'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** Long work on behalf of an organisation, which outlives the request and the process. */
export interface Job {
  readonly id: string;
  readonly organizationId: string;
  readonly kind: string;
  readonly status: JobStatus;
  readonly parameters: JsonObject;
  /** Where the worker goes on; its own form. null = from the start. */
  readonly checkpoint: JsonObject | null;
  readonly progressDone: number;
  /** null until it is known. */
  readonly progressTotal: number | null;
  /** progressDone at startedAt: what was done since then tells the pace. */
  readonly progressAtStart: number;
  readonly result: JsonObject | null;
  /** Why the last attempt failed, in words. */
  readonly error: string | null;
  /** Attempts since the job last came further. */
  readonly attempts: number;
  readonly attemptsMax: number;
  readonly runAt: Micros;
  readonly leaseUntil: Micros | null;
  readonly userId: string | null;
  readonly createdAt: Micros;
  readonly updatedAt: Micros;
  /** When the current (or last) attempt began. */
  readonly startedAt: Micros | null;
  readonly finishedAt: Micros | null;
}
export interface NewJob {
  readonly kind: string;
  readonly parameters: JsonObject;
  readonly userId?: string | null;
  /** Default 5. */
  readonly attemptsMax?: number;
}
export interface JobFilter extends PageRequest {
  readonly kind?: string;
  readonly status?: JobStatus;
}
/** Jobs of one kind, by status. `delayed` are those of `queued` that wait for another attempt. */
export interface JobCounts {
  readonly kind: string;
  readonly counts: Readonly<Record<JobStatus | 'delayed', number>>;
}
export interface JobProgress {
  readonly done: number;
  readonly total: number | null;
  readonly checkpoint: JsonObject;
}

/** The receipt of an HTTP ingest request: where its records stand in the log, so that their state can be told later. */
export interface IngestReceipt {
  readonly id: string;
  readonly organizationId: string;
  readonly apiKeyId: string | null;
  readonly receivedTime: Micros;
  readonly recordCount: number;
  readonly ranges: readonly ReceiptRange[];
}
export interface ReceiptRange {
  readonly partition: number;
  readonly firstPosition: number;
  readonly count: number;
}

export interface ConnectivityUpdate {
  readonly organizationId: string;
  readonly deviceId: string;
  readonly status: ConnectivityStatus;
  /** When it changed. An update that is older than what is stored is passed over. */
  readonly time: Micros;
}
export interface LastSeenUpdate {
  readonly organizationId: string;
  readonly deviceId: string;
  readonly time: Micros;
}

/** RS256 key pair for access tokens. */
export interface SigningKey {
  /** Key id for the token's header. */
  readonly kid: string;
  /** PKCS #8, PEM. */
  readonly privateKeyPem: string;
  /** SPKI, PEM. */
  readonly publicKeyPem: string;
  readonly createdAt: Micros;
}

/** A refresh token that has just been made: shown this once. */
export interface RefreshToken {
  readonly token: string;
  /** The session; belongs into access tokens (see Sessions.isRevoked). */
  readonly familyId: string;
  readonly expiresAt: Micros;
}
export type Rotation =
  | { readonly outcome: 'rotated'; readonly refreshToken: RefreshToken; readonly user: User }
  /** replayed: the token had been used before; its whole family has been ended now. */
  | { readonly outcome: 'unknown' | 'expired' | 'revoked' | 'replayed'; readonly userId: string | null };

/** What an access token must say so that its revocation can be told. */
export interface TokenClaims {
  readonly userId: string;
  readonly tokenVersion: number;
  readonly familyId: string;
}

export type JsonObject = Readonly<Record<string, unknown>>;

export interface PageRequest {
  /** 1 to 1,000; default 50. */
  readonly limit?: number;
  /** Rows to pass over; default 0. */
  readonly offset?: number;
}
export interface Page<T> {
  readonly items: readonly T[];
  /** Rows that match, on all pages. */
  readonly total: number;
}
export interface CursorPage<T> {
  readonly items: readonly T[];
  /** null = this was the last page. */
  readonly nextCursor: string | null;
}
