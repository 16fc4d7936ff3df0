/** The organisation's API keys: 'flk_' + prefix + '_' + secret. The prefix finds the row, the SHA-256 of the whole proves it. */
import { randomBytes } from 'node:crypto';
import { isId, newId } from '@fieldline/model';
import { count, desc, eq, sql } from 'drizzle-orm';
import type { ApiKeyCatalog, Scope } from '../catalog.ts';
import type { Database } from '../database/database.ts';
import type { ApiKey } from '../rows.ts';
import { apiKeys } from '../schema/index.ts';
import { newSecret, sha256 } from '../secrets.ts';
import { checkName, checkPage, checkReference, checkReferences, notFound, refuse } from '../validate.ts';
import { API_KEY_CHANGED, notify } from './revocations.ts';
import { revised } from './update.ts';

const SCOPES_MAX = 50;

export function apiKeyCatalog(database: Database, scope: Scope): ApiKeyCatalog {
  return {
    async create(apiKey) {
      const prefix = randomBytes(6).toString('hex');
      const key = newSecret(`flk_${prefix}`);
      const row = {
        id: newId(),
        organizationId: scope.organizationId,
        name: checkName(apiKey.name),
        prefix,
        keySha256: sha256(key),
        scopes: checkScopes(apiKey.scopes),
        siteIds: checkReferences(apiKey.siteIds ?? null, 'siteIds'),
        expiresAt: apiKey.expiresAt ?? null,
        createdBy: checkReference(apiKey.createdBy, 'createdBy') ?? null,
      };
      return database.transaction(scope, async (queries) => {
        const [created] = await queries.insert(apiKeys).values(row).returning();
        return { apiKey: toApiKey(created!), key };
      });
    },

    async get(id) {
      if (!isId(id)) return null;
      return database.transaction(scope, async (queries) => {
        const [row] = await queries.select().from(apiKeys).where(eq(apiKeys.id, id));
        return row === undefined ? null : toApiKey(row);
      });
    },

    async list(page = {}) {
      const { limit, offset } = checkPage(page);
      return database.transaction(scope, async (queries) => {
        const [all] = await queries.select({ total: count() }).from(apiKeys);
        const order = [desc(apiKeys.createdAt), desc(apiKeys.id)];
        const rows = await queries
          .select()
          .from(apiKeys)
          .orderBy(...order)
          .limit(limit)
          .offset(offset);
        return { items: rows.map(toApiKey), total: all!.total };
      });
    },

    async revoke(id) {
      if (!isId(id)) return notFound('API key', id);
      return database.transaction(scope, async (queries) => {
        const [row] = await queries
          .update(apiKeys)
          .set({ revokedAt: sql`coalesce(${apiKeys.revokedAt}, now())`, ...revised(apiKeys.version) })
          .where(eq(apiKeys.id, id))
          .returning();
        if (row === undefined) return notFound('API key', id);
        await notify(queries, API_KEY_CHANGED + row.prefix);
        return toApiKey(row);
      });
    },
  };
}

/** The row without its secret. */
export function toApiKey({ keySha256: _, ...apiKey }: typeof apiKeys.$inferSelect): ApiKey {
  return apiKey;
}

function checkScopes(scopes: readonly string[]): string[] {
  if (scopes.length < 1 || scopes.length > SCOPES_MAX) refuse('scopes', `must be 1 to ${SCOPES_MAX}`);
  for (const word of scopes) {
    if (!/^[a-z-]{1,32}(:[a-z-]{1,32})?$/.test(word)) refuse('scopes', `"${word}" is no scope, such as ingest:write`);
  }
  return [...new Set(scopes)];
}
