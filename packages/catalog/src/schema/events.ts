/** Tables of migrations/0005_events.sql. */
import type { DomainEvent, EventType } from '@fieldline/model';
import { bigint, integer, jsonb, text, uuid } from 'drizzle-orm/pg-core';
import type { DeadLetterAction, JsonObject, ReceiptRange } from '../rows.ts';
import { fieldline, micros } from './columns.ts';

export const events = fieldline.table('events', {
  id: uuid().primaryKey(),
  organizationId: uuid().notNull(),
  type: text().$type<EventType>().notNull(),
  subjectKind: text().$type<DomainEvent['subjectKind']>().notNull(),
  subjectId: text().notNull(),
  time: micros().notNull(),
  payload: jsonb().$type<JsonObject>().notNull().default({}),
});

export const deadLetterActions = fieldline.table('dead_letter_actions', {
  id: uuid().primaryKey(),
  organizationId: uuid().notNull(),
  partition: integer().notNull(),
  position: bigint({ mode: 'number' }).notNull(),
  action: text().$type<DeadLetterAction['action']>().notNull(),
  note: text().notNull().default(''),
  userId: uuid(),
  createdAt: micros().notNull().default(0),
});

export const ingestReceipts = fieldline.table('ingest_receipts', {
  id: uuid().primaryKey(),
  organizationId: uuid().notNull(),
  apiKeyId: uuid(),
  receivedTime: micros().notNull(),
  recordCount: integer().notNull(),
  ranges: jsonb().$type<readonly ReceiptRange[]>().notNull(),
});
