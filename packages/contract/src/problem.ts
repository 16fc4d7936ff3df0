/** RFC 9457 problem details: the body of every answer that is not a success (application/problem+json). */
import { type Static, Type } from 'typebox';

export const ProblemItem = Type.Object({
  path: Type.String({ description: 'Where: body/readings/0/value, query/limit, params/deviceId' }),
  message: Type.String({ description: 'What is wrong there and what to do' }),
});

export const Problem = Type.Object(
  {
    type: Type.String({ description: 'URI reference that names the kind of problem, e.g. /problems/not-found' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'Who, what, got what, do what' }),
    code: Type.String({ description: 'For programs, e.g. NOT_FOUND' }),
    instance: Type.Optional(Type.String({ description: 'The id of the request, as the log lines carry it' })),
    errors: Type.Optional(Type.Array(ProblemItem, { description: 'Each thing that is wrong with the request' })),
  },
  { title: 'Problem' },
);
export type Problem = Static<typeof Problem>;
