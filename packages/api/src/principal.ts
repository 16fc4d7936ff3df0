/** Who is asking: a user with an access token, or a program with an API key. Made once per request, then trusted. */
import type { Actor, Scope } from '@fieldline/catalog';
import type { Permission, Role } from '@fieldline/contract';

interface PrincipalBase {
  /** Under this name requests are counted. */
  readonly budgetKey: string;
  readonly organizationId: string;
  /** null = all sites. */
  readonly siteIds: readonly string[] | null;
  readonly permissions: ReadonlySet<Permission>;
}

export interface UserPrincipal extends PrincipalBase {
  readonly kind: 'user';
  readonly userId: string;
  readonly role: Role;
  readonly familyId: string;
  readonly tokenVersion: number;
  readonly expiresAtMs: number;
}

export interface ApiKeyPrincipal extends PrincipalBase {
  readonly kind: 'api-key';
  readonly apiKeyId: string;
}

export type Principal = UserPrincipal | ApiKeyPrincipal;

/** The scope that stands under every query this principal makes; the address stands in the audit trail. */
export function scopeOf(principal: Principal, address: string | null = null): Scope {
  const { organizationId, siteIds } = principal;
  return { organizationId, siteIds, actor: actorOf(principal, address) };
}

function actorOf(principal: Principal, address: string | null): Actor {
  const id = principal.kind === 'user' ? principal.userId : principal.apiKeyId;
  return { kind: principal.kind, id, address };
}

/** The user's id where a user asks, else null. */
export function userIdOf(principal: Principal): string | null {
  return principal.kind === 'user' ? principal.userId : null;
}

/** True where the principal may see what belongs to this site (null = to none). */
export function seesSite(principal: Principal, siteId: string | null): boolean {
  return principal.siteIds === null || (siteId !== null && principal.siteIds.includes(siteId));
}
