/** API keys: made, listed, revoked. The key itself is told once. */
import type { ApiKey as ApiKeyRow } from '@fieldline/catalog';
import type { ApiKey } from '@fieldline/contract';
import type { GroupHandlers } from '../../handlers.ts';
import { userIdOf } from '../../principal.ts';
import { defined, found, isoOrNull, pageOf, parseTime, resource } from '../../text.ts';

export function apiKeyHandlers(): GroupHandlers<'apiKeys'> {
  return {
    list: async ({ query, catalog }) => pageOf(await catalog.apiKeys.list(defined(query)), query, apiKeyJson),

    create: async ({ body, catalog, principal, reply }) => {
      const expiresAt = typeof body.expiresAt === 'string' ? parseTime(body.expiresAt, 'body/expiresAt') : null;
      const { apiKey, key } = await catalog.apiKeys.create({
        name: body.name,
        scopes: [...new Set(body.scopes)],
        siteIds: body.siteIds ?? null,
        expiresAt,
        createdBy: userIdOf(principal),
      });
      reply.header('cache-control', 'no-store');
      return { apiKey: apiKeyJson(apiKey), key };
    },

    get: async ({ params, catalog }) =>
      apiKeyJson(found(await catalog.apiKeys.get(params.apiKeyId), 'API key', params.apiKeyId)),

    revoke: async ({ params, catalog }) => {
      await catalog.apiKeys.revoke(params.apiKeyId);
    },
  };
}

function apiKeyJson(row: ApiKeyRow): ApiKey {
  return resource(row, {
    name: row.name,
    prefix: row.prefix,
    scopes: [...row.scopes],
    siteIds: row.siteIds === null ? null : [...row.siteIds],
    expiresAt: isoOrNull(row.expiresAt),
    lastUsedAt: isoOrNull(row.lastUsedAt),
    revokedAt: isoOrNull(row.revokedAt),
  });
}
