/** Tables of migrations/0004_sessions.sql. Seen by the system door alone. */
import { bigint, boolean, integer, text, uuid } from 'drizzle-orm/pg-core';
import { fieldline, micros } from './columns.ts';

export const refreshFamilies = fieldline.table('refresh_families', {
  id: uuid().primaryKey(),
  organizationId: uuid().notNull(),
  userId: uuid().notNull(),
  userAgent: text().notNull().default(''),
  address: text().notNull().default(''),
  /** The user's when the family began: a higher one has ended it. */
  tokenVersion: integer().notNull(),
  createdAt: micros().notNull(),
  expiresAt: micros().notNull(),
  endedAt: micros(),
});

export const refreshTokens = fieldline.table('refresh_tokens', {
  tokenSha256: text().primaryKey(),
  organizationId: uuid().notNull(),
  familyId: uuid().notNull(),
  expiresAt: micros().notNull(),
  usedAt: micros(),
});

export const revocations = fieldline.table('revocations', {
  id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  organizationId: uuid().notNull(),
  userId: uuid().notNull(),
  familyId: uuid(),
  tokenVersion: integer(),
  createdAt: micros().notNull().default(0),
});

export const signingKeys = fieldline.table('signing_keys', {
  kid: uuid().primaryKey(),
  publicKeyPem: text().notNull(),
  privateKeySealed: text().notNull(),
  active: boolean().notNull(),
  createdAt: micros().notNull().default(0),
});
