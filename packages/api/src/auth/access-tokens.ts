/**
 * Access tokens: JWTs signed with RS256 (the algorithm is pinned), good for minutes. In: a user and a session; out: a token,
 * and from a token the principal. Revocation is the catalog's word (isRevoked), asked at every request.
 */
import type { Catalog, User } from '@fieldline/catalog';
import type { Role } from '@fieldline/contract';
import { type Clock, FieldlineError } from '@fieldline/kit';
import { importPKCS8, importSPKI, jwtVerify, SignJWT } from 'jose';
import { permissionsOf } from '../permissions.ts';
import type { UserPrincipal } from '../principal.ts';

const ALGORITHM = 'RS256';
const ISSUER = 'fieldline';
const AUDIENCE = 'fieldline-api';
/** Tokens whose signature has been checked; when full the oldest goes and is checked again. */
const VERIFIED_MAX = 20_000;
/** An unknown key id makes us ask for keys again, but not more often than this. */
const KEYS_AGAIN_AFTER_MS = 5_000;

type PublicKey = Awaited<ReturnType<typeof importSPKI>>;
type PrivateKey = Awaited<ReturnType<typeof importPKCS8>>;

export class AccessTokens {
  readonly #catalog: Catalog;
  readonly #clock: Clock;
  readonly #lifetimeSeconds: number;
  readonly #verified = new Map<string, UserPrincipal>();
  #publicKeys = new Map<string, PublicKey>();
  #keysAskedMs = Number.NEGATIVE_INFINITY;
  #signer: Promise<{ kid: string; key: PrivateKey }> | null = null;

  constructor(catalog: Catalog, clock: Clock, lifetimeSeconds: number) {
    this.#catalog = catalog;
    this.#clock = clock;
    this.#lifetimeSeconds = lifetimeSeconds;
  }

  /** A token for this user and session, with the time of its end (ms). */
  async issue(user: User, familyId: string): Promise<{ token: string; expiresAtMs: number }> {
    this.#signer ??= this.#loadSigner();
    const { kid, key } = await this.#signer.catch((error: unknown) => {
      this.#signer = null;
      throw error;
    });
    const now = Math.floor(this.#clock.nowMs() / 1000);
    const expires = now + this.#lifetimeSeconds;
    const claims = {
      org: user.organizationId,
      role: user.role,
      sites: user.siteIds,
      ver: user.tokenVersion,
      sid: familyId,
    };
    const token = await new SignJWT(claims)
      .setProtectedHeader({ alg: ALGORITHM, kid, typ: 'at+jwt' })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setSubject(user.id)
      .setIssuedAt(now)
      .setExpirationTime(expires)
      .sign(key);
    return { token, expiresAtMs: expires * 1000 };
  }

  /** The principal of a token; rejects with UNAUTHENTICATED where it is not valid, too old or revoked. */
  async verify(token: string): Promise<UserPrincipal> {
    let principal = this.#verified.get(token);
    if (principal === undefined) {
      principal = await this.#check(token);
      if (this.#verified.size >= VERIFIED_MAX) this.#verified.delete(this.#verified.keys().next().value!);
      this.#verified.set(token, principal);
    }
    if (principal.expiresAtMs <= this.#clock.nowMs()) {
      this.#verified.delete(token);
      throw unauthenticated('the access token has expired; get a new one with auth/refresh');
    }
    if (this.isRevoked(principal)) {
      this.#verified.delete(token);
      throw unauthenticated('the session has been ended; sign in again');
    }
    return principal;
  }

  /** True where the principal's session has been ended. */
  isRevoked({ userId, tokenVersion, familyId }: UserPrincipal): boolean {
    return this.#catalog.system.sessions.isRevoked({ userId, tokenVersion, familyId });
  }

  async #check(token: string): Promise<UserPrincipal> {
    try {
      const { payload } = await jwtVerify(token, ({ kid }) => this.#publicKey(kid), {
        algorithms: [ALGORITHM],
        issuer: ISSUER,
        audience: AUDIENCE,
        typ: 'at+jwt',
        requiredClaims: ['sub', 'exp', 'org', 'role', 'ver', 'sid'],
        currentDate: new Date(this.#clock.nowMs()),
      });
      const role = payload.role as Role;
      const siteIds = (payload.sites ?? null) as readonly string[] | null;
      return {
        kind: 'user',
        budgetKey: `user:${payload.sub}`,
        userId: payload.sub!,
        organizationId: payload.org as string,
        role,
        siteIds,
        permissions: permissionsOf(role, siteIds),
        familyId: payload.sid as string,
        tokenVersion: payload.ver as number,
        expiresAtMs: payload.exp! * 1000,
      };
    } catch (error) {
      // Our own errors (the catalog is away) are not the caller's fault; whatever jose finds wrong is.
      if (error instanceof FieldlineError) throw error;
      throw unauthenticated('the access token is not valid; sign in again');
    }
  }

  async #publicKey(kid: string | undefined): Promise<PublicKey> {
    const known = this.#publicKeys.get(kid ?? '');
    if (known !== undefined) return known;
    const now = this.#clock.monotonicMs();
    if (now - this.#keysAskedMs >= KEYS_AGAIN_AFTER_MS) {
      const pems = await this.#catalog.system.sessions.verificationKeys();
      const keys = await Promise.all(
        [...pems].map(async ([id, pem]) => [id, await importSPKI(pem, ALGORITHM)] as const),
      );
      this.#publicKeys = new Map(keys);
      this.#keysAskedMs = now;
    }
    const key = this.#publicKeys.get(kid ?? '');
    if (key === undefined)
      throw unauthenticated('the access token was signed with a key that is not ours; sign in again');
    return key;
  }

  async #loadSigner(): Promise<{ kid: string; key: PrivateKey }> {
    const { kid, privateKeyPem, publicKeyPem } = await this.#catalog.system.sessions.signingKey();
    this.#publicKeys.set(kid, await importSPKI(publicKeyPem, ALGORITHM));
    return { kid, key: await importPKCS8(privateKeyPem, ALGORITHM) };
  }
}

function unauthenticated(message: string): FieldlineError {
  return new FieldlineError('UNAUTHENTICATED', message);
}
