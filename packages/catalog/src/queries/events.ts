/** What happened, as far as the scope sees it: events, what was done with dead letters, receipts of HTTP ingest. */
import { type DomainEvent, isId, microsToIso, newId } from '@fieldline/model';
import { and, asc, desc, eq, gte, inArray, lt, type SQL, sql } from 'drizzle-orm';
import type { DeadLetterCatalog, EventCatalog, ReceiptCatalog, Scope } from '../catalog.ts';
import type { Database } from '../database/database.ts';
import type { EventFilter } from '../rows.ts';
import { deadLetterActions, events, ingestReceipts } from '../schema/index.ts';
import { checkLimit, NAME_LENGTH_MAX, refuse } from '../validate.ts';

const EVENTS_LIMIT_DEFAULT = 100;
const ACTIONS_MAX = 10_000;

export function eventCatalog(database: Database, scope: Scope): EventCatalog {
  return {
    async list(filter = {}) {
      const limit = checkLimit(filter.limit ?? EVENTS_LIMIT_DEFAULT);
      const condition = conditionOf(filter);
      return database.transaction(scope, async (queries) => {
        const rows = await queries
          .select()
          .from(events)
          .where(condition)
          .orderBy(desc(events.time), desc(events.id))
          .limit(limit + 1);
        const items = rows.slice(0, limit);
        return { items, nextCursor: rows.length > limit ? cursorOf(items.at(-1)!) : null };
      });
    },

    async get(id) {
      if (!isId(id)) return null;
      return database.transaction(scope, async (queries) => {
        const [row] = await queries.select().from(events).where(eq(events.id, id));
        return row ?? null;
      });
    },
  };
}

export function deadLetterCatalog(database: Database, scope: Scope): DeadLetterCatalog {
  return {
    async record(actions) {
      if (actions.length === 0) return;
      if (actions.length > ACTIONS_MAX) refuse('actions', `must not be more than ${ACTIONS_MAX}`);
      for (const { note } of actions) {
        if (note.length > NAME_LENGTH_MAX * 5)
          refuse('note', `must not be longer than ${NAME_LENGTH_MAX * 5} characters`);
      }
      const rows = actions.map(({ partition, position, action, note, userId }) => ({
        id: newId(),
        organizationId: scope.organizationId,
        ...{ partition, position, action, note, userId },
      }));
      await database.transaction(scope, (queries) => queries.insert(deadLetterActions).values(rows));
    },

    list: ({ partition, from, to }) =>
      database.transaction(scope, (queries) =>
        queries
          .select()
          .from(deadLetterActions)
          .where(
            and(
              eq(deadLetterActions.partition, partition),
              gte(deadLetterActions.position, from),
              lt(deadLetterActions.position, to),
            ),
          )
          .orderBy(asc(deadLetterActions.position), asc(deadLetterActions.id))
          .limit(ACTIONS_MAX),
      ),
  };
}

export function receiptCatalog(database: Database, scope: Scope): ReceiptCatalog {
  return {
    async get(id) {
      if (!isId(id)) return null;
      return database.transaction(scope, async (queries) => {
        const [row] = await queries.select().from(ingestReceipts).where(eq(ingestReceipts.id, id));
        return row ?? null;
      });
    },
  };
}

function conditionOf({ types, subjectId, from, to, cursor }: EventFilter): SQL | undefined {
  return and(
    types && inArray(events.type, [...types]),
    subjectId === undefined ? undefined : eq(events.subjectId, subjectId),
    from === undefined ? undefined : gte(events.time, from),
    to === undefined ? undefined : lt(events.time, to),
    cursor === undefined ? undefined : afterCursor(cursor),
  );
}

/** The next page goes on below (time, id) of this event. */
function cursorOf({ time, id }: DomainEvent): string {
  return Buffer.from(`${time}/${id}`).toString('base64url');
}

function afterCursor(cursor: string): SQL {
  const [time, id] = Buffer.from(cursor, 'base64url').toString().split('/');
  if (!/^\d{1,16}$/.test(time ?? '') || !isId(id ?? '')) refuse('cursor', 'is none that was given out');
  return sql`(${events.time}, ${events.id}) < (${microsToIso(Number(time))}::timestamptz, ${id}::uuid)`;
}
