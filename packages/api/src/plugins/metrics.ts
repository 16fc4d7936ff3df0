/** Times of requests by method, route and status, in Prometheus' terms. */
import type { Metrics } from '@fieldline/kit';
import type { FastifyInstance } from 'fastify';

/** Counts every answer of this instance. */
export function registerMetrics(app: FastifyInstance, metrics: Metrics): void {
  const durations = metrics.histogram('api_request_duration_seconds', 'Time from a request to its answer', [
    'method',
    'route',
    'status',
  ]);
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unmatched';
    durations.observe({ method: request.method, route, status: String(reply.statusCode) }, reply.elapsedTime / 1000);
    done();
  });
}
