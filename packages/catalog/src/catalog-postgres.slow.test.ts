/**
 * The conformance suite on a PostgreSQL server: the one of FIELDLINE_TEST_POSTGRES_URL (a superuser's address; the test makes
 * a database of its own), or Debian's, started for the test.
 */
import { newId } from '@fieldline/model';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditConformance } from './audit-conformance.ts';
import { catalogConformance } from './conformance.ts';
import { openPostgres } from './database/postgres.ts';
import { jobsConformance } from './jobs/jobs-conformance.ts';
import { joinCatalog, openCatalog } from './open-catalog.ts';
import { newOrganization, postgresPrograms, SECRET_KEY, startPostgres, type TestDatabase, until } from './testing.ts';

interface Server {
  /** A new database with its owner and its ordinary role. */
  prepare(): Promise<{ url: string; migrationUrl: string; superuserUrl: string }>;
  stop(): Promise<void>;
}

async function startServer(): Promise<Server> {
  const given = process.env.FIELDLINE_TEST_POSTGRES_URL;
  const programs = postgresPrograms();
  if (given === undefined && programs === null) {
    throw new Error('no PostgreSQL here: set FIELDLINE_TEST_POSTGRES_URL, or install it (apt-get install postgresql)');
  }
  const started = given === undefined ? await startPostgres(programs!) : null;
  const superuserUrl = given ?? started!.url;
  return {
    async prepare() {
      const name = `fieldline_${newId().slice(-12)}`;
      const admin = new pg.Client({ connectionString: superuserUrl });
      await admin.connect();
      for (const statement of ROLES) await admin.query(statement);
      await admin.query(`create database ${name} owner fieldline_owner`);
      await admin.end();
      const as = (user: string): string => {
        const url = new URL(superuserUrl);
        url.pathname = `/${name}`;
        url.username = user;
        url.password = user === 'postgres' ? url.password : 'secret';
        return url.toString();
      };
      const superuser = new URL(superuserUrl);
      superuser.pathname = `/${name}`;
      return { url: as('fieldline_app'), migrationUrl: as('fieldline_owner'), superuserUrl: superuser.toString() };
    },
    stop: async () => started?.stop(),
  };
}

/** As README, Roles, tells the operator. */
const ROLES = [
  `do $$ begin
     if not exists (select from pg_roles where rolname = 'fieldline_owner') then
       create role fieldline_owner login createrole password 'secret';
       create role fieldline_app login noinherit password 'secret';
       create role fieldline_tenant nologin noinherit;
       create role fieldline_system nologin noinherit;
       grant fieldline_tenant, fieldline_system to fieldline_app;
     end if;
   end $$`,
];

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

jobsConformance('PostgreSQL', async () => {
  const { url, migrationUrl } = await server.prepare();
  return joinCatalog(await openPostgres({ url, migrationUrl }), { secretKey: SECRET_KEY });
});

for (const conformance of [catalogConformance, auditConformance]) conformance('PostgreSQL', openTest);

async function openTest(): Promise<TestDatabase> {
  const { url, migrationUrl, superuserUrl } = await server.prepare();
  const database = await openPostgres({ url, migrationUrl });
  const catalog = await joinCatalog(database, { secretKey: SECRET_KEY });
  const superuser = new pg.Client({ connectionString: superuserUrl });
  await superuser.connect();
  return {
    ...{ catalog, database },
    superuser: async (text, values) => (await superuser.query(text, values)).rows,
    async close() {
      await superuser.end();
      await catalog.close();
    },
  };
}

describe('PostgreSQL', () => {
  it('refuses log-ins that row-level security would not hold', async () => {
    const { url, migrationUrl, superuserUrl } = await server.prepare();
    await expect(openPostgres({ url })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await (await openPostgres({ url, migrationUrl })).close();
    await (await openPostgres({ url })).close();
    for (const refused of [superuserUrl, migrationUrl]) {
      await expect(openPostgres({ url: refused })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    }
  });

  it('refuses a schema of a newer version', async () => {
    const { url, migrationUrl, superuserUrl } = await server.prepare();
    await (await openPostgres({ url, migrationUrl })).close();
    const superuser = new pg.Client({ connectionString: superuserUrl });
    await superuser.connect();
    await superuser.query("insert into fieldline.schema_migrations (version, name) values (9999, 'later')");
    await superuser.end();
    await expect(openPostgres({ url, migrationUrl })).rejects.toMatchObject({ code: 'FORMAT_TOO_NEW' });
    await expect(openPostgres({ url })).rejects.toMatchObject({ code: 'FORMAT_TOO_NEW' });
  });

  it('starts several processes on an empty database at once', async () => {
    const { url, migrationUrl } = await server.prepare();
    const options = { adapter: 'postgres' as const, url, migrationUrl, secretKey: SECRET_KEY };
    const catalogs = await Promise.all([1, 2, 3].map(() => openCatalog(options)));
    const made = await Promise.all(catalogs.map((catalog) => catalog.bootstrap({ adminEmail: 'a@b.c' })));
    expect(made.filter((bootstrap) => bootstrap.created).length).toBe(1);
    const keys = await Promise.all(catalogs.map((catalog) => catalog.system.sessions.signingKey()));
    expect(new Set(keys.map((key) => key.kid)).size).toBe(1);
    await Promise.all(catalogs.map((catalog) => catalog.close()));
  });

  it('tells other processes of changes, and goes on after its connections were cut', async () => {
    const { url, migrationUrl, superuserUrl } = await server.prepare();
    const options = { adapter: 'postgres' as const, url, migrationUrl, secretKey: SECRET_KEY };
    const [a, b] = [await openCatalog(options), await openCatalog(options)];
    const scoped = await newOrganization(a);
    const seen = new Set<string>();
    const { version } = await b.system.directory.snapshot();
    b.system.directory.watch(version, (changes) => {
      for (const change of changes) if (change.kind === 'device') seen.add(change.device.id);
    });
    const first = (await scoped.devices.create({ name: 'first' })).device;
    await until('the first device', () => seen.has(first.id));
    const user = await scoped.users.create({ email: `${newId()}@x.org`, name: 'U', role: 'viewer', password: null });
    await a.system.sessions.endAll(user.id);
    const claims = { userId: user.id, tokenVersion: user.tokenVersion, familyId: newId() };
    await until('the revocation', () => b.system.sessions.isRevoked(claims));

    const superuser = new pg.Client({ connectionString: superuserUrl });
    await superuser.connect();
    await superuser.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    );
    await superuser.end();
    const second = await until('a new connection', () =>
      scoped.devices.create({ name: 'second' }).then(
        ({ device }) => device,
        () => null,
      ),
    );
    await until('the second device', () => seen.has(second.id));
    await Promise.all([a.close(), b.close()]);
  });
});
