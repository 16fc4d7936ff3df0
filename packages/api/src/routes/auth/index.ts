/** Signing in and out: sessions are families of refresh tokens (catalog), access tokens are signed here. */
import type { User } from '@fieldline/catalog';
import type { Me, Session } from '@fieldline/contract';
import { FieldlineError } from '@fieldline/kit';
import { microsToIso, microsToMillis, millisToMicros } from '@fieldline/model';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiContext, GroupHandlers } from '../../handlers.ts';
import { permissionsOf } from '../../permissions.ts';
import { clearRefreshCookie, readRefreshCookie, setRefreshCookie } from './refresh-cookie.ts';

const API_KEY_HAS_NO_SELF = 'an API key is nobody; sign in as a user';

export function authHandlers(context: ApiContext): GroupHandlers<'auth'> {
  const { sessions } = context.catalog.system;

  return {
    login: async ({ body, request, reply }) => {
      const user = await context.loginGuard.attempt(request.ip, body.email, () =>
        sessions.logIn(body.email, body.password, request.ip),
      );
      if (user === null) throw new FieldlineError('UNAUTHENTICATED', 'e-mail or password is wrong');
      const family = await sessions.startFamily(user.id, clientOf(request));
      return sessionOf(context, reply, user, family, body.refreshTransport ?? 'body');
    },

    refresh: async ({ body, request, reply }) => {
      const inBody = body?.refreshToken;
      const token = inBody ?? readRefreshCookie(request);
      if (token === null) throw new FieldlineError('UNAUTHENTICATED', 'no refresh token came along; sign in again');
      const rotation = await sessions.rotate(token);
      if (rotation.outcome !== 'rotated') {
        clearRefreshCookie(reply, context.settings);
        if (rotation.outcome === 'replayed') {
          context.logger.warn(
            { userId: rotation.userId, address: request.ip },
            'a refresh token came twice, its session was ended: it may have been stolen',
          );
        }
        throw new FieldlineError('UNAUTHENTICATED', 'the refresh token is not valid any more; sign in again');
      }
      const transport = inBody === undefined ? 'cookie' : 'body';
      return sessionOf(context, reply, rotation.user, rotation.refreshToken, transport);
    },

    logout: async ({ body, principal, request, reply }) => {
      const token = body?.refreshToken ?? readRefreshCookie(request);
      clearRefreshCookie(reply, context.settings);
      if (token !== null) await sessions.endFamily(token);
      // Without a refresh token it is not known which session is meant: all of the bearer's.
      else if (principal?.kind === 'user') await sessions.endAll(principal.userId);
      else throw new FieldlineError('UNAUTHENTICATED', 'send the refresh token, or the access token of who signs out');
    },

    me: async ({ principal }) => {
      if (principal.kind !== 'user') throw new FieldlineError('FORBIDDEN', API_KEY_HAS_NO_SELF);
      const user = await sessions.user(principal.userId);
      if (user === null) throw new FieldlineError('UNAUTHENTICATED', 'the user does not exist any more');
      return meOf(context, user);
    },

    changePassword: async ({ body, principal, request }) => {
      if (principal.kind !== 'user') throw new FieldlineError('FORBIDDEN', API_KEY_HAS_NO_SELF);
      const { userId, organizationId } = principal;
      const me = await sessions.user(userId);
      if (me === null) throw new FieldlineError('UNAUTHENTICATED', 'the user does not exist any more');
      const user = await context.loginGuard.attempt(request.ip, me.email, () =>
        sessions.logIn(me.email, body.currentPassword),
      );
      if (user === null) throw new FieldlineError('FORBIDDEN', 'the current password is wrong');
      // Own row: whatever sites the user is limited to.
      await context.catalog
        .scoped({ organizationId, siteIds: null })
        .users.update(userId, { password: body.newPassword });
    },
  };
}

function clientOf(request: FastifyRequest): { userAgent?: string; address: string } {
  const userAgent = request.headers['user-agent'];
  return { address: request.ip, ...(userAgent === undefined ? {} : { userAgent: userAgent.slice(0, 256) }) };
}

async function sessionOf(
  context: ApiContext,
  reply: FastifyReply,
  user: User,
  refresh: { readonly token: string; readonly familyId: string; readonly expiresAt: number },
  transport: 'cookie' | 'body',
): Promise<Session> {
  const { token, expiresAtMs } = await context.tokens.issue(user, refresh.familyId);
  if (transport === 'cookie') {
    setRefreshCookie(reply, context.settings, refresh.token, microsToMillis(refresh.expiresAt));
  }
  reply.header('cache-control', 'no-store');
  return {
    accessToken: token,
    tokenType: 'Bearer',
    expiresIn: context.settings.accessTokenSeconds,
    expiresAt: microsToIso(millisToMicros(expiresAtMs)),
    ...(transport === 'body' ? { refreshToken: refresh.token } : {}),
    user: await meOf(context, user),
  };
}

async function meOf(context: ApiContext, user: User): Promise<Me> {
  const siteIds = user.siteIds === null ? null : [...user.siteIds];
  const organization = await context.catalog.system.organizations.find(user.organizationId);
  return {
    id: user.id,
    organizationId: user.organizationId,
    email: user.email,
    name: user.name,
    role: user.role,
    siteIds,
    permissions: [...permissionsOf(user.role, siteIds)],
    organization: { id: user.organizationId, slug: organization?.slug ?? '', name: organization?.name ?? '' },
  };
}
