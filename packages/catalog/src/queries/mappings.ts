/** Topic mappings: an organisation's own, and the built-in ones, which it sees and cannot change. */
import { FieldlineError } from '@fieldline/kit';
import { isId, newId, patternProblem, type TopicMapping } from '@fieldline/model';
import { asc, desc, eq, isNull, sql } from 'drizzle-orm';
import type { MappingCatalog, Scope } from '../catalog.ts';
import type { Database, Queries } from '../database/database.ts';
import type { MappingChanges } from '../rows.ts';
import { topicMappings } from '../schema/index.ts';
import { checkName, notFound, present, refuse } from '../validate.ts';

const TEXT_LENGTH_MAX = 512;

/** The columns of a mapping. */
export const mappingColumns = {
  id: topicMappings.id,
  organizationId: topicMappings.organizationId,
  name: topicMappings.name,
  pattern: topicMappings.pattern,
  codec: topicMappings.codec,
  device: topicMappings.device,
  metric: topicMappings.metric,
  priority: topicMappings.priority,
  enabled: topicMappings.enabled,
};

export function mappingCatalog(database: Database, scope: Scope): MappingCatalog {
  return {
    list: () =>
      database.transaction(scope, (queries) =>
        queries
          .select(mappingColumns)
          .from(topicMappings)
          .orderBy(asc(isNull(topicMappings.organizationId)), desc(topicMappings.priority), asc(topicMappings.name)),
      ),

    async get(id) {
      if (!isId(id)) return null;
      return database.transaction(scope, (queries) => find(queries, id));
    },

    async create(mapping) {
      const { name, pattern, codec, device, metric, priority = 0, enabled = true } = mapping;
      columnsOf(mapping);
      const row = {
        id: newId(),
        organizationId: scope.organizationId,
        ...{ name: checkName(name), pattern, codec, device, metric, priority, enabled },
      };
      return database.transaction(scope, async (queries) => {
        const [created] = await queries.insert(topicMappings).values(row).returning(mappingColumns);
        return created!;
      });
    },

    async update(id, changes) {
      const columns = columnsOf(changes);
      return database.transaction(scope, async (queries) => {
        await checkOwn(queries, id);
        const change = { ...columns, updatedAt: sql`now()` };
        const changed = await queries
          .update(topicMappings)
          .set(change)
          .where(eq(topicMappings.id, id))
          .returning(mappingColumns);
        return changed[0]!;
      });
    },

    delete: (id) =>
      database.transaction(scope, async (queries) => {
        await checkOwn(queries, id);
        await queries.delete(topicMappings).where(eq(topicMappings.id, id));
      }),
  };
}

async function find(queries: Queries, id: string): Promise<TopicMapping | null> {
  const [row] = await queries.select(mappingColumns).from(topicMappings).where(eq(topicMappings.id, id));
  return row ?? null;
}

async function checkOwn(queries: Queries, id: string): Promise<void> {
  const mapping = isId(id) ? await find(queries, id) : null;
  if (mapping === null) return notFound('mapping', id);
  if (mapping.organizationId === null) {
    throw new FieldlineError(
      'FORBIDDEN',
      `the mapping "${mapping.name}" is built in; make one of your own, it goes first`,
    );
  }
}

function columnsOf(changes: MappingChanges) {
  const { name, pattern, codec, device, metric, priority, enabled } = changes;
  const problem = pattern === undefined ? null : patternProblem(pattern);
  if (problem !== null) refuse('pattern', problem);
  for (const [field, value] of Object.entries({ pattern, codec, device, metric })) {
    if (value !== undefined && (value.length < 1 || value.length > TEXT_LENGTH_MAX)) {
      refuse(field, `must have 1 to ${TEXT_LENGTH_MAX} characters`);
    }
  }
  if (priority !== undefined && (!Number.isInteger(priority) || Math.abs(priority) > 1_000_000)) {
    refuse('priority', 'must be a whole number from -1000000 to 1000000');
  }
  return present({
    name: name === undefined ? undefined : checkName(name),
    pattern,
    codec,
    device,
    metric,
    priority,
    enabled,
  });
}
