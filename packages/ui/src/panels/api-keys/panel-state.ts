/** What an API key's state is, and when one made today ends. No React. */
export const SCOPES = [
  'ingest',
  'telemetry:read',
  'devices:read',
  'sites:read',
  'events:read',
  'pipeline:read',
] as const satisfies readonly typeof import('@fieldline/contract').API_KEY_SCOPES[number][];
export type Scope = (typeof SCOPES)[number];

export const LIFETIMES_DAYS = [30, 90, 365] as const;

export function keyState(
  key: { readonly revokedAt: string | null; readonly expiresAt: string | null },
  now: number,
): 'active' | 'revoked' | 'expired' {
  if (key.revokedAt !== null) return 'revoked';
  return key.expiresAt !== null && Date.parse(key.expiresAt) <= now ? 'expired' : 'active';
}

/** ISO 8601; null = never. */
export function expiryAfter(days: number | null, now: number): string | null {
  return days === null ? null : new Date(now + days * 86_400_000).toISOString();
}

/** The words for a scope; a scope that is not known yet stands for itself. */
export function scopeName(scope: string, names: Readonly<Record<Scope, string>>): string {
  return (names as Readonly<Record<string, string>>)[scope] ?? scope;
}
