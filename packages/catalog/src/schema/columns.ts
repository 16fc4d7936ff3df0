/** Column kinds that several tables share. Times are timestamptz in the database and whole microseconds here. */
import { isoToMicros, type Micros, microsToIso } from '@fieldline/model';
import { customType, integer, pgSchema } from 'drizzle-orm/pg-core';

export const fieldline = pgSchema('fieldline');

/** timestamptz ↔ microseconds. The driver hands the text of the time over, e.g. '2026-01-31 12:00:00.000001+00'. */
export const micros = customType<{ data: Micros; driverData: string }>({
  dataType: () => 'timestamp with time zone',
  fromDriver: isoToMicros,
  toDriver: microsToIso,
});

/** What every changing resource carries. */
export const revision = {
  version: integer().notNull().default(1),
  createdAt: micros().notNull().default(0),
  updatedAt: micros().notNull().default(0),
};
