/** Who is asking: a user with an access token, or a program with an API key. Made once per request, then trusted. */
import type { Scope } from '@fieldline/catalog';
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

/** The scope that stands under every query this principal makes. */
export function scopeOf(principal: Principal): Scope {
  return { organizationId: principal.organizationId, siteIds: principal.siteIds };
}

/** The user's id where a user asks, else null. */
export function userIdOf(principal: Principal): string | null {
  return principal.kind === 'user' ? principal.userId : null;
}

/** True where the principal may see what belongs to this site (null = to none). */
export function seesSite(principal: Principal, siteId: string | null): boolean {
  return principal.siteIds === null || (siteId !== null && principal.siteIds.includes(siteId));
}
