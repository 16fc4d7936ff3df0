/** Tables of migrations/0003_devices.sql. */
import type { DeviceKind, DeviceLifecycle, SubjectKind, ValueKind } from '@fieldline/model';
import { boolean, doublePrecision, integer, jsonb, text, uuid } from 'drizzle-orm/pg-core';
import type { ConnectivityStatus, JsonObject } from '../rows.ts';
import { fieldline, micros, revision } from './columns.ts';

export const devices = fieldline.table('devices', {
  id: uuid().primaryKey(),
  organizationId: uuid().notNull(),
  key: text().notNull(),
  name: text().notNull(),
  kind: text().$type<DeviceKind>().notNull(),
  siteId: uuid(),
  lifecycle: text().$type<DeviceLifecycle>().notNull(),
  serialNumber: text(),
  attributes: jsonb().$type<JsonObject>().notNull().default({}),
  tags: text().array().notNull().default([]),
  gatewayId: uuid(),
  tokenSha256: text(),
  deletedAt: micros(),
  ...revision,
});

export const deviceStates = fieldline.table('device_states', {
  deviceId: uuid().primaryKey(),
  organizationId: uuid().notNull(),
  connectivityStatus: text().$type<ConnectivityStatus>().notNull(),
  connectivityChangedAt: micros(),
  lastSeen: micros(),
});

export const series = fieldline.table('series', {
  id: integer().primaryKey().generatedAlwaysAsIdentity(),
  organizationId: uuid().notNull(),
  subjectKind: text().$type<SubjectKind>().notNull(),
  subjectId: uuid().notNull(),
  deviceId: uuid(),
  metricKey: text().notNull(),
  valueKind: text().$type<ValueKind>().notNull(),
  unit: text().notNull().default(''),
  sourceUnit: text().notNull().default(''),
  scale: doublePrecision().notNull().default(1),
  offset: doublePrecision().notNull().default(0),
  minimum: doublePrecision(),
  maximum: doublePrecision(),
  metadata: jsonb().$type<JsonObject>().notNull().default({}),
  createdAt: micros().notNull().default(0),
  updatedAt: micros().notNull().default(0),
});

export const topicMappings = fieldline.table('topic_mappings', {
  id: uuid().primaryKey(),
  organizationId: uuid(),
  name: text().notNull(),
  pattern: text().notNull(),
  codec: text().notNull(),
  device: text().notNull(),
  metric: text().notNull(),
  priority: integer().notNull().default(0),
  enabled: boolean().notNull().default(true),
  createdAt: micros().notNull().default(0),
  updatedAt: micros().notNull().default(0),
});
