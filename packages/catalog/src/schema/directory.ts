/** Tables of migrations/0006_directory.sql; triggers write them. */
import { bigint, boolean, text, uuid } from 'drizzle-orm/pg-core';
import { fieldline } from './columns.ts';

export const directoryClock = fieldline.table('directory_clock', {
  one: boolean().primaryKey().default(true),
  version: bigint({ mode: 'number' }).notNull(),
});

export const directoryChanges = fieldline.table('directory_changes', {
  kind: text().$type<'organization' | 'device' | 'mapping' | 'series'>().notNull(),
  thingId: text().notNull(),
  organizationId: uuid(),
  version: bigint({ mode: 'number' }).notNull(),
});
