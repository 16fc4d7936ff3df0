/** Checks of what callers hand over. Each throws BAD_REQUEST with details.field, or gives the value back in its stored form. */
import { FieldlineError } from '@fieldline/kit';
import { isId } from '@fieldline/model';
import type { PageRequest } from './rows.ts';

export const NAME_LENGTH_MAX = 200;
export const PASSWORD_LENGTH_MIN = 8;
export const PASSWORD_LENGTH_MAX = 1024;
export const JSON_LENGTH_MAX = 65_536;
const PAGE_LIMIT_MAX = 1000;
const PAGE_LIMIT_DEFAULT = 50;

export function refuse(field: string, problem: string): never {
  throw new FieldlineError('BAD_REQUEST', `${field} ${problem}`, { details: { field } });
}

export function notFound(what: string, id: string | number): never {
  throw new FieldlineError('NOT_FOUND', `there is no ${what} ${id}`);
}

/** Trimmed, 1 to 200 characters. */
export function checkName(name: string, field = 'name'): string {
  const trimmed = name.trim();
  if (trimmed.length < 1 || trimmed.length > NAME_LENGTH_MAX)
    refuse(field, `must have 1 to ${NAME_LENGTH_MAX} characters`);
  return trimmed;
}

/** Trimmed and in lower case. */
export function checkEmail(email: string): string {
  const address = email.trim().toLowerCase();
  if (address.length > 254 || !/^[^\s@]+@[^\s@]+$/.test(address)) refuse('email', `"${email}" is no e-mail address`);
  return address;
}

export function checkPassword(password: string): string {
  if (password.length < PASSWORD_LENGTH_MIN || password.length > PASSWORD_LENGTH_MAX) {
    refuse('password', `must have ${PASSWORD_LENGTH_MIN} to ${PASSWORD_LENGTH_MAX} characters`);
  }
  return password;
}

export function checkSlug(slug: string): string {
  if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(slug)) {
    refuse('slug', `"${slug}" must have 1 to 63 lower case letters, digits and "-"`);
  }
  return slug;
}

export function checkTimeZone(timeZone: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone;
  } catch {
    return refuse('timeZone', `"${timeZone}" is no time zone of the IANA list, such as Europe/Berlin`);
  }
}

/** Any JSON value of bounded size. */
export function checkJson<T>(value: T, field: string): T {
  const text = JSON.stringify(value);
  if (text === undefined) refuse(field, 'must be a JSON value');
  if (text.length > JSON_LENGTH_MAX) refuse(field, `must not be longer than ${JSON_LENGTH_MAX} characters as JSON`);
  return value;
}

/** Tells a null or absent value from an id; what is no UUID refers to nothing. */
export function checkReference(id: string | null | undefined, field: string): string | null | undefined {
  if (id !== null && id !== undefined && !isId(id)) refuse(field, `"${id}" is no id`);
  return id;
}

export function checkReferences(ids: readonly string[] | null, field: string): string[] | null {
  for (const id of ids ?? []) checkReference(id, field);
  return ids === null ? null : [...new Set(ids)];
}

/** The limit of a page. */
export function checkLimit(limit: number): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= PAGE_LIMIT_MAX) return limit;
  return refuse('limit', `must be a whole number from 1 to ${PAGE_LIMIT_MAX}`);
}

export function checkPage(page: PageRequest): { limit: number; offset: number } {
  const { offset = 0 } = page;
  const limit = checkLimit(page.limit ?? PAGE_LIMIT_DEFAULT);
  if (!Number.isInteger(offset) || offset < 0 || offset > 1e9) refuse('offset', 'must be a whole number from 0');
  return { limit, offset };
}

/** The object without the keys whose value is undefined: what is not there is not changed. */
export function present<T extends object>(changes: T): Partial<T> {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as Partial<T>;
}
