/** From what is inside (microseconds, rows) to what is in JSON, and back from what stands in requests. */
import { FieldlineError } from '@fieldline/kit';
import { isMicros, isoToMicros, type Micros, microsToIso, millisToMicros } from '@fieldline/model';

/** ISO 8601, or null. */
export function isoOrNull(time: Micros | null): string | null {
  return time === null ? null : microsToIso(time);
}

/** What is wrong with one part of a request, as BAD_REQUEST. */
export function badRequest(path: string, message: string): FieldlineError {
  return new FieldlineError('BAD_REQUEST', `${path}: ${message}`, { details: { errors: [{ path, message }] } });
}

/** The answer for everything that is not there or must not be seen. */
export function notFound(what: string, id: string): FieldlineError {
  return new FieldlineError(
    'NOT_FOUND',
    `there is no ${what} ${JSON.stringify(id.slice(0, 128))} in this organization`,
  );
}

/** The value, or NOT_FOUND. */
export function found<T>(value: T | null | undefined, what: string, id: string): T {
  if (value === null || value === undefined) throw notFound(what, id);
  return value;
}

const MILLISECONDS = /^-?\d{1,16}(\.\d+)?$/;

/** A time of a request (ISO 8601, or milliseconds) in microseconds. */
export function parseTime(text: string, path: string): Micros {
  const time = MILLISECONDS.test(text) && text.length > 4 ? millisToMicros(Number(text)) : isoToMicros(text);
  if (!isMicros(time)) {
    const advice = 'send ISO 8601, or milliseconds since 1970 in at least five digits';
    throw badRequest(path, `${JSON.stringify(text)} is not a time; ${advice}`);
  }
  return time;
}

/** startTime and endTime of a query as the catalog's filters have them; undefined where they were left out. */
export function parseRange(query: { readonly startTime?: string | undefined; readonly endTime?: string | undefined }): {
  from: Micros | undefined;
  to: Micros | undefined;
} {
  const { startTime, endTime } = query;
  return {
    from: startTime === undefined ? undefined : parseTime(startTime, 'query/startTime'),
    to: endTime === undefined ? undefined : parseTime(endTime, 'query/endTime'),
  };
}

/** Adds id, organizationId and times in ISO 8601 to what a resource says of itself. */
export function resource<T extends object>(
  row: { readonly id: string; readonly organizationId: string; readonly createdAt: Micros; readonly updatedAt: Micros },
  rest: T,
): { id: string; organizationId: string; createdAt: string; updatedAt: string } & T {
  return {
    id: row.id,
    organizationId: row.organizationId,
    createdAt: microsToIso(row.createdAt),
    updatedAt: microsToIso(row.updatedAt),
    ...rest,
  };
}

/** A page of the catalog as a page of the contract. */
export function pageOf<T, R>(
  page: { readonly items: readonly T[]; readonly total: number },
  query: { readonly limit?: number | undefined; readonly offset?: number | undefined },
  toJson: (row: T) => R,
): { items: R[]; total: number; limit: number; offset: number } {
  return { items: page.items.map(toJson), total: page.total, limit: query.limit ?? 50, offset: query.offset ?? 0 };
}

/** Leaves out what is undefined, so that "not said" stays apart from "set to nothing". */
export function defined<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

/** Splits the version, which guards a change, from the change. */
export function splitVersion<T extends { version?: number | undefined }>(
  body: T,
): { changes: Omit<T, 'version'>; options: { version?: number } } {
  const { version, ...changes } = body;
  return { changes, options: version === undefined ? {} : { version } };
}
