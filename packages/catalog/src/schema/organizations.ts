/** Tables of migrations/0002_organizations.sql. */
import { boolean, doublePrecision, integer, jsonb, text, uuid } from 'drizzle-orm/pg-core';
import type { JsonObject, UserRole } from '../rows.ts';
import { fieldline, micros, revision } from './columns.ts';

export const organizations = fieldline.table('organizations', {
  id: uuid().primaryKey(),
  slug: text().notNull(),
  name: text().notNull(),
  autoRegistration: boolean().notNull().default(false),
  ...revision,
});

export const users = fieldline.table('users', {
  id: uuid().primaryKey(),
  organizationId: uuid().notNull(),
  email: text().notNull(),
  name: text().notNull(),
  role: text().$type<UserRole>().notNull(),
  /** PHC string; null = no log-in by password. */
  passwordHash: text(),
  siteIds: uuid().array(),
  disabled: boolean().notNull().default(false),
  tokenVersion: integer().notNull().default(1),
  lastLoginAt: micros(),
  ...revision,
});

export const sites = fieldline.table('sites', {
  id: uuid().primaryKey(),
  organizationId: uuid().notNull(),
  name: text().notNull(),
  timeZone: text().notNull().default('UTC'),
  address: text().notNull().default(''),
  latitude: doublePrecision(),
  longitude: doublePrecision(),
  attributes: jsonb().$type<JsonObject>().notNull().default({}),
  ...revision,
});

export const apiKeys = fieldline.table('api_keys', {
  id: uuid().primaryKey(),
  organizationId: uuid().notNull(),
  name: text().notNull(),
  prefix: text().notNull(),
  keySha256: text().notNull(),
  scopes: text().array().notNull(),
  siteIds: uuid().array(),
  expiresAt: micros(),
  lastUsedAt: micros(),
  revokedAt: micros(),
  createdBy: uuid(),
  ...revision,
});

export const settings = fieldline.table('settings', {
  organizationId: uuid().notNull(),
  key: text().notNull(),
  value: jsonb().notNull(),
  updatedAt: micros().notNull().default(0),
});
