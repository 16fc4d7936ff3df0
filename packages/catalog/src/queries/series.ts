/** The series that a scope sees. They are made by the feed (system-series.ts), never by a tenant. */
import type { SeriesDefinition } from '@fieldline/model';
import { isId, isKnownUnit, linearConversion } from '@fieldline/model';
import { and, asc, eq, inArray, sql } from 'drizzle-orm';
import type { Scope, SeriesCatalog } from '../catalog.ts';
import type { Database } from '../database/database.ts';
import type { SeriesChanges } from '../rows.ts';
import { series } from '../schema/index.ts';
import { checkJson, notFound, present, refuse } from '../validate.ts';

const IDS_MAX = 10_000;
const UNIT_LENGTH_MAX = 64;
const ID_MAX = 2 ** 31 - 1;

/** The columns of a definition. */
export const definition = {
  id: series.id,
  organizationId: series.organizationId,
  subjectKind: series.subjectKind,
  subjectId: series.subjectId,
  metricKey: series.metricKey,
  valueKind: series.valueKind,
  unit: series.unit,
  sourceUnit: series.sourceUnit,
  scale: series.scale,
  offset: series.offset,
  minimum: series.minimum,
  maximum: series.maximum,
  metadata: series.metadata,
};

export function seriesCatalog(database: Database, scope: Scope): SeriesCatalog {
  return {
    async get(id) {
      if (!isSeriesId(id)) return null;
      return database.transaction(scope, async (queries) => {
        const [row] = await queries.select(definition).from(series).where(eq(series.id, id));
        return row ?? null;
      });
    },

    async getMany(ids) {
      if (ids.length > IDS_MAX) refuse('ids', `must not be more than ${IDS_MAX}`);
      const known = ids.filter(isSeriesId);
      if (known.length === 0) return [];
      return database.transaction(scope, (queries) =>
        queries.select(definition).from(series).where(inArray(series.id, known)).orderBy(asc(series.id)),
      );
    },

    async listOf(subjectId) {
      if (!isId(subjectId)) return [];
      return database.transaction(scope, (queries) =>
        queries.select(definition).from(series).where(eq(series.subjectId, subjectId)).orderBy(asc(series.metricKey)),
      );
    },

    async find(subjectId, metricKey) {
      if (!isId(subjectId)) return null;
      return database.transaction(scope, async (queries) => {
        const [row] = await queries
          .select(definition)
          .from(series)
          .where(and(eq(series.subjectId, subjectId), eq(series.metricKey, metricKey)));
        return row ?? null;
      });
    },

    async update(id, changes) {
      if (!isSeriesId(id)) return notFound('series', id);
      const columns = columnsOf(changes);
      return database.transaction(scope, async (queries) => {
        const [before] = await queries.select(definition).from(series).where(eq(series.id, id)).for('update');
        if (before === undefined) return notFound('series', id);
        const after = { ...before, ...columns };
        checkBounds(after);
        checkConversion(after);
        const change = { ...columns, updatedAt: sql`now()` };
        const [row] = await queries.update(series).set(change).where(eq(series.id, id)).returning(definition);
        return row!;
      });
    },
  };
}

function isSeriesId(id: number): boolean {
  return Number.isInteger(id) && id > 0 && id <= ID_MAX;
}

function columnsOf(changes: SeriesChanges) {
  const { unit, sourceUnit, scale, offset, minimum, maximum, metadata } = changes;
  for (const [field, value] of Object.entries({ unit, sourceUnit })) {
    if (value !== undefined && value.length > UNIT_LENGTH_MAX)
      refuse(field, `must not be longer than ${UNIT_LENGTH_MAX} characters`);
  }
  for (const [field, value] of Object.entries({ scale, offset, minimum, maximum })) {
    if (typeof value === 'number' && !Number.isFinite(value)) refuse(field, 'must be a finite number');
  }
  if (scale === 0) refuse('scale', 'must not be 0: every value would become the offset');
  return present({
    unit,
    sourceUnit,
    scale,
    offset,
    minimum,
    maximum,
    metadata: metadata === undefined ? undefined : checkJson(metadata, 'metadata'),
  });
}

function checkBounds({ minimum, maximum }: Pick<SeriesDefinition, 'minimum' | 'maximum'>): void {
  if (minimum !== null && maximum !== null && minimum > maximum) refuse('minimum', 'must not be above maximum');
}

/** Units of different quantities need a scale or an offset that makes one of the other (a current loop's mA into bar). */
function checkConversion({
  unit,
  sourceUnit,
  scale,
  offset,
}: Pick<SeriesDefinition, 'unit' | 'sourceUnit' | 'scale' | 'offset'>): void {
  if (scale !== 1 || offset !== 0 || !isKnownUnit(unit) || !isKnownUnit(sourceUnit)) return;
  if (linearConversion(sourceUnit, unit) !== null) return;
  refuse('sourceUnit', `"${sourceUnit}" cannot be converted to "${unit}"; set scale and offset, or another unit`);
}
