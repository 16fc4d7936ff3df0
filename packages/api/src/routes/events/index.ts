/** Events: what happened, newest first. */
import type { Event } from '@fieldline/contract';
import { type DomainEvent, EVENT_TYPES, type EventType, microsToIso } from '@fieldline/model';
import type { GroupHandlers } from '../../handlers.ts';
import { badRequest, defined, parseRange } from '../../text.ts';

export function eventHandlers(): GroupHandlers<'events'> {
  return {
    list: async ({ query, catalog }) => {
      const { type, startTime, endTime, ...rest } = query;
      const filter = defined({
        ...rest,
        types: type === undefined ? undefined : parseTypes(type),
        ...parseRange({ startTime, endTime }),
      });
      const page = await catalog.events.list(filter);
      return { items: page.items.map(eventJson), nextCursor: page.nextCursor };
    },
  };
}

/** An event as the contract says it; it is made once and never changed. */
export function eventJson(event: DomainEvent): Event {
  const time = microsToIso(event.time);
  const { id, organizationId, type, subjectKind, subjectId } = event;
  const payload = { ...event.payload };
  return { id, organizationId, createdAt: time, updatedAt: time, type, subjectKind, subjectId, time, payload };
}

function parseTypes(asked: string | string[]): EventType[] {
  const names = (typeof asked === 'string' ? asked.split(',') : asked).filter((name) => name !== '');
  const known: readonly string[] = EVENT_TYPES;
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return names as EventType[];
  throw badRequest('query/type', `${JSON.stringify(unknown)} is no type of event; known are ${EVENT_TYPES.join(', ')}`);
}
