/** For the tests: throw-away catalogs on both databases, and organisations with something in them. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ErrorCode, sleep } from '@fieldline/kit';
import { newId } from '@fieldline/model';
import pg from 'pg';
import { expect } from 'vitest';
import type { Catalog, ScopedCatalog } from './catalog.ts';

export const SECRET_KEY = new Uint8Array(32).fill(7);

/** Where the tests look at a database from: as a catalog, and past it. */
export interface TestDatabase {
  readonly catalog: Catalog;
  /** Runs a statement as the superuser, past all doors. */
  readonly superuser: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>;
  /** Runs statements as a tenant or the system, as the catalog does. */
  readonly database: import('./database/database.ts').Database;
  readonly close: () => Promise<void>;
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'fieldline-catalog-'));
}

export function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/** A new organisation and its door. */
export async function newOrganization(catalog: Catalog): Promise<ScopedCatalog> {
  const slug = `o-${newId().slice(-12)}`;
  const organization = await catalog.system.organizations.create({ slug, name: `Organization ${slug}` });
  return catalog.scoped({ organizationId: organization.id, siteIds: null });
}

/** Expects the call to be refused with this code, and where a field is named, because of it. */
export async function refused(code: ErrorCode, call: () => Promise<unknown>, field?: string): Promise<void> {
  const error = await call().then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ code, ...(field !== undefined && { details: { field } }) });
}

/** Waits until the condition gives something; fails after ten seconds with the name of what was awaited. */
export async function until<T>(what: string, condition: () => T | Promise<T>): Promise<NonNullable<T>> {
  for (const startedMs = performance.now(); performance.now() - startedMs < 10_000; ) {
    const value = await condition();
    if (value) return value as NonNullable<T>;
    await sleep(5);
  }
  throw new Error(`waited in vain for ${what}`);
}

/** The folder with PostgreSQL's programs as Debian installs them; null where there is none. */
export function postgresPrograms(): string | null {
  const base = '/usr/lib/postgresql';
  if (!existsSync(base)) return null;
  const newest = readdirSync(base)
    .sort((a, b) => Number(a) - Number(b))
    .at(-1);
  return newest === undefined ? null : join(base, newest, 'bin');
}

/** Starts a PostgreSQL server of its own, which listens on a socket in its folder. Gives the superuser's address. */
export async function startPostgres(programs: string): Promise<{ url: string; stop: () => Promise<void> }> {
  const folder = temporaryFolder();
  // PostgreSQL refuses to run as root.
  const isRoot = process.getuid?.() === 0;
  const as = (program: string, args: string[]): [string, string[]] =>
    isRoot ? ['runuser', ['-u', 'postgres', '--', join(programs, program), ...args]] : [join(programs, program), args];
  if (isRoot) execFileSync('chown', ['postgres', folder]);
  const data = join(folder, 'data');
  execFileSync(...as('initdb', ['-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--no-sync']));
  const server = spawn(...as('postgres', ['-D', data, '-k', folder, '-c', 'listen_addresses=', '-c', 'fsync=off']));
  const url = `postgres://postgres@localhost/postgres?host=${encodeURIComponent(folder)}`;
  await until('PostgreSQL to start', async () => {
    const client = new pg.Client({ connectionString: url });
    try {
      await client.connect();
      return true;
    } catch {
      // It is still starting.
      return false;
    } finally {
      await client.end().catch(() => {});
    }
  });
  return {
    url,
    async stop() {
      const exited = new Promise((resolve) => server.once('exit', resolve));
      execFileSync(...as('pg_ctl', ['-D', data, '-m', 'fast', 'stop']));
      await exited;
      removeFolder(folder);
    },
  };
}
