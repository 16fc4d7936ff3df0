/** What a route is, as data. The api registers from it, the client is generated from it, OpenAPI is rendered from it. */
import type { TSchema } from 'typebox';

/** What somebody may do. Which roles have it stands in one table of the api; API keys carry a list of them as scopes. */
export const PERMISSIONS = [
  'self',
  'organization:read',
  'organization:write',
  'users:read',
  'users:write',
  'api-keys:read',
  'api-keys:write',
  'sites:read',
  'sites:write',
  'devices:read',
  'devices:write',
  'devices:secrets',
  'telemetry:read',
  'telemetry:replay',
  'mappings:read',
  'mappings:write',
  'events:read',
  'dead-letters:read',
  'dead-letters:replay',
  'pipeline:read',
  'jobs:read',
  'jobs:write',
  'audit:read',
  'ingest',
] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** What API keys can be given as scopes. */
export const API_KEY_SCOPES = [
  'ingest',
  'telemetry:read',
  'devices:read',
  'sites:read',
  'events:read',
  'pipeline:read',
  'audit:read',
] as const satisfies readonly Permission[];
export type ApiKeyScope = (typeof API_KEY_SCOPES)[number];

/** Budgets of requests; their figures are settings of the api. */
export type LimitClass = 'login' | 'general' | 'timeSeries' | 'ingest' | 'none';

export interface RouteDefinition {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With `:name` for parameters. */
  readonly path: string;
  readonly summary: string;
  readonly params?: TSchema;
  readonly query?: TSchema;
  /** Headers that mean something to the route beside the usual ones; names in lower case. Others are not looked at. */
  readonly headers?: TSchema;
  readonly body?: TSchema;
  /** The status of success and the schema of its body; null = no body. */
  readonly status: number;
  readonly answer: TSchema | null;
  /** Not JSON: the media type of the answer. */
  readonly mediaType?: string;
  /** null = open to everybody. */
  readonly permission: Permission | null;
  readonly limit: LimitClass;
  /** Largest body in bytes; default is a setting of the api (1 MiB). */
  readonly bodyBytesMax?: number;
}

/** Names a route group: the literal types are kept, so that the client's types follow from them. */
export function routeGroup<const T extends Readonly<Record<string, RouteDefinition>>>(routes: T): T {
  return routes;
}
