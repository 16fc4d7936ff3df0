/** The contract of the audit trail as tests, for both databases. */
import { newId } from '@fieldline/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Catalog, ScopedCatalog } from './catalog.ts';
import * as schema from './schema/index.ts';
import { newOrganization, refused, type TestDatabase } from './testing.ts';

export function auditConformance(name: string, open: () => Promise<TestDatabase>): void {
  describe(`audit trail on ${name}`, () => {
    let test: TestDatabase;
    let catalog: Catalog;
    beforeAll(async () => {
      test = await open();
      catalog = test.catalog;
    });
    afterAll(() => test.close());
    const one = (): Promise<ScopedCatalog> => newOrganization(catalog);

    const actor = { kind: 'user' as const, id: newId(), address: '192.0.2.7' };
    /** Of each table that is not audited, why. */
    const NOT_AUDITED: Readonly<Record<string, string>> = {
      schema_migrations: 'of no organisation',
      directory_clock: 'follows what is audited',
      directory_changes: 'follows what is audited',
      device_states: 'happens, is not configured',
      events: 'happened, is not configured',
      ingest_receipts: 'happened, is not configured',
      refresh_tokens: 'of a session, which is audited',
      revocations: 'follows what is audited',
      signing_keys: 'of no organisation',
      audit_heads: 'the trail itself',
      audit_entries: 'the trail itself',
    };

    it('holds every change with who, before and after; secrets and what changes by itself are left out', async () => {
      const { scope } = await one();
      const mine = catalog.scoped({ ...scope, actor });
      const user = await mine.users.create({
        email: `${newId()}@x.org`,
        name: 'U',
        role: 'viewer',
        password: 'a-long-password',
      });
      await mine.users.update(user.id, { name: 'V', password: 'another-password' });
      await catalog.system.sessions.logIn(user.email, 'another-password');
      const { device } = await mine.devices.create({ name: 'D', key: 'd' });
      await mine.devices.rotateToken(device.id);
      await mine.devices.delete(device.id);
      const { items, nextCursor } = await mine.audit.list();
      expect(nextCursor).toBeNull();
      const told = items.map(({ sequence, action, subjectKind }) => `${sequence} ${action} ${subjectKind}`);
      expect(told).toEqual([
        '6 delete device',
        '5 update device',
        '4 create device',
        '3 update user',
        '2 create user',
        '1 create organization',
      ]);
      expect(items.slice(0, 5).every((entry) => entry.actor.id === actor.id)).toBe(true);
      expect(items[5]!.actor).toEqual({ kind: 'system' });
      expect(items[3]).toMatchObject({
        actor: { kind: 'user', id: actor.id, address: '192.0.2.7' },
        subjectId: user.id,
        before: { name: 'U', password_hash: '(secret)' },
        after: { name: 'V', password_hash: '(secret)' },
      });
      expect(JSON.stringify(items)).not.toMatch(/argon|scrypt|token_version/);
      const [hashed] = await test.superuser('select token_sha256 from fieldline.devices where id = $1', [device.id]);
      expect(JSON.stringify(items)).not.toContain(String(hashed!.token_sha256 ?? 'never'));
      expect((await mine.audit.list({ subjectId: device.id, action: 'delete' })).items).toHaveLength(1);
      expect((await mine.audit.list({ actorId: newId() })).items).toEqual([]);
      const first = await mine.audit.list({ limit: 4 });
      const rest = await mine.audit.list({ limit: 4, cursor: first.nextCursor! });
      expect([...first.items, ...rest.items]).toEqual(items);
    });

    it('covers every table but those that are named', async () => {
      const tables = await test.superuser(
        `select c.relname as name, exists (select from pg_trigger t where t.tgrelid = c.oid and t.tgname = 'audited') as audited
         from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'fieldline' and c.relkind = 'r'`,
      );
      const uncovered = tables.filter(({ name, audited }) => audited !== (NOT_AUDITED[String(name)] === undefined));
      expect(uncovered).toEqual([]);
    });

    it('leaves no entry of a change that was rolled back', async () => {
      const mine = await one();
      await mine.sites.create({ name: 'A' });
      await refused('CONFLICT', () => mine.sites.create({ name: 'A' }), 'name');
      expect((await mine.audit.list({ subjectKind: 'site' })).items).toHaveLength(1);
      expect(await mine.audit.verify()).toMatchObject({ count: 2, problems: [] });
    });

    it('is numbered without a gap and chained while many change at the same time', async () => {
      const mine = await one();
      const changes = Promise.all(Array.from({ length: 20 }, (_, n) => mine.settings.set(`k${n}`, n)));
      const looks = await Promise.all(Array.from({ length: 10 }, () => mine.audit.verify()));
      expect(looks.flatMap(({ problems }) => problems)).toEqual([]);
      await changes;
      const { items } = await mine.audit.list({ limit: 100 });
      expect(items.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 21 }, (_, n) => 21 - n));
      expect(await mine.audit.verify()).toEqual({
        count: 21,
        head: { sequence: 21, hash: items[0]!.hash },
        problems: [],
      });
    });

    it('cannot be changed through any door, nor by its owner', async () => {
      const { scope } = await one();
      for (const door of [scope, 'system'] as const) {
        await refused('FORBIDDEN', () =>
          test.database.transaction(door, (queries) => queries.update(schema.auditEntries).set({ hash: '' })),
        );
        await refused('FORBIDDEN', () =>
          test.database.transaction(door, (queries) => queries.delete(schema.auditEntries)),
        );
      }
      await expect(test.superuser('delete from fieldline.audit_entries')).rejects.toThrow('append-only');
      await expect(test.superuser("update fieldline.audit_entries set hash = ''")).rejects.toThrow('append-only');
      await expect(test.superuser('truncate fieldline.audit_entries')).rejects.toThrow('append-only');
    });

    it('tells what was changed, taken out, cut off or written anew behind its back', async () => {
      const forged = async (statement: string): Promise<readonly string[]> => {
        const mine = await one();
        const id = mine.scope.organizationId;
        for (let n = 0; n < 5; n++) await mine.settings.set('k', n);
        const { head, problems } = await mine.audit.verify();
        expect(problems).toEqual([]);
        await test.superuser('alter table fieldline.audit_entries disable trigger user');
        await test.superuser(statement, [id]);
        await test.superuser('alter table fieldline.audit_entries enable trigger user');
        return (await mine.audit.verify(head)).problems;
      };
      const of = 'where organization_id = $1';
      const change = `update fieldline.audit_entries set content = jsonb_set(content, '{after,value}', '9') ${of} and sequence = 3`;
      expect(await forged(change)).toEqual(['entry 3 was changed']);
      expect(await forged(`delete from fieldline.audit_entries ${of} and sequence = 3`)).toEqual([
        'entries 3 to 3 are missing',
      ]);
      expect(await forged(`delete from fieldline.audit_entries ${of} and sequence = 6`)).toEqual([
        'the trail ends with entry 5, but 6 were written: its end is missing',
        'entry 6, which was noted, is missing: the trail ends with 5',
      ]);
      const anew = `with one as (update fieldline.audit_entries
          set content = jsonb_set(content, '{after,value}', '9') ${of} and sequence = 6 returning *),
        two as (update fieldline.audit_heads h set hash = encode(sha256(convert_to(one.content::text, 'UTF8')), 'hex')
          from one where h.organization_id = one.organization_id)
        select 1`;
      expect((await forged(anew)).join()).toContain('entry 6 was changed');
    });

    it('is seen by whoever sees the whole organisation alone, who is bound to a site writes to it all the same', async () => {
      const all = await one();
      const site = await all.sites.create({ name: 'S' });
      const { device } = await all.devices.create({ name: 'D', siteId: site.id });
      const bound = catalog.scoped({ ...all.scope, siteIds: [site.id], actor });
      await bound.devices.update(device.id, { name: 'E' });
      expect((await bound.audit.list()).items).toEqual([]);
      expect((await all.audit.list()).items[0]).toMatchObject({ action: 'update', actor: { id: actor.id } });
    });

    it('tells sessions that begin and end, and who was not let in', async () => {
      const mine = await one();
      const email = `${newId()}@x.org`;
      const user = await mine.users.create({ email, name: 'U', role: 'viewer', password: 'the right one' });
      const { sessions } = catalog.system;
      expect(await sessions.logIn(email, 'a wrong one', '192.0.2.9')).toBeNull();
      expect(await sessions.logIn('nobody@x.org', 'a wrong one', '192.0.2.9')).toBeNull();
      await sessions.logIn(email, 'the right one', '192.0.2.9');
      const { token } = await sessions.startFamily(user.id, { userAgent: 'curl', address: '192.0.2.9' });
      await sessions.rotate(token);
      await sessions.rotate(token);
      const { items } = await mine.audit.list({ limit: 3 });
      expect(items).toMatchObject([
        { action: 'update', subjectKind: 'session', before: { ended_at: null } },
        {
          action: 'create',
          subjectKind: 'session',
          after: { user_id: user.id, address: '192.0.2.9', user_agent: 'curl' },
        },
        { action: 'sign-in refused', subjectId: user.id, after: { reason: 'wrong password', address: '192.0.2.9' } },
      ]);
      expect((await mine.audit.verify()).problems).toEqual([]);
    });

    it('takes notes of what changes no row', async () => {
      const mine = catalog.scoped({ ...(await one()).scope, actor: { ...actor, address: "1' ; drop table x" } });
      await mine.audit.note({ action: 'export', subjectKind: 'device', subjectId: 'd', details: { rows: 5 } });
      const { items } = await mine.audit.list({ action: 'export' });
      expect(items).toMatchObject([{ actor: { kind: 'user', id: actor.id }, before: null, after: { rows: 5 } }]);
      expect(items[0]!.actor.address).toBeUndefined();
      await refused('BAD_REQUEST', () => mine.audit.note({ action: '', subjectKind: 'a', subjectId: 'b' }));
    });
  });
}
