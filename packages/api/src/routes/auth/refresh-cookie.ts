/** The refresh token's cookie: not readable by scripts, sent to the auth routes of the same site only. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiSettings } from '../../settings.ts';

const NAME = 'fieldline_refresh';
const PATH = '/api/v1/auth';

type CookieSettings = Pick<ApiSettings, 'cookieSecure' | 'publicUrl'>;

function secure({ cookieSecure, publicUrl }: CookieSettings): boolean {
  return cookieSecure === 'auto' ? publicUrl?.startsWith('https:') === true : cookieSecure;
}

/** Hands the refresh token to the browser until it ends. */
export function setRefreshCookie(
  reply: FastifyReply,
  settings: CookieSettings,
  token: string,
  expiresMs: number,
): void {
  const expires = new Date(expiresMs);
  reply.setCookie(NAME, token, { path: PATH, httpOnly: true, sameSite: 'strict', secure: secure(settings), expires });
}

/** Takes the cookie back. */
export function clearRefreshCookie(reply: FastifyReply, settings: CookieSettings): void {
  reply.clearCookie(NAME, { path: PATH, httpOnly: true, sameSite: 'strict', secure: secure(settings) });
}

/** The refresh token that came in the cookie; null where none did. */
export function readRefreshCookie(request: FastifyRequest): string | null {
  const token = request.cookies[NAME];
  return token === undefined || token === '' ? null : token;
}
