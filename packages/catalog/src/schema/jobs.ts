/** Table of migrations/0007_jobs.sql. */
import { doublePrecision, integer, jsonb, text, uuid } from 'drizzle-orm/pg-core';
import type { JobStatus, JsonObject } from '../rows.ts';
import { fieldline, micros } from './columns.ts';

export const jobs = fieldline.table('jobs', {
  id: uuid().primaryKey(),
  organizationId: uuid().notNull(),
  kind: text().notNull(),
  status: text().$type<JobStatus>().notNull().default('queued'),
  parameters: jsonb().$type<JsonObject>().notNull().default({}),
  checkpoint: jsonb().$type<JsonObject>(),
  progressDone: doublePrecision().notNull().default(0),
  progressTotal: doublePrecision(),
  progressAtStart: doublePrecision().notNull().default(0),
  result: jsonb().$type<JsonObject>(),
  error: text(),
  attempts: integer().notNull().default(0),
  attemptsMax: integer().notNull().default(5),
  runAt: micros().notNull().default(0),
  leaseUntil: micros(),
  userId: uuid(),
  createdAt: micros().notNull().default(0),
  updatedAt: micros().notNull().default(0),
  startedAt: micros(),
  finishedAt: micros(),
});
