/** The database's errors → FieldlineErrors that say what to do. SQLSTATE codes: PostgreSQL's appendix A. */
import { type ErrorCode, FieldlineError, messageOf } from '@fieldline/kit';

interface DatabaseError {
  readonly code: string;
  readonly message: string;
  readonly constraint?: string;
  readonly detail?: string;
}

/** Constraint → what it means to a caller. Others are told by their name. */
const CONSTRAINTS: Readonly<Record<string, { code: ErrorCode; field: string; message: string }>> = {
  organizations_slug_key: { code: 'CONFLICT', field: 'slug', message: 'another organization has this slug' },
  users_email_key: { code: 'CONFLICT', field: 'email', message: 'another user has this e-mail address' },
  sites_name_unique: { code: 'CONFLICT', field: 'name', message: 'another site has this name' },
  devices_key_unique: { code: 'CONFLICT', field: 'key', message: 'another device has this key' },
  devices_site_fkey: { code: 'BAD_REQUEST', field: 'siteId', message: 'there is no such site' },
  devices_gateway_fkey: { code: 'BAD_REQUEST', field: 'gatewayId', message: 'there is no such gateway' },
  devices_gateway_other: { code: 'BAD_REQUEST', field: 'gatewayId', message: 'a device cannot be its own gateway' },
  topic_mappings_name_unique: { code: 'CONFLICT', field: 'name', message: 'another mapping has this name' },
};

const CODES: Readonly<Record<string, ErrorCode>> = {
  '22001': 'BAD_REQUEST', // text too long
  '22003': 'BAD_REQUEST', // number out of range
  '22021': 'BAD_REQUEST', // NUL in a text
  '22P02': 'BAD_REQUEST', // text that is no UUID or number
  '22P05': 'BAD_REQUEST', // \u0000 in JSON
  '23502': 'BAD_REQUEST', // null where none is allowed
  '23503': 'BAD_REQUEST', // reference to nothing
  '23505': 'CONFLICT', // not unique
  '23514': 'BAD_REQUEST', // check constraint
  '42501': 'FORBIDDEN', // row-level security, or a table that the door does not open
  '53100': 'DISK_FULL',
  '57014': 'TIMEOUT', // statement_timeout
};

/** What the database says of these would tell nobody what to do. */
const SENTENCES: Readonly<Record<string, string>> = {
  '22021': 'a text holds the character U+0000, which cannot be kept or looked for; leave it out',
  '22P05': 'a text holds the character U+0000, which cannot be kept or looked for; leave it out',
};

const CONNECTION_ERRORS = ['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EPIPE', 'ETIMEDOUT', 'EAI_AGAIN'];

/** Any error of a transaction as one of ours; our own pass as they are. */
export function translateError(error: unknown): FieldlineError {
  if (error instanceof FieldlineError) return error;
  const found = databaseErrorOf(error);
  if (found === null) {
    const lost = /Connection terminated|timeout exceeded when trying to connect|not queryable/.test(messageOf(error));
    return new FieldlineError(lost ? 'UNAVAILABLE' : 'INTERNAL', `catalog: ${messageOf(error)}`, { cause: error });
  }
  const constraint = CONSTRAINTS[found.constraint ?? ''];
  if (constraint !== undefined) {
    // Deleting what is still referred to breaks the same constraint from the other side.
    const referenced = found.code === '23503' && /still referenced/.test(found.detail ?? '');
    if (referenced) return new FieldlineError('CONFLICT', `it is still in use (${constraint.field} of others)`);
    const details = { field: constraint.field };
    return new FieldlineError(constraint.code, `${constraint.field}: ${constraint.message}`, { details, cause: found });
  }
  const code = CODES[found.code] ?? (isConnectionError(found.code) ? 'UNAVAILABLE' : 'INTERNAL');
  return new FieldlineError(code, SENTENCES[found.code] ?? `catalog: ${found.message}`, {
    details: { sqlState: found.code, ...(found.constraint !== undefined && { constraint: found.constraint }) },
    cause: found,
  });
}

/** A serialisation failure or a deadlock: the same transaction may succeed when run again. */
export function isRetryable(error: unknown): boolean {
  const code = databaseErrorOf(error)?.code;
  return code === '40001' || code === '40P01';
}

/** True where the connection itself is broken, so that it must not be used again. */
export function isConnectionError(code: string): boolean {
  return code.startsWith('08') || code.startsWith('57P') || code === '53300' || CONNECTION_ERRORS.includes(code);
}

/** Drizzle wraps the driver's error (with the parameters, which may be secrets): what counts is the inner one with a code. */
function databaseErrorOf(error: unknown): DatabaseError | null {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (typeof (at as { code?: unknown }).code === 'string') return at as unknown as DatabaseError;
  }
  return null;
}
