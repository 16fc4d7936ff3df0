/** Columns as arrays in a statement: `unnest(${textArray(keys)}, …)` takes thousands of rows in a handful of parameters. */
import { type Micros, microsToIso } from '@fieldline/model';
import { type SQL, sql } from 'drizzle-orm';

export const uuidArray = (values: readonly (string | null)[]): SQL => sql`${sql.param(values)}::uuid[]`;
export const textArray = (values: readonly string[]): SQL => sql`${sql.param(values)}::text[]`;
export const integerArray = (values: readonly number[]): SQL => sql`${sql.param(values)}::integer[]`;
export const jsonArray = (values: readonly unknown[]): SQL =>
  sql`${sql.param(values.map((value) => JSON.stringify(value)))}::jsonb[]`;
export const timeArray = (values: readonly Micros[]): SQL =>
  sql`${sql.param(values.map((value) => microsToIso(value)))}::timestamptz[]`;

/** A time as a value. */
export const time = (value: Micros): SQL => sql`${microsToIso(value)}::timestamptz`;
