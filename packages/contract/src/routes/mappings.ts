/** Topic mappings: pattern → codec → device and metric. Built-in ones (organizationId null) cannot be changed. */
import { type Static, Type } from 'typebox';
import { Id, Nullable, Shape } from '../common.ts';
import { routeGroup } from '../route.ts';

const fields = {
  name: Type.String({ minLength: 1, maxLength: 200 }),
  pattern: Type.String({ minLength: 1, maxLength: 1024, description: 'plant/{line}/{device}/{rest+}' }),
  codec: Type.String({ minLength: 1, maxLength: 64 }),
  device: Type.String({ minLength: 1, maxLength: 256, description: "Template of the device's key or id: {device}" }),
  metric: Type.String({ minLength: 1, maxLength: 256, description: '{metric}, or {sensorType}.{metric}' }),
  priority: Type.Integer({ minimum: -1000, maximum: 1000 }),
  enabled: Type.Boolean(),
};

export const Mapping = Shape({ id: Id, organizationId: Nullable(Id), ...fields }, 'Mapping');
export type Mapping = Static<typeof Mapping>;

const mappingParams = Shape({ mappingId: Id });
const { priority, enabled, ...required } = fields;

export const mappings = routeGroup({
  list: {
    method: 'GET',
    path: '/api/v1/mappings',
    summary: 'The mappings in the order in which they are tried',
    status: 200,
    answer: Shape({ items: Type.Array(Mapping) }),
    permission: 'mappings:read',
    limit: 'general',
  },
  create: {
    method: 'POST',
    path: '/api/v1/mappings',
    summary: 'Add a mapping',
    body: Shape({ ...required, priority: Type.Optional(priority), enabled: Type.Optional(enabled) }),
    status: 201,
    answer: Mapping,
    permission: 'mappings:write',
    limit: 'general',
  },
  get: {
    method: 'GET',
    path: '/api/v1/mappings/:mappingId',
    summary: 'One mapping',
    params: mappingParams,
    status: 200,
    answer: Mapping,
    permission: 'mappings:read',
    limit: 'general',
  },
  patch: {
    method: 'PATCH',
    path: '/api/v1/mappings/:mappingId',
    summary: 'Change a mapping of the organization',
    params: mappingParams,
    body: Type.Partial(Type.Object(fields), { additionalProperties: false }),
    status: 200,
    answer: Mapping,
    permission: 'mappings:write',
    limit: 'general',
  },
  delete: {
    method: 'DELETE',
    path: '/api/v1/mappings/:mappingId',
    summary: 'Remove a mapping of the organization',
    params: mappingParams,
    status: 204,
    answer: null,
    permission: 'mappings:write',
    limit: 'general',
  },
});
