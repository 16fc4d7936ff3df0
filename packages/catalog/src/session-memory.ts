/**
 * What must be answered at once about sessions: which access tokens have been revoked, and API keys that were looked up a
 * moment ago. Fed by the catalog's notifications, loaded at the start. Pure: no I/O. An access token lives 15 minutes, so a
 * revocation that is older than an hour is forgotten.
 */
import type { ApiKey, TokenClaims } from './rows.ts';

export interface RememberedRevocation {
  readonly userId: string;
  readonly familyId: string | null;
  readonly tokenVersion: number | null;
}

export const REVOCATION_AGE_MAX_MS = 3_600_000;
const API_KEY_AGE_MAX_MS = 10_000;
/** Beyond it the oldest key is forgotten: it is looked up again when it comes. */
const API_KEYS_MAX = 10_000;

export class SessionMemory {
  readonly #families = new Map<string, number>();
  readonly #users = new Map<string, { tokenVersion: number; atMs: number }>();
  readonly #apiKeys = new Map<string, { sha256: string; apiKey: ApiKey; atMs: number }>();
  readonly #listeners = new Set<(revoked: { userId: string; familyId: string | null }) => void>();

  isRevoked(claims: TokenClaims): boolean {
    const user = this.#users.get(claims.userId);
    return this.#families.has(claims.familyId) || (user !== undefined && claims.tokenVersion < user.tokenVersion);
  }

  /** Takes a revocation in and tells the listeners, once. */
  revoke(revocation: RememberedRevocation, nowMs: number): void {
    const { userId, familyId, tokenVersion } = revocation;
    if (familyId !== null) {
      if (this.#families.has(familyId)) return;
      this.#families.set(familyId, nowMs);
    } else {
      if ((this.#users.get(userId)?.tokenVersion ?? 0) >= (tokenVersion ?? 0)) return;
      this.#users.set(userId, { tokenVersion: tokenVersion ?? 0, atMs: nowMs });
    }
    this.#forget(nowMs);
    for (const listener of this.#listeners) listener({ userId, familyId });
  }

  onRevoked(listener: (revoked: { userId: string; familyId: string | null }) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The API key that was looked up less than 10 s ago with this very secret. */
  apiKey(prefix: string, sha256: string, nowMs: number): ApiKey | null {
    const found = this.#apiKeys.get(prefix);
    return found !== undefined && found.sha256 === sha256 && nowMs - found.atMs < API_KEY_AGE_MAX_MS
      ? found.apiKey
      : null;
  }

  rememberApiKey(apiKey: ApiKey, sha256: string, nowMs: number): void {
    this.#apiKeys.delete(apiKey.prefix);
    if (this.#apiKeys.size >= API_KEYS_MAX) this.#apiKeys.delete(this.#apiKeys.keys().next().value!);
    this.#apiKeys.set(apiKey.prefix, { sha256, apiKey, atMs: nowMs });
  }

  /** The key has been changed: the next use looks it up. null = any may have been. */
  forgetApiKey(prefix: string | null): void {
    if (prefix === null) this.#apiKeys.clear();
    else this.#apiKeys.delete(prefix);
  }

  #forget(nowMs: number): void {
    for (const [id, atMs] of this.#families) if (nowMs - atMs > REVOCATION_AGE_MAX_MS) this.#families.delete(id);
    for (const [id, { atMs }] of this.#users) if (nowMs - atMs > REVOCATION_AGE_MAX_MS) this.#users.delete(id);
  }
}
