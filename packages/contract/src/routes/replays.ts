/** Replays: raw telemetry of the past through today's pipeline, into the live store or a sandbox. A replay is a job. */
import { Type } from 'typebox';
import { Id, IdOrKey, OneOf, Shape, TimeInput } from '../common.ts';
import { routeGroup } from '../route.ts';
import { Job } from './jobs.ts';

export const ReplayRequest = Shape(
  {
    devices: Type.Union([Type.Literal('all'), Type.Array(IdOrKey, { minItems: 1, maxItems: 1000 })], {
      description: "Ids or keys, or 'all' of the organization, with what unknown ones have sent",
    }),
    startTime: TimeInput,
    endTime: Type.Optional(TimeInput),
    speed: Type.Optional(
      Type.Union([Type.Number({ minimum: 0.01, maximum: 1_000_000 }), Type.Literal('max')], {
        default: 'max',
        description: 'Multiple of the pace at which the records were received; max: as fast as live ingestion allows',
      }),
    ),
    target: OneOf(['live', 'sandbox'], {
      description: 'live: fills what is missing; sandbox: a store of its own, read by ?sandbox={jobId}',
    }),
  },
  'ReplayRequest',
);

export const replays = routeGroup({
  start: {
    method: 'POST',
    path: '/api/v1/telemetry/replay',
    summary: 'Replay what was received in a range of time (endTime absent: until now)',
    body: ReplayRequest,
    status: 202,
    answer: Job,
    permission: 'telemetry:replay',
    limit: 'general',
  },
  get: {
    method: 'GET',
    path: '/api/v1/telemetry/replay/:jobId',
    summary: 'How far a replay is',
    params: Shape({ jobId: Id }),
    status: 200,
    answer: Job,
    permission: 'telemetry:replay',
    limit: 'general',
  },
});
