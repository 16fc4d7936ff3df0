/** The caller's organization and its settings. */
import { type Static, Type } from 'typebox';
import { Resource, Shape } from '../common.ts';
import { routeGroup } from '../route.ts';

const fields = {
  slug: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$', description: 'Short name in topics and addresses' }),
  name: Type.String({ minLength: 1, maxLength: 200 }),
  autoRegistration: Type.Boolean({ description: 'Unknown devices that speak through a known door are registered' }),
};

export const Organization = Resource('Organization', { version: Type.Integer(), ...fields });
export type Organization = Static<typeof Organization>;

export const organization = routeGroup({
  get: {
    method: 'GET',
    path: '/api/v1/organization',
    summary: "The caller's organization",
    status: 200,
    answer: Organization,
    permission: 'organization:read',
    limit: 'general',
  },
  patch: {
    method: 'PATCH',
    path: '/api/v1/organization',
    summary: 'Change names and settings',
    body: Shape({
      ...Type.Partial(Type.Object(fields)).properties,
      version: Type.Optional(Type.Integer({ minimum: 1 })),
    }),
    status: 200,
    answer: Organization,
    permission: 'organization:write',
    limit: 'general',
  },
});
