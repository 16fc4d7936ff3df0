/**
 * Joins the route table with the handlers. For each request: who asks, may they, within their budget, is the request well
 * formed, then the handler with the catalog's door of that caller. A route without a handler stops the start.
 */
import { listRoutes, type Permission, type RouteDefinition } from '@fieldline/contract';
import { FieldlineError } from '@fieldline/kit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ApiContext } from './handlers.ts';
import type { Identify } from './plugins/auth.ts';
import type { CountRequest } from './plugins/rate-limit.ts';
import { compileCheck, type RequestPart } from './plugins/validation.ts';
import { scopeOf } from './principal.ts';
import { createHandlers } from './routes/index.ts';

export interface Gates {
  readonly identify: Identify;
  readonly countRequest: CountRequest;
}

/** Who may do this changes what broker and pipeline know of devices and topics. */
const CHANGES_DIRECTORY: ReadonlySet<Permission> = new Set([
  'organization:write',
  'devices:write',
  'devices:secrets',
  'mappings:write',
]);

type AnyHandler = (call: object) => Promise<unknown>;

/** Registers every route of the table. */
export function registerRoutes(app: FastifyInstance, context: ApiContext, gates: Gates): void {
  const handlers = createHandlers(context) as unknown as Record<string, Record<string, AnyHandler | undefined>>;
  app.decorateRequest('principal', null);
  for (const { group, name, route } of listRoutes()) {
    const handler = handlers[group]?.[name];
    if (handler === undefined) throw new Error(`route ${group}.${name} has no handler`);
    app.route({
      method: route.method,
      url: route.path,
      bodyLimit: route.bodyBytesMax ?? context.settings.bodyBytesMax,
      onRequest: (request, reply) => admit(route, gates, request, reply),
      handler: handle(context, route, handler),
    });
  }
}

/** Before the body is read: a request that is not allowed costs nothing more. */
async function admit(
  route: RouteDefinition,
  { identify, countRequest }: Gates,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  if (route.permission === null) {
    // Open to everybody: credentials that are not valid (an old token at log-out) do not matter.
    if (route.limit !== 'none') request.principal = await identify(request).catch(() => null);
    countRequest(request, reply, route.limit);
    return;
  }
  request.principal = await identify(request);
  if (request.principal === null) {
    countRequest(request, reply, route.limit);
    throw new FieldlineError(
      'UNAUTHENTICATED',
      'send an access token (Authorization: Bearer …) or an API key (X-API-Key: …)',
    );
  }
  countRequest(request, reply, route.limit);
  if (!request.principal.permissions.has(route.permission)) {
    throw new FieldlineError(
      'FORBIDDEN',
      `${request.method} ${route.path} needs the permission ${route.permission}; ask an administrator for it`,
    );
  }
}

function handle(context: ApiContext, route: RouteDefinition, handler: AnyHandler) {
  const check = (schema: RouteDefinition['params'], part: RequestPart) =>
    schema === undefined ? () => undefined : compileCheck(schema, part);
  const params = check(route.params, 'params');
  const query = check(route.query, 'query');
  const headers = check(route.headers, 'headers');
  const body = check(route.body, 'body');
  return async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    reply.code(route.status);
    const { principal } = request;
    const answer = await handler({
      params: params(request.params),
      query: query(request.query),
      headers: headers(request.headers),
      body: body(request.body),
      principal,
      catalog:
        route.permission === null || principal === null ? null : context.catalog.scoped(scopeOf(principal, request.ip)),
      request,
      reply,
    });
    if (route.method !== 'GET' && route.permission !== null && CHANGES_DIRECTORY.has(route.permission)) {
      await context.directorySettled();
    }
    if (route.answer === null) return reply.send();
    if (route.mediaType !== undefined) return reply.send(answer);
    return reply.type('application/json; charset=utf-8').send(JSON.stringify(answer));
  };
}
