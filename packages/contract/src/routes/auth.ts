/** Signing in and out. The refresh token travels in an httpOnly cookie (browsers) or in the JSON body (programs). */
import { type Static, Type } from 'typebox';
import { Id, Nullable, OneOf, Role, Shape, Timestamp } from '../common.ts';
import { PERMISSIONS, routeGroup } from '../route.ts';

export const Me = Shape(
  {
    id: Id,
    organizationId: Id,
    email: Type.String(),
    name: Type.String(),
    role: Role,
    siteIds: Nullable(Type.Array(Id)),
    permissions: Type.Array(OneOf(PERMISSIONS)),
    organization: Shape({ id: Id, slug: Type.String(), name: Type.String() }),
  },
  'Me',
);
export type Me = Static<typeof Me>;

export const Session = Shape(
  {
    accessToken: Type.String({ description: 'Send it as Authorization: Bearer …' }),
    tokenType: Type.Literal('Bearer'),
    expiresIn: Type.Integer({ description: 'Seconds' }),
    expiresAt: Timestamp,
    refreshToken: Type.Optional(Type.String({ description: 'Only with refreshTransport body; good for one use' })),
    user: Me,
  },
  'Session',
);
export type Session = Static<typeof Session>;

const RefreshTransport = Type.Union([Type.Literal('cookie'), Type.Literal('body')], {
  description: 'Where the refresh token goes: an httpOnly cookie, or the JSON answer (default)',
});

export const auth = routeGroup({
  login: {
    method: 'POST',
    path: '/api/v1/auth/login',
    summary: 'Sign in with e-mail and password',
    body: Shape({
      email: Type.String({ minLength: 3, maxLength: 254 }),
      password: Type.String({ minLength: 1, maxLength: 1024 }),
      refreshTransport: Type.Optional(RefreshTransport),
    }),
    status: 200,
    answer: Session,
    permission: null,
    limit: 'login',
  },
  refresh: {
    method: 'POST',
    path: '/api/v1/auth/refresh',
    summary: 'Change the refresh token for a new session; a token that comes twice ends the session',
    body: Type.Optional(Shape({ refreshToken: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })) })),
    status: 200,
    answer: Session,
    permission: null,
    limit: 'login',
  },
  logout: {
    method: 'POST',
    path: '/api/v1/auth/logout',
    summary: 'End the session, its live connections too',
    body: Type.Optional(Shape({ refreshToken: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })) })),
    status: 204,
    answer: null,
    permission: null,
    limit: 'general',
  },
  me: {
    method: 'GET',
    path: '/api/v1/auth/me',
    summary: 'Who is signed in and what they may do',
    status: 200,
    answer: Me,
    permission: 'self',
    limit: 'general',
  },
  changePassword: {
    method: 'PUT',
    path: '/api/v1/auth/password',
    summary: 'Change the own password; ends all sessions of the user',
    body: Shape({
      currentPassword: Type.String({ minLength: 1, maxLength: 1024 }),
      newPassword: Type.String({ minLength: 8, maxLength: 1024 }),
    }),
    status: 204,
    answer: null,
    permission: 'self',
    limit: 'login',
  },
});
