/** For machines that watch machines: liveness, readiness with each part's state, Prometheus metrics. */
import { type Static, Type } from 'typebox';
import { OneOf, Shape } from '../common.ts';
import { routeGroup } from '../route.ts';

export const PartHealth = Shape(
  {
    name: Type.String(),
    state: OneOf(['new', 'starting', 'running', 'stopping', 'stopped', 'failed']),
    ready: Type.Boolean(),
    problem: Type.Optional(Type.String()),
  },
  'PartHealth',
);
export type PartHealth = Static<typeof PartHealth>;

export const Readiness = Shape(
  {
    status: Type.Union([Type.Literal('ready'), Type.Literal('not ready')]),
    notReady: Type.Array(Type.String({ description: 'Names of the parts that cannot work now' })),
    parts: Type.Array(PartHealth),
  },
  'Readiness',
);
export type Readiness = Static<typeof Readiness>;

export const health = routeGroup({
  live: {
    method: 'GET',
    path: '/health/live',
    summary: 'The process answers',
    status: 200,
    answer: Shape({ status: Type.Literal('live') }),
    permission: null,
    limit: 'none',
  },
  ready: {
    method: 'GET',
    path: '/health/ready',
    summary: 'Every part can do its work; 503 with the same body where one cannot',
    status: 200,
    answer: Readiness,
    permission: null,
    limit: 'none',
  },
  metrics: {
    method: 'GET',
    path: '/metrics',
    summary: 'Prometheus text',
    status: 200,
    answer: Type.String(),
    mediaType: 'text/plain',
    permission: null,
    limit: 'none',
  },
});
