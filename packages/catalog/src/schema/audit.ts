/** Tables of migrations/0009_audit.sql. The database writes them itself. */
import { bigint, jsonb, text, uuid } from 'drizzle-orm/pg-core';
import type { AuditContent } from '../rows.ts';
import { fieldline } from './columns.ts';

export const auditHeads = fieldline.table('audit_heads', {
  organizationId: uuid().primaryKey(),
  sequence: bigint({ mode: 'number' }).notNull(),
  hash: text().notNull(),
});

export const auditEntries = fieldline.table('audit_entries', {
  organizationId: uuid().notNull(),
  content: jsonb().$type<AuditContent>().notNull(),
  hash: text().notNull(),
  sequence: bigint({ mode: 'number' }).notNull(),
  time: bigint({ mode: 'number' }).notNull(),
  actorId: text(),
  action: text().notNull(),
  subjectKind: text().notNull(),
  subjectId: text().notNull(),
});
