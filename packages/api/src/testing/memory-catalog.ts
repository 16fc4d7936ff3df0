/**
 * The catalog in memory, for tests of the api: the parts of the contract that the api relies on (scopes, sessions, rotation,
 * versions, conflicts), without a database. What it promises is what catalog.ts says; durability it has none.
 */
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import type {
  ApiKey,
  Catalog,
  Device,
  Organization,
  Page,
  PageRequest,
  RefreshToken,
  Resource,
  Rotation,
  Scope,
  ScopedCatalog,
  Sessions,
  Site,
  TokenClaims,
  User,
} from '@fieldline/catalog';
import { type Clock, FieldlineError } from '@fieldline/kit';
import {
  BUILT_IN_MAPPINGS,
  DirectoryCache,
  type DomainEvent,
  newId,
  patternProblem,
  type SeriesDefinition,
  type TopicMapping,
} from '@fieldline/model';
import { MemoryJobs } from './memory-jobs.ts';

type Row = { -readonly [K in keyof Resource]: Resource[K] };

/** Rows of one kind, all organizations; what it gives out are copies. */
class Table<T extends Row> {
  readonly rows = new Map<string, T>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  insert(organizationId: string, rest: Omit<T, keyof Row> & { id?: string }): T {
    const time = this.#clock.nowMicros();
    const row = { id: newId(), organizationId, createdAt: time, updatedAt: time, version: 1, ...rest } as unknown as T;
    this.rows.set(row.id, row);
    return { ...row };
  }

  get(organizationId: string, id: string): T | null {
    const row = this.rows.get(id);
    return row?.organizationId === organizationId ? { ...row } : null;
  }

  list(organizationId: string, test: (row: T) => boolean = () => true): T[] {
    return [...this.rows.values()].filter((row) => row.organizationId === organizationId && test(row));
  }

  update(row: T | null, changes: Partial<T>, version?: number): T {
    if (row === null) throw new FieldlineError('NOT_FOUND', 'there is no such row');
    if (version !== undefined && version !== row.version)
      throw new FieldlineError('CONFLICT', 'it was changed meanwhile');
    const next = { ...row, ...changes, version: row.version + 1, updatedAt: this.#clock.nowMicros() };
    this.rows.set(row.id, next);
    return { ...next };
  }
}

function pageOf<T>(rows: T[], { limit = 50, offset = 0 }: PageRequest = {}): Page<T> {
  return { items: rows.slice(offset, offset + limit), total: rows.length };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

interface Family {
  readonly userId: string;
  readonly used: Set<string>;
  current: string;
  expiresAt: number;
  ended: boolean;
}

/** A catalog with short ways to fill it, and the directory that follows it. */
export interface TestCatalog extends Catalog {
  readonly directory: DirectoryCache;
  addOrganization(slug: string): Promise<Organization>;
  addUser(
    organizationId: string,
    role: User['role'],
    siteIds?: readonly string[] | null,
  ): Promise<User & { password: string }>;
  /** Resolves when the directory knows it. */
  addSeries(device: Device, metricKey: string, unit?: string): Promise<SeriesDefinition>;
  addEvents(...events: DomainEvent[]): Promise<void>;
  /** Set it to false and the database does not answer. */
  reachable: boolean;
}

export function createMemoryCatalog(clock: Clock): TestCatalog {
  const jobs = new MemoryJobs(() => clock.nowMicros());
  const organizations = new Map<string, Organization>();
  const users = new Table<User>(clock);
  const passwords = new Map<string, string>();
  const sites = new Table<Site>(clock);
  const devices = new Table<Device>(clock);
  const tokens = new Map<string, string>();
  const apiKeys = new Table<ApiKey>(clock);
  const keyHashes = new Map<string, string>();
  const mappings = new Map<string, TopicMapping>();
  const series = new Map<number, SeriesDefinition>();
  const events: DomainEvent[] = [];
  const directory = new DirectoryCache();
  for (const mapping of BUILT_IN_MAPPINGS) mappings.set(mapping.id, mapping);

  const tellDevice = (device: Device): void => {
    const { id, organizationId, key, name, kind, siteId, lifecycle, gatewayId } = device;
    const tokenSha256 = tokens.has(id) ? sha256(tokens.get(id)!) : null;
    directory.apply({
      version: directory.version + 1,
      kind: 'device',
      device: { id, organizationId, key, name, kind, siteId, lifecycle, gatewayId, tokenSha256 },
    });
  };
  const state = { reachable: true };
  const sessions = createSessions(clock, users, passwords, apiKeys, keyHashes);

  const scoped = (scope: Scope): ScopedCatalog => {
    const { organizationId, siteIds } = scope;
    const sees = (row: { siteId: string | null }): boolean =>
      siteIds === null || (row.siteId !== null && siteIds.includes(row.siteId));
    const seesSite = (id: string): boolean => siteIds === null || siteIds.includes(id);
    const deviceOf = (idOrKey: string): Device | null =>
      devices.list(organizationId, (row) => sees(row) && (row.id === idOrKey || row.key === idOrKey))[0] ?? null;
    const checkDevice = (
      row: { key?: string | undefined; siteId?: string | null | undefined },
      self?: string,
    ): void => {
      if (row.key !== undefined && devices.list(organizationId, (d) => d.key === row.key && d.id !== self).length > 0) {
        throw new FieldlineError('CONFLICT', `key ${row.key} is taken`, { details: { field: 'key' } });
      }
      if (row.siteId != null && (sites.get(organizationId, row.siteId) === null || !seesSite(row.siteId))) {
        throw new FieldlineError('BAD_REQUEST', `there is no site ${row.siteId}`, { details: { field: 'siteId' } });
      }
    };
    const giveToken = (device: Device): { device: Device; token: string } => {
      const token = `fld_${randomBytes(24).toString('base64url')}`;
      tokens.set(device.id, token);
      const row = devices.update(device, { hasToken: true } as Partial<Device>);
      tellDevice(row);
      return { device: row, token };
    };
    const ownMapping = (id: string): TopicMapping => {
      const mapping = mappings.get(id);
      if (mapping?.organizationId === null) throw new FieldlineError('FORBIDDEN', 'built-in mappings stay as they are');
      if (mapping?.organizationId !== organizationId) throw new FieldlineError('NOT_FOUND', 'there is no such mapping');
      return mapping;
    };
    const mustExist = <T>(row: T | null): T => {
      if (row === null) throw new FieldlineError('NOT_FOUND', 'there is no such row');
      return row;
    };
    const visibleSeries = (one: SeriesDefinition | undefined): one is SeriesDefinition =>
      one?.organizationId === organizationId && deviceOf(one.subjectId) !== null;

    return {
      scope,
      organization: {
        get: async () => organizations.get(organizationId)!,
        update: async (changes, { version } = {}) => {
          const before = organizations.get(organizationId)!;
          if (version !== undefined && version !== before.version)
            throw new FieldlineError('CONFLICT', 'changed meanwhile');
          const after = { ...before, ...changes, version: before.version + 1 };
          organizations.set(organizationId, after);
          return after;
        },
      },
      users: {
        create: async ({ password, ...user }) => {
          if ([...users.rows.values()].some((row) => row.email === user.email)) {
            throw new FieldlineError('CONFLICT', `${user.email} is taken`, { details: { field: 'email' } });
          }
          const rest = { siteIds: null, ...user, disabled: false, tokenVersion: 1, lastLoginAt: null };
          const row = users.insert(organizationId, rest);
          if (password !== null) passwords.set(row.id, password);
          return row;
        },
        get: async (id) => users.get(organizationId, id),
        list: async (page) => pageOf(users.list(organizationId), page),
        update: async (id, { password, ...changes }, { version } = {}) => {
          const row = users.update(users.get(organizationId, id), changes as Partial<User>, version);
          if (password !== undefined) passwords.set(id, password);
          await sessions.endAll(id);
          return users.get(organizationId, row.id)!;
        },
        delete: async (id) => {
          mustExist(users.get(organizationId, id));
          await sessions.endAll(id);
          users.rows.delete(id);
        },
      },
      sites: {
        create: async (site) =>
          sites.insert(organizationId, {
            timeZone: 'UTC',
            address: '',
            latitude: null,
            longitude: null,
            attributes: {},
            ...site,
          }),
        get: async (id) => (seesSite(id) ? sites.get(organizationId, id) : null),
        list: async (page) =>
          pageOf(
            sites.list(organizationId, ({ id }) => seesSite(id)),
            page,
          ),
        update: async (id, changes, { version } = {}) =>
          sites.update(sites.get(organizationId, id), changes as Partial<Site>, version),
        delete: async (id) => {
          mustExist(sites.get(organizationId, id));
          if (devices.list(organizationId, (row) => row.siteId === id).length > 0) {
            throw new FieldlineError('CONFLICT', 'devices belong to this site');
          }
          sites.rows.delete(id);
        },
      },
      devices: {
        create: async (device) => {
          checkDevice(device);
          const id = newId();
          const row = devices.insert(organizationId, {
            kind: 'other',
            siteId: null,
            lifecycle: 'active',
            serialNumber: null,
            attributes: {},
            tags: [],
            gatewayId: null,
            hasToken: true,
            connectivityStatus: 'unknown',
            connectivityChangedAt: null,
            lastSeen: null,
            ...device,
            id,
            key: device.key ?? id,
          });
          return giveToken(row);
        },
        get: async (idOrKey) => deviceOf(idOrKey),
        list: async (filter = {}) => {
          const { search, kind, siteId, connectivityStatus, tag } = filter;
          const found = devices.list(
            organizationId,
            (row) =>
              sees(row) &&
              (search === undefined || `${row.name} ${row.key}`.toLowerCase().includes(search.toLowerCase())) &&
              (kind === undefined || row.kind === kind) &&
              (siteId === undefined || row.siteId === siteId) &&
              (tag === undefined || row.tags.includes(tag)) &&
              (connectivityStatus === undefined || row.connectivityStatus === connectivityStatus),
          );
          found.sort((a, b) => a.name.localeCompare(b.name));
          return pageOf(filter.descending === true ? found.reverse() : found, filter);
        },
        update: async (id, changes, { version } = {}) => {
          checkDevice(changes, id);
          const row = devices.update(deviceOf(id), changes as Partial<Device>, version);
          tellDevice(row);
          return row;
        },
        rotateToken: async (id) => giveToken(mustExist(deviceOf(id))),
        revokeToken: async (id) => {
          tokens.delete(id);
          const row = devices.update(deviceOf(id), { hasToken: false } as Partial<Device>);
          tellDevice(row);
          return row;
        },
        delete: async (id) => {
          mustExist(deviceOf(id));
          devices.rows.delete(id);
          directory.apply({ version: directory.version + 1, kind: 'device-removed', deviceId: id });
        },
        countByConnectivity: async () => {
          const counts = { unknown: 0, online: 0, offline: 0 };
          for (const row of devices.list(organizationId, sees)) counts[row.connectivityStatus] += 1;
          return counts;
        },
      },
      series: {
        get: async (id) => (visibleSeries(series.get(id)) ? series.get(id)! : null),
        getMany: async (ids) => ids.map((id) => series.get(id)).filter(visibleSeries),
        listOf: async (subjectId) =>
          [...series.values()].filter((one) => one.subjectId === subjectId && visibleSeries(one)),
        find: async (subjectId, metricKey) =>
          [...series.values()].find(
            (one) => one.subjectId === subjectId && one.metricKey === metricKey && visibleSeries(one),
          ) ?? null,
        update: async (id, changes) => {
          const next = { ...mustExist(series.get(id) ?? null), ...changes };
          series.set(id, next);
          directory.apply({ version: directory.version + 1, kind: 'series', series: next });
          return next;
        },
      },
      mappings: {
        list: async () =>
          [...mappings.values()].filter((row) => row.organizationId === null || row.organizationId === organizationId),
        get: async (id) => {
          const row = mappings.get(id);
          return row !== undefined && (row.organizationId === null || row.organizationId === organizationId)
            ? row
            : null;
        },
        create: async (mapping) => {
          const problem = patternProblem(mapping.pattern);
          if (problem !== null) throw new FieldlineError('BAD_REQUEST', problem, { details: { field: 'pattern' } });
          const row = { priority: 0, enabled: true, ...mapping, id: newId(), organizationId };
          mappings.set(row.id, row);
          return row;
        },
        update: async (id, changes) => {
          const row = { ...ownMapping(id), ...changes } as TopicMapping;
          mappings.set(id, row);
          return row;
        },
        delete: async (id) => {
          mappings.delete(ownMapping(id).id);
        },
      },
      apiKeys: {
        create: async (apiKey) => {
          const prefix = randomBytes(4).toString('hex');
          const key = `flk_${prefix}_${randomBytes(24).toString('base64url')}`;
          const rest = { siteIds: null, expiresAt: null, createdBy: null, ...apiKey };
          const row = apiKeys.insert(organizationId, { ...rest, prefix, lastUsedAt: null, revokedAt: null });
          keyHashes.set(sha256(key), row.id);
          return { apiKey: row, key };
        },
        get: async (id) => apiKeys.get(organizationId, id),
        list: async (page) => pageOf(apiKeys.list(organizationId).reverse(), page),
        revoke: async (id) =>
          apiKeys.update(apiKeys.get(organizationId, id), { revokedAt: clock.nowMicros() } as Partial<ApiKey>),
      },
      settings: notUsed('settings'),
      events: {
        list: async ({ types, subjectId, limit = 100 } = {}) => {
          const found = events.filter(
            (event) =>
              event.organizationId === organizationId &&
              (types === undefined || types.includes(event.type)) &&
              (subjectId === undefined || event.subjectId === subjectId),
          );
          return { items: found.reverse().slice(0, limit), nextCursor: null };
        },
        get: async (id) => events.find((event) => event.id === id && event.organizationId === organizationId) ?? null,
      },
      deadLetters: notUsed('deadLetters'),
      receipts: notUsed('receipts'),
      jobs: jobs.of(organizationId, scope.siteIds),
      audit: {
        list: async () => ({ items: [], nextCursor: null }),
        note: async () => {},
        verify: async () => ({ count: 0, head: { sequence: 0, hash: '' }, problems: [] }),
      },
    };
  };

  return {
    scoped,
    system: {
      organizations: {
        create: notUsed('organizations.create'),
        list: async () => [...organizations.values()],
        find: async (idOrSlug) =>
          [...organizations.values()].find(({ id, slug }) => id === idOrSlug || slug === idOrSlug) ?? null,
      },
      sessions,
      directory: notUsed('directory'),
      feed: notUsed('feed'),
      jobs: notUsed('system jobs'),
    },
    bootstrap: notUsed('bootstrap'),
    ping: async () => {
      if (!state.reachable) throw new FieldlineError('UNAVAILABLE', 'the database does not answer');
    },
    close: async () => {},
    directory,
    addEvents: async (...more) => {
      events.push(...more);
    },
    get reachable() {
      return state.reachable;
    },
    set reachable(reachable) {
      state.reachable = reachable;
    },
    addOrganization: async (slug) => {
      const time = clock.nowMicros();
      const row = {
        id: newId(),
        slug,
        name: slug,
        autoRegistration: false,
        createdAt: time,
        updatedAt: time,
        version: 1,
      };
      organizations.set(row.id, row);
      return row;
    },
    addUser: async (organizationId, role, siteIds = null) => {
      const password = randomBytes(9).toString('base64url');
      const email = `${role}-${randomBytes(4).toString('hex')}@example.org`;
      const rest = { email, name: role, role, siteIds, disabled: false, tokenVersion: 1, lastLoginAt: null };
      const row = users.insert(organizationId, rest);
      passwords.set(row.id, password);
      return { ...row, password };
    },
    addSeries: async (device, metricKey, unit = '') => {
      const row: SeriesDefinition = {
        id: series.size + 1,
        organizationId: device.organizationId,
        subjectKind: 'device',
        subjectId: device.id,
        metricKey,
        valueKind: 'number',
        unit,
        sourceUnit: '',
        scale: 1,
        offset: 0,
        minimum: null,
        maximum: null,
        metadata: {},
      };
      series.set(row.id, row);
      directory.apply({ version: directory.version + 1, kind: 'series', series: row });
      return row;
    },
  };
}

function createSessions(
  clock: Clock,
  users: Table<User>,
  passwords: ReadonlyMap<string, string>,
  apiKeys: Table<ApiKey>,
  keyHashes: ReadonlyMap<string, string>,
): Sessions {
  const families = new Map<string, Family>();
  const listeners = new Set<Parameters<Sessions['onRevoked']>[0]>();
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
  const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;

  const userById = (id: string): User | null => {
    const row = users.rows.get(id);
    return row === undefined || row.disabled ? null : { ...row };
  };
  const familyOf = (token: string): [string, Family] | undefined =>
    [...families].find(([, family]) => family.current === token || family.used.has(token));
  const tell = (userId: string, familyId: string | null): void => {
    for (const listener of listeners) listener({ userId, familyId });
  };
  const next = (familyId: string, family: Family): RefreshToken => {
    family.current = randomBytes(24).toString('base64url');
    return { token: family.current, familyId, expiresAt: family.expiresAt };
  };
  const end = (familyId: string, family: Family): void => {
    family.ended = true;
    tell(family.userId, familyId);
  };

  return {
    logIn: async (email, password) => {
      const row = [...users.rows.values()].find((user) => user.email === email.toLowerCase());
      return row !== undefined && !row.disabled && passwords.get(row.id) === password ? { ...row } : null;
    },
    user: async (id) => userById(id),
    startFamily: async (userId) => {
      const expiresAt = clock.nowMicros() + 7 * 86_400_000_000;
      const family: Family = { userId, used: new Set(), current: '', expiresAt, ended: false };
      const id = newId();
      families.set(id, family);
      return next(id, family);
    },
    rotate: async (token): Promise<Rotation> => {
      const [familyId, family] = familyOf(token) ?? [];
      if (familyId === undefined || family === undefined) return { outcome: 'unknown', userId: null };
      if (family.ended) return { outcome: 'revoked', userId: family.userId };
      if (family.used.has(token)) {
        end(familyId, family);
        return { outcome: 'replayed', userId: family.userId };
      }
      const user = userById(family.userId);
      if (user === null) return { outcome: 'revoked', userId: family.userId };
      if (family.expiresAt <= clock.nowMicros()) return { outcome: 'expired', userId: user.id };
      family.used.add(token);
      return { outcome: 'rotated', refreshToken: next(familyId, family), user };
    },
    endFamily: async (token) => {
      const entry = familyOf(token);
      if (entry !== undefined) end(...entry);
    },
    endAll: async (userId) => {
      const row = users.rows.get(userId);
      if (row !== undefined) users.rows.set(userId, { ...row, tokenVersion: row.tokenVersion + 1 });
      for (const family of families.values()) if (family.userId === userId) family.ended = true;
      tell(userId, null);
    },
    isRevoked: ({ userId, tokenVersion, familyId }: TokenClaims) =>
      users.rows.get(userId)?.tokenVersion !== tokenVersion || families.get(familyId)?.ended !== false,
    onRevoked: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    signingKey: async () => ({ kid: 'k1', privateKeyPem, publicKeyPem, createdAt: 0 }),
    verificationKeys: async () => new Map([['k1', publicKeyPem]]),
    authenticateApiKey: async (key) => {
      const row = apiKeys.rows.get(keyHashes.get(sha256(key)) ?? '');
      return row === undefined || row.revokedAt !== null ? null : { ...row };
    },
  };
}

/** A part of the catalog that the api does not use: whoever calls it gets told. */
function notUsed<T>(name: string): T {
  return new Proxy(() => {}, {
    get: () => notUsed(name),
    apply: () => {
      throw new Error(`${name} is not part of the catalog in memory`);
    },
  }) as T;
}
