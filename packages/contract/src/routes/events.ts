/** Events: what happened. */
import { type Static, Type } from 'typebox';
import { CursorPage, cursorQuery, Id, JsonObject, OneOf, Resource, Shape, TimeInput, Timestamp } from '../common.ts';
import { routeGroup } from '../route.ts';

export const Event = Resource('Event', {
  type: Type.String({ description: 'e.g. DEVICE_CONNECTED' }),
  subjectKind: OneOf(['device', 'asset', 'user', 'system']),
  subjectId: Type.String(),
  time: Timestamp,
  payload: JsonObject,
});
export type Event = Static<typeof Event>;

export const events = routeGroup({
  list: {
    method: 'GET',
    path: '/api/v1/events',
    summary: 'Events, newest first',
    query: Shape({
      ...cursorQuery,
      type: Type.Optional(
        Type.Union([Type.String({ maxLength: 64 }), Type.Array(Type.String({ maxLength: 64 }), { maxItems: 20 })]),
      ),
      subjectId: Type.Optional(Id),
      startTime: Type.Optional(TimeInput),
      endTime: Type.Optional(TimeInput),
    }),
    status: 200,
    answer: CursorPage(Event),
    permission: 'events:read',
    limit: 'general',
  },
});
