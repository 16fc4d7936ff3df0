/** Who may do what: the one table. Routes name the permission they need (contract), roles have permissions here. */
import type { ApiKeyScope, Permission, Role } from '@fieldline/contract';
import { API_KEY_SCOPES } from '@fieldline/contract';

const LOOK: readonly Permission[] = [
  'self',
  'organization:read',
  'sites:read',
  'devices:read',
  'telemetry:read',
  'events:read',
];
const RUN: readonly Permission[] = [
  ...LOOK,
  'mappings:read',
  'dead-letters:read',
  'dead-letters:replay',
  'pipeline:read',
  'jobs:read',
];
const SET_UP: readonly Permission[] = [...RUN, 'devices:write', 'devices:secrets', 'mappings:write'];

/** 'ingest' is for programs alone: an API key carries it, no role has it. */
export const ROLE_PERMISSIONS: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  viewer: new Set(LOOK),
  operator: new Set([...RUN, 'devices:write']),
  engineer: new Set(SET_UP),
  admin: new Set([
    ...SET_UP,
    'organization:write',
    'users:read',
    'users:write',
    'api-keys:read',
    'api-keys:write',
    'sites:write',
    'telemetry:replay',
    'jobs:write',
    'audit:read',
  ]),
};

/** They concern the organization as a whole: somebody who is limited to some sites does not have them, whatever the role. */
export const ORGANIZATION_WIDE: ReadonlySet<Permission> = new Set([
  'organization:write',
  'users:read',
  'users:write',
  'api-keys:read',
  'api-keys:write',
  'sites:write',
  'mappings:write',
  'dead-letters:read',
  'dead-letters:replay',
  'pipeline:read',
  'jobs:read',
  'jobs:write',
  'telemetry:replay',
  'audit:read',
]);

/** What a user of this role, limited to these sites (null = not limited), may do. */
export function permissionsOf(role: Role, siteIds: readonly string[] | null): ReadonlySet<Permission> {
  const all = ROLE_PERMISSIONS[role];
  if (siteIds === null) return all;
  return new Set([...all].filter((permission) => !ORGANIZATION_WIDE.has(permission)));
}

/** What an API key with these scopes may do; words that are no scope count for nothing. */
export function permissionsOfScopes(
  scopes: readonly string[],
  siteIds: readonly string[] | null,
): ReadonlySet<Permission> {
  const known: readonly string[] = API_KEY_SCOPES;
  const granted = scopes.filter((scope): scope is ApiKeyScope => known.includes(scope));
  return new Set(granted.filter((scope) => siteIds === null || !ORGANIZATION_WIDE.has(scope)));
}
