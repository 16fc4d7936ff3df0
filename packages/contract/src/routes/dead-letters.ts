/** Dead letters: what could not be taken in, with the reason; to be looked at and replayed. */
import { type Static, Type } from 'typebox';
import { CursorPage, cursorQuery, Id, Nullable, Shape, Timestamp } from '../common.ts';
import { routeGroup } from '../route.ts';

const LetterId = Type.String({ pattern: '^\\d{1,6}-\\d{1,16}$', description: 'partition-position' });

export const DeadLetter = Shape(
  {
    id: LetterId,
    organizationId: Id,
    createdAt: Timestamp,
    updatedAt: Timestamp,
    receivedTime: Timestamp,
    code: Type.String({ description: 'Why, for programs, e.g. PAYLOAD_NOT_DECODABLE' }),
    message: Type.String({ description: 'Why, for people' }),
    topic: Type.String(),
    deviceId: Type.String({ description: 'Its id, or the name it gave itself where it is not known' }),
    codec: Type.String(),
    source: Type.String(),
    partial: Type.Boolean({ description: 'True where the rest of the record was taken in' }),
    rejections: Type.Array(Shape({ metric: Type.String(), code: Type.String(), message: Type.String() })),
    byteLength: Type.Integer(),
    preview: Type.String({ description: 'The first bytes of the payload as text' }),
    payload: Type.Optional(Type.String({ description: 'Base64; only where one is looked at' })),
    replayedAt: Nullable(Timestamp),
  },
  'DeadLetter',
);
export type DeadLetter = Static<typeof DeadLetter>;

const filter = {
  code: Type.Optional(Type.String({ maxLength: 64 })),
  deviceId: Type.Optional(Type.String({ maxLength: 128 })),
};

export const deadLetters = routeGroup({
  list: {
    method: 'GET',
    path: '/api/v1/dead-letters',
    summary: 'Dead letters, newest first',
    query: Shape({ ...cursorQuery, ...filter }),
    status: 200,
    answer: CursorPage(DeadLetter),
    permission: 'dead-letters:read',
    limit: 'general',
  },
  get: {
    method: 'GET',
    path: '/api/v1/dead-letters/:deadLetterId',
    summary: 'One dead letter with its payload',
    params: Shape({ deadLetterId: LetterId }),
    status: 200,
    answer: DeadLetter,
    permission: 'dead-letters:read',
    limit: 'general',
  },
  replay: {
    method: 'POST',
    path: '/api/v1/dead-letters/replay',
    summary: 'Take dead letters in again, after the cause is mended',
    body: Type.Union([
      Shape({ ids: Type.Array(LetterId, { minItems: 1, maxItems: 1000 }) }),
      Shape({ filter: Shape(filter) }),
    ]),
    status: 202,
    answer: Shape({
      replayed: Type.Integer(),
      notFound: Type.Array(LetterId),
    }),
    permission: 'dead-letters:replay',
    limit: 'general',
  },
});
