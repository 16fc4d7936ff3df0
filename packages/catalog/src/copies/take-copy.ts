/** Reads what a copy of the catalog holds: what was configured, in one moment. In: questions as the superuser, in one turn. */
import type { CatalogCopy } from './copy-file.ts';

export type Ask = (statement: string, values?: unknown[]) => Promise<Record<string, unknown>[]>;

/**
 * Tables that a copy holds, each behind those that it points at. Not in it: events (the log has them), device states and receipts
 * (they pass), and all that lets people in without a password: after a restore everybody signs in again.
 */
export const COPIED_TABLES = [
  'organizations',
  'sites',
  'users',
  'api_keys',
  'settings',
  'devices',
  'series',
  'topic_mappings',
  'directory_clock',
  'directory_changes',
  'dead_letter_actions',
  'jobs',
] as const;

/** Grows with each change of a copied table; starts anew with each start of the database. */
export async function countChanges(ask: Ask): Promise<string> {
  await ask('select pg_stat_force_next_flush()');
  const [row] = await ask(
    `select sum(n_tup_ins + n_tup_upd + n_tup_del)::text as n from pg_stat_all_tables
     where schemaname = 'fieldline' and relname = any ($1)`,
    [COPIED_TABLES],
  );
  return String(row!.n);
}

/** Nothing may be changed meanwhile: the caller has the database for itself. */
export async function takeCopy(ask: Ask, takenAt: string): Promise<CatalogCopy> {
  const [version] = await ask('select max(version)::int as version from fieldline.schema_migrations');
  const rows: string[] = [];
  for (const table of COPIED_TABLES) {
    // As text: a number that JavaScript cannot hold stays what it is.
    for (const { row } of await ask(`select to_jsonb(t)::text as row from fieldline.${table} t`)) {
      rows.push(`${table} ${String(row)}`);
    }
  }
  return { takenAt, schemaVersion: Number(version!.version), rows };
}
