/** The audit trail: who changed what, when, from where. */
import { type Static, Type } from 'typebox';
import { CursorPage, cursorQuery, Id, JsonObject, Nullable, OneOf, Shape, TimeInput, Timestamp } from '../common.ts';
import { routeGroup } from '../route.ts';

export const AuditEntry = Shape(
  {
    sequence: Type.Integer({ minimum: 1, description: '1, 2, 3, … within the organization, without a gap' }),
    time: Timestamp,
    actor: Shape({
      kind: OneOf(['user', 'api-key', 'device', 'system']),
      id: Nullable(Id),
      address: Nullable(Type.String({ description: 'IP address that the request came from' })),
    }),
    action: Type.String({
      description: 'create, update, delete; other words where something was done that changes nothing',
    }),
    subjectKind: Type.String(),
    subjectId: Type.String(),
    before: Nullable(JsonObject),
    after: Nullable(JsonObject),
    hash: Type.String({ description: 'SHA-256 over the entry and the hash of the one before' }),
  },
  'AuditEntry',
);
export type AuditEntry = Static<typeof AuditEntry>;

const Head = Shape({ sequence: Type.Integer({ minimum: 0 }), hash: Type.String() });

const filter = {
  actorId: Type.Optional(Id),
  action: Type.Optional(Type.String({ maxLength: 256 })),
  subjectKind: Type.Optional(Type.String({ maxLength: 256 })),
  subjectId: Type.Optional(Type.String({ maxLength: 256 })),
  startTime: Type.Optional(TimeInput),
  endTime: Type.Optional(TimeInput),
};

export const audit = routeGroup({
  list: {
    method: 'GET',
    path: '/api/v1/audit',
    summary: 'The audit trail, newest first',
    query: Shape({ ...cursorQuery, ...filter }),
    status: 200,
    answer: CursorPage(AuditEntry),
    permission: 'audit:read',
    limit: 'general',
  },
  verify: {
    method: 'GET',
    path: '/api/v1/audit/verify',
    summary:
      'Goes through the chain of hashes; sequence and hash of an entry that was noted earlier tell a trail that was written anew',
    query: Shape({
      sequence: Type.Optional(Type.Integer({ minimum: 1, maximum: 1e15 })),
      hash: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })),
    }),
    status: 200,
    answer: Shape({
      organization: Type.String({ description: 'Short name' }),
      whole: Type.Boolean(),
      count: Type.Integer({ minimum: 0 }),
      head: Head,
      problems: Type.Array(Type.String(), { description: 'The first 100' }),
    }),
    permission: 'audit:read',
    limit: 'timeSeries',
  },
});
