/** Schemas that many routes share: ids, times, pages, and the helpers that make them. JSON Schema 2020-12 by TypeBox. */
import { type Static, type TProperties, type TSchema, Type } from 'typebox';

export const Id = Type.String({ format: 'uuid', description: 'UUID' });

/** An id or a device's key: what devices are called on the wire. */
export const IdOrKey = Type.String({ minLength: 1, maxLength: 128, description: 'Id (UUID) or key' });

/** In answers: always UTC with 'Z'; milliseconds, microseconds only where they are not zero. */
export const Timestamp = Type.String({ format: 'date-time', description: 'ISO 8601, UTC' });

/** In requests: ISO 8601 (without a zone it is UTC) or milliseconds since 1970. */
export const TimeInput = Type.String({
  minLength: 1,
  maxLength: 40,
  description: 'ISO 8601, or milliseconds since 1970',
});

export const MetricKey = Type.String({ minLength: 1, maxLength: 256, description: 'What the device calls the metric' });

export const JsonObject = Type.Record(Type.String({ maxLength: 128 }), Type.Unknown(), { description: 'Free JSON' });

/** One of these words. */
export function OneOf<const T extends readonly string[]>(values: T, options: { description?: string } = {}) {
  return Type.Unsafe<T[number]>({ type: 'string', enum: [...values], ...options });
}

export const Role = OneOf(['admin', 'operator', 'engineer', 'viewer'], {
  description: 'admin: everything; operator: runs the plant; engineer: sets up devices; viewer: looks',
});
export type Role = Static<typeof Role>;

/** The schema or null. */
export function Nullable<T extends TSchema>(schema: T) {
  return Type.Union([schema, Type.Null()]);
}

/** An object of which nothing else is accepted or given out. A title makes it a component of the OpenAPI document. */
export function Shape<T extends TProperties>(properties: T, title?: string) {
  return Type.Object(properties, { additionalProperties: false, ...(title === undefined ? {} : { title }) });
}

/** A resource: what every one carries, and its own fields. */
export function Resource<T extends TProperties>(title: string, properties: T) {
  return Shape({ id: Id, organizationId: Id, createdAt: Timestamp, updatedAt: Timestamp, ...properties }, title);
}

/** A page of a list that is paged by offset. */
export function Page<T extends TSchema>(item: T) {
  return Shape({
    items: Type.Array(item),
    total: Type.Integer({ minimum: 0, description: 'Items on all pages' }),
    limit: Type.Integer(),
    offset: Type.Integer(),
  });
}

/** A page of a list that grows while it is read: paged by cursor. */
export function CursorPage<T extends TSchema>(item: T) {
  return Shape({ items: Type.Array(item), nextCursor: Nullable(Type.String()) });
}

/** Query parameters of a list that is paged by offset. */
export const pageQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 50 })),
  offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 10_000_000, default: 0 })),
};

/** Query parameters of a list that is paged by cursor. */
export const cursorQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
  cursor: Type.Optional(Type.String({ maxLength: 1024, description: 'nextCursor of the page before' })),
};
