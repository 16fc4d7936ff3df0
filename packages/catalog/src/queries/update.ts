/** What the groups share about changing a row. */
import { FieldlineError } from '@fieldline/kit';
import { type AnyColumn, type SQL, sql } from 'drizzle-orm';

/** What every change of a resource sets besides: the next version, and when. */
export function revised(version: AnyColumn): { version: SQL; updatedAt: SQL } {
  return { version: sql`${version} + 1`, updatedAt: sql`now()` };
}

/** CONFLICT where the row (locked by the caller) has another version than is believed. */
export function checkRowVersion(stored: number, expected: number | undefined, what: string): void {
  if (expected === undefined || expected === stored) return;
  throw new FieldlineError(
    'CONFLICT',
    `the ${what} has been changed meanwhile (version ${stored}, not ${expected}); read it again`,
    { details: { version: stored } },
  );
}

/** A `like` pattern that finds the text anywhere; its wildcards mean themselves. */
export function containing(text: string): string {
  return `%${text.replace(/[\\%_]/g, '\\$&')}%`;
}
