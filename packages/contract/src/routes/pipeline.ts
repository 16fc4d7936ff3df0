/** How the pipeline does: what waits, how fast it goes, what failed, and what it holds. */
import { type Static, Type } from 'typebox';
import { Nullable, Shape, Timestamp } from '../common.ts';
import { routeGroup } from '../route.ts';

export const PipelineHealth = Shape(
  {
    status: Type.Union([Type.Literal('ok'), Type.Literal('degraded'), Type.Literal('stopped')]),
    problem: Nullable(Type.String()),
    lag: Shape({
      records: Type.Integer({ description: 'Raw records that are durable and not yet stored' }),
      seconds: Nullable(Type.Number({ description: 'Age of the oldest of them' })),
    }),
    rates: Shape({
      recordsPerSecond: Type.Number(),
      samplesPerSecond: Type.Number(),
      deadLettersPerSecond: Type.Number(),
    }),
    totals: Shape({ records: Type.Integer(), samples: Type.Integer(), deadLetters: Type.Integer() }),
    circuitBreaker: Shape({
      state: Type.Union([Type.Literal('closed'), Type.Literal('open'), Type.Literal('half-open')]),
      since: Nullable(Timestamp),
      reason: Nullable(Type.String()),
    }),
    lastStoredAt: Nullable(Timestamp),
    log: Type.Array(Shape({ topic: Type.String(), records: Type.Integer(), bytes: Type.Integer() })),
    store: Shape({
      hotRows: Type.Integer(),
      sealedRows: Type.Integer(),
      sealedBytes: Type.Integer(),
      sealedFiles: Type.Integer(),
    }),
  },
  'PipelineHealth',
);
export type PipelineHealth = Static<typeof PipelineHealth>;

export const pipeline = routeGroup({
  health: {
    method: 'GET',
    path: '/api/v1/pipeline/health',
    summary: 'What waits, how fast it goes, what failed',
    status: 200,
    answer: PipelineHealth,
    permission: 'pipeline:read',
    limit: 'general',
  },
});
