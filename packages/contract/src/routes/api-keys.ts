/** API keys: for programs, each with its scopes. The key itself is shown once. */
import { type Static, Type } from 'typebox';
import { Id, Nullable, OneOf, Page, pageQuery, Resource, Shape, Timestamp } from '../common.ts';
import { API_KEY_SCOPES, routeGroup } from '../route.ts';

const Scope = OneOf(API_KEY_SCOPES);
const Name = Type.String({ minLength: 1, maxLength: 200 });

export const ApiKey = Resource('ApiKey', {
  name: Name,
  prefix: Type.String({ description: 'The first characters of the key' }),
  scopes: Type.Array(Type.String()),
  siteIds: Nullable(Type.Array(Id)),
  expiresAt: Nullable(Timestamp),
  lastUsedAt: Nullable(Timestamp),
  revokedAt: Nullable(Timestamp),
});
export type ApiKey = Static<typeof ApiKey>;

const keyParams = Shape({ apiKeyId: Id });

export const apiKeys = routeGroup({
  list: {
    method: 'GET',
    path: '/api/v1/api-keys',
    summary: 'API keys, newest first; revoked ones too',
    query: Shape(pageQuery),
    status: 200,
    answer: Page(ApiKey),
    permission: 'api-keys:read',
    limit: 'general',
  },
  create: {
    method: 'POST',
    path: '/api/v1/api-keys',
    summary: 'Make an API key; it is shown this once',
    body: Shape({
      name: Name,
      scopes: Type.Array(Scope, { minItems: 1, maxItems: API_KEY_SCOPES.length }),
      siteIds: Type.Optional(Nullable(Type.Array(Id, { maxItems: 1000 }))),
      expiresAt: Type.Optional(Nullable(Timestamp)),
    }),
    status: 201,
    answer: Shape({ apiKey: ApiKey, key: Type.String({ description: 'Shown this once' }) }),
    permission: 'api-keys:write',
    limit: 'general',
  },
  get: {
    method: 'GET',
    path: '/api/v1/api-keys/:apiKeyId',
    summary: 'One API key, without the key itself',
    params: keyParams,
    status: 200,
    answer: ApiKey,
    permission: 'api-keys:read',
    limit: 'general',
  },
  revoke: {
    method: 'DELETE',
    path: '/api/v1/api-keys/:apiKeyId',
    summary: 'Revoke an API key; it is worth nothing from now on',
    params: keyParams,
    status: 204,
    answer: null,
    permission: 'api-keys:write',
    limit: 'general',
  },
});
