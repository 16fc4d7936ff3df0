/** Users of the organization. */
import { type Static, Type } from 'typebox';
import { Id, Nullable, Page, pageQuery, Resource, Role, Shape, Timestamp } from '../common.ts';
import { routeGroup } from '../route.ts';

const SiteIds = Nullable(Type.Array(Id, { maxItems: 1000, description: 'null: all sites' }));
const Name = Type.String({ minLength: 1, maxLength: 200 });
const Email = Type.String({ minLength: 3, maxLength: 254, pattern: '^[^@\\s]+@[^@\\s]+$' });
const Password = Type.String({ minLength: 8, maxLength: 1024 });

export const User = Resource('User', {
  version: Type.Integer(),
  email: Type.String(),
  name: Type.String(),
  role: Role,
  siteIds: Nullable(Type.Array(Id)),
  disabled: Type.Boolean(),
  lastLoginAt: Nullable(Timestamp),
});
export type User = Static<typeof User>;

const userParams = Shape({ userId: Id });

export const users = routeGroup({
  list: {
    method: 'GET',
    path: '/api/v1/users',
    summary: 'Users by e-mail',
    query: Shape(pageQuery),
    status: 200,
    answer: Page(User),
    permission: 'users:read',
    limit: 'general',
  },
  create: {
    method: 'POST',
    path: '/api/v1/users',
    summary: 'Make a user',
    body: Shape({ email: Email, name: Name, role: Role, password: Password, siteIds: Type.Optional(SiteIds) }),
    status: 201,
    answer: User,
    permission: 'users:write',
    limit: 'general',
  },
  get: {
    method: 'GET',
    path: '/api/v1/users/:userId',
    summary: 'One user',
    params: userParams,
    status: 200,
    answer: User,
    permission: 'users:read',
    limit: 'general',
  },
  patch: {
    method: 'PATCH',
    path: '/api/v1/users/:userId',
    summary: 'Change or disable a user; a change of rights ends their sessions',
    params: userParams,
    body: Shape({
      email: Type.Optional(Email),
      name: Type.Optional(Name),
      role: Type.Optional(Role),
      siteIds: Type.Optional(SiteIds),
      password: Type.Optional(Password),
      disabled: Type.Optional(Type.Boolean()),
      version: Type.Optional(Type.Integer({ minimum: 1 })),
    }),
    status: 200,
    answer: User,
    permission: 'users:write',
    limit: 'general',
  },
  delete: {
    method: 'DELETE',
    path: '/api/v1/users/:userId',
    summary: 'Remove a user; their sessions end',
    params: userParams,
    status: 204,
    answer: null,
    permission: 'users:write',
    limit: 'general',
  },
});
