/**
 * Finds out who asks, before a body is read: Authorization: Bearer <access token>, or X-API-Key. What is not valid is a 401,
 * also where the route would have been open to the bearer of nothing; guessing keys is slowed down by address.
 */
import { FieldlineError, isFieldlineError } from '@fieldline/kit';
import type { FastifyRequest } from 'fastify';
import type { AccessTokens } from '../auth/access-tokens.ts';
import { TokenBuckets } from '../auth/token-bucket.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { permissionsOfScopes } from '../permissions.ts';
import type { Principal } from '../principal.ts';

/** Credentials that are not valid, a minute and address; beyond it 429 before anything is looked up. */
const FAILURES_PER_MINUTE = 60;
const CREDENTIAL_LENGTH_MAX = 8192;

declare module 'fastify' {
  interface FastifyRequest {
    principal: Principal | null;
  }
}

export type Identify = (request: FastifyRequest) => Promise<Principal | null>;

/** A function that answers who asks; null where no credentials were sent. Rejects with UNAUTHENTICATED where they are not valid. */
export function createIdentify(deps: ApiDependencies, tokens: AccessTokens): Identify {
  const failures = new TokenBuckets();
  return async (request) => {
    const { authorization, 'x-api-key': apiKey } = request.headers;
    if (authorization === undefined && apiKey === undefined) return null;
    const guard = failures.take(request.ip, FAILURES_PER_MINUTE, deps.clock.monotonicMs());
    if (!guard.allowed) {
      throw new FieldlineError('RATE_LIMITED', 'too many credentials that are not valid came from this address', {
        details: { retryAfterSeconds: guard.retryAfterSeconds },
      });
    }
    try {
      const principal =
        typeof apiKey === 'string' ? await byApiKey(deps, apiKey) : await tokens.verify(bearerOf(authorization ?? ''));
      failures.refund(request.ip, FAILURES_PER_MINUTE);
      return principal;
    } catch (error) {
      if (!isFieldlineError(error, 'UNAUTHENTICATED')) failures.refund(request.ip, FAILURES_PER_MINUTE);
      throw error;
    }
  };
}

function bearerOf(authorization: string): string {
  const match = /^Bearer ([\w.~+/=-]+)$/i.exec(authorization);
  if (match === null || authorization.length > CREDENTIAL_LENGTH_MAX) {
    throw new FieldlineError('UNAUTHENTICATED', 'Authorization must be "Bearer" and an access token');
  }
  return match[1]!;
}

async function byApiKey(deps: ApiDependencies, key: string): Promise<Principal> {
  const apiKey = key.length > 512 ? null : await deps.catalog.system.sessions.authenticateApiKey(key);
  const expired = apiKey?.expiresAt != null && apiKey.expiresAt <= deps.clock.nowMicros();
  if (apiKey === null || apiKey.revokedAt !== null || expired) {
    throw new FieldlineError('UNAUTHENTICATED', 'the API key is not known, revoked or past its time');
  }
  return {
    kind: 'api-key',
    budgetKey: `key:${apiKey.id}`,
    apiKeyId: apiKey.id,
    organizationId: apiKey.organizationId,
    siteIds: apiKey.siteIds,
    permissions: permissionsOfScopes(apiKey.scopes, apiKey.siteIds),
  };
}
