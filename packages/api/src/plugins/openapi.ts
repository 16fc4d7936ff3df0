/** OpenAPI 3.1 from the route table, at /docs (for people) and /docs/json (for programs). */

import swagger, { type StaticDocumentSpec } from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { listRoutes, Problem, type RouteDefinition } from '@fieldline/contract';
import type { FastifyInstance } from 'fastify';

type Json = Record<string, unknown>;

/** Serves the documentation. */
export async function registerOpenApi(app: FastifyInstance, version: string, publicUrl: string | null): Promise<void> {
  const document = openApiDocument(version, publicUrl) as unknown as StaticDocumentSpec['document'];
  await app.register(swagger, { mode: 'static', specification: { document } });
  await app.register(swaggerUi, { routePrefix: '/docs', uiConfig: { docExpansion: 'list', tryItOutEnabled: true } });
}

/** The OpenAPI document. Schemas with a title stand among the components. */
export function openApiDocument(version: string, publicUrl: string | null = null): Json {
  const components: Json = {};
  const paths: Record<string, Json> = {};
  for (const { group, name, route } of listRoutes()) {
    const path = route.path.replace(/:([A-Za-z]+)/g, '{$1}');
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operationOf(`${group}.${name}`, group, route, components);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Fieldline',
      version,
      description: 'Telemetry of machines and robots.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: publicUrl ?? '/' }],
    paths,
    components: {
      schemas: components,
      securitySchemes: {
        accessToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
      },
    },
  };
}

function operationOf(operationId: string, group: string, route: RouteDefinition, components: Json): Json {
  const problem = { 'application/problem+json': { schema: hoist(Problem, components) } };
  const answer =
    route.answer === null
      ? {}
      : { content: { [route.mediaType ?? 'application/json']: { schema: hoist(route.answer, components) } } };
  return {
    operationId,
    tags: [group],
    summary: route.summary,
    ...(route.permission === null ? { security: [] } : securityOf(route.permission)),
    parameters: [
      ...parametersOf(route.params, 'path', components),
      ...parametersOf(route.query, 'query', components),
      ...parametersOf(route.headers, 'header', components),
    ],
    ...(route.body === undefined ? {} : { requestBody: bodyOf(route.body, components) }),
    responses: {
      [route.status]: { description: 'Success', ...answer },
      default: { description: 'A problem (RFC 9457)', content: problem },
    },
  };
}

function securityOf(permission: string): Json {
  return { security: [{ accessToken: [] }, { apiKey: [] }], description: `Needs the permission \`${permission}\`.` };
}

function bodyOf(schema: object, components: Json): Json {
  return { required: !('~optional' in schema), content: { 'application/json': { schema: hoist(schema, components) } } };
}

function parametersOf(schema: object | undefined, place: 'path' | 'query' | 'header', components: Json): Json[] {
  const { properties = {}, required = [] } = (schema ?? {}) as { properties?: Json; required?: string[] };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: hoist(property as object, components),
  }));
}

/** A copy of the schema in which whatever has a title is a reference to the components. */
function hoist(schema: object, components: Json): unknown {
  const { title } = schema as { title?: string };
  const copy = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(copy);
    return typeof value === 'object' && value !== null ? hoist(value, components) : value;
  };
  const plain = (): Json => Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, copy(value)]));
  if (typeof title !== 'string') return plain();
  if (components[title] === undefined) {
    components[title] = {};
    components[title] = plain();
  }
  return { $ref: `#/components/schemas/${title}` };
}
