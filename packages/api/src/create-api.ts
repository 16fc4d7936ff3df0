/** The api as a whole: plugins, routes and live connections in the order in which a request meets them; start and stop. */
import type { AddressInfo, Socket } from 'node:net';
import cookie from '@fastify/cookie';
import { type Health, Service } from '@fieldline/kit';
import fastify, { type FastifyInstance } from 'fastify';
import { AccessTokens } from './auth/access-tokens.ts';
import { LoginGuard } from './auth/login-guard.ts';
import type { ApiDependencies } from './dependencies.ts';
import type { ApiContext } from './handlers.ts';
import { createLive } from './live/index.ts';
import { createIdentify } from './plugins/auth.ts';
import { registerJsonBody } from './plugins/json-body.ts';
import { registerMetrics } from './plugins/metrics.ts';
import { registerOpenApi } from './plugins/openapi.ts';
import { problemOf, registerProblems, sendProblem } from './plugins/problems.ts';
import { createRateLimit } from './plugins/rate-limit.ts';
import { registerSecurity } from './plugins/security.ts';
import { registerStaticUi } from './plugins/static-ui.ts';
import { registerUnreadAnswers } from './plugins/unread-answers.ts';
import { registerRoutes } from './register-routes.ts';
import { GroupAppender } from './routes/ingest/group-appender.ts';

const URL_LENGTH_MAX = 16 * 1024;

export interface Api {
  readonly app: FastifyInstance;
  /** Listens; port 0 takes a free one. */
  start(host: string, port: number): Promise<void>;
  /** Ends live connections, answers what is under way (for stopGraceMs), closes the port. Twice is fine. */
  stop(): Promise<void>;
  /** Where it listens; null before start(). */
  readonly address: { readonly host: string; readonly port: number } | null;
  health(): Health;
}

/** Builds the api; nothing listens before start(). */
export async function createApi(deps: ApiDependencies): Promise<Api> {
  const { settings, logger, metrics, catalog, clock } = deps;
  const context: ApiContext = {
    ...deps,
    tokens: new AccessTokens(catalog, clock, settings.accessTokenSeconds),
    loginGuard: new LoginGuard(clock, settings.loginAttemptsPerMinute),
    appender: new GroupAppender((batch) => deps.ingest(batch), settings.ingestQueueBytesMax),
  };
  metrics.gauge('api_ingest_queue_bytes', 'Bytes of HTTP telemetry that wait for the log', [], (gauge) =>
    gauge.set(context.appender.queueBytes),
  );
  const app = createFastify(settings.trustProxy);
  registerProblems(app, logger);
  registerJsonBody(app);
  registerMetrics(app, metrics);
  registerUnreadAnswers(app, settings, metrics);
  await registerSecurity(app, settings);
  await app.register(cookie);
  await registerOpenApi(app, settings.version, settings.publicUrl);
  registerRoutes(app, context, {
    identify: createIdentify(deps, context.tokens),
    countRequest: createRateLimit(settings.requestsPerMinute, clock),
  });
  await registerStaticUi(app, settings);
  await app.ready();
  const live = createLive(app.server, context);
  const sockets = new Set<Socket>();
  app.server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

  let listenOn = { host: '127.0.0.1', port: 0 };
  const service = new Service('api', {
    start: async () => {
      await app.listen(listenOn);
    },
    stop: async () => {
      live.close();
      const cut = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, settings.stopGraceMs);
      await app.close();
      clearTimeout(cut);
    },
  });
  return {
    app,
    start: (host, port) => {
      listenOn = { host, port };
      return service.start();
    },
    stop: () => service.stop(),
    get address() {
      const bound = app.server.address() as AddressInfo | null;
      return bound === null ? null : { host: bound.address, port: bound.port };
    },
    health: () => service.health(),
  };
}

function createFastify(trustProxy: boolean): FastifyInstance {
  return fastify({
    trustProxy,
    logger: false,
    // Idle keep-alive connections do not hold up a stop; requests under way are answered.
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: URL_LENGTH_MAX, ignoreTrailingSlash: true },
    // Slow senders: headers within 15 s, the whole request within 60 s.
    requestTimeout: 60_000,
    http: { headersTimeout: 15_000, maxHeaderSize: URL_LENGTH_MAX },
    frameworkErrors: (error, _request, reply) => {
      const status = error.statusCode ?? 400;
      void sendProblem(reply, problemOf('BAD_REQUEST', status, 'The request is not valid', error.message));
    },
  });
}
