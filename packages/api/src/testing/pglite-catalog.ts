/** The real catalog on PGlite in memory, with the directory following it as in the server. */
import { randomBytes } from 'node:crypto';
import { openCatalog } from '@fieldline/catalog';
import { DirectoryCache } from '@fieldline/model';
import type { TestCatalog } from './memory-catalog.ts';

const DIRECTORY_WAIT_MS = 5_000;

export async function openPgliteCatalog(): Promise<TestCatalog> {
  const catalog = await openCatalog({ adapter: 'pglite', dataDir: null, secretKey: randomBytes(32) });
  const directory = new DirectoryCache(await catalog.system.directory.snapshot());
  const arrivals = new Set<() => void>();
  const unwatch = catalog.system.directory.watch(directory.version, (changes) => {
    for (const change of changes) directory.apply(change);
    for (const arrival of arrivals) arrival();
  });
  const until = async (known: () => boolean): Promise<void> => {
    if (known()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error('the directory does not hear of it')), DIRECTORY_WAIT_MS);
    const arrival = (): void => {
      if (known()) resolve();
    };
    arrivals.add(arrival);
    await promise.finally(() => {
      clearTimeout(timer);
      arrivals.delete(arrival);
    });
  };

  return {
    scoped: (scope) => catalog.scoped(scope),
    system: catalog.system,
    bootstrap: (options) => catalog.bootstrap(options),
    ping: () => catalog.ping(),
    close: () => {
      unwatch();
      return catalog.close();
    },
    directory,
    reachable: true,
    addOrganization: (slug) => catalog.system.organizations.create({ slug, name: slug }),
    addUser: async (organizationId, role, siteIds = null) => {
      const password = randomBytes(9).toString('base64url');
      const email = `${role}-${randomBytes(4).toString('hex')}@example.org`;
      const door = catalog.scoped({ organizationId, siteIds: null });
      return { ...(await door.users.create({ email, name: role, role, siteIds, password })), password };
    },
    addSeries: async ({ id: subjectId, organizationId }, metricKey, unit = '') => {
      const request = {
        organizationId,
        subjectKind: 'device',
        subjectId,
        metricKey,
        valueKind: 'number',
        unit,
      } as const;
      const { series } = await catalog.system.feed.registerSeries([request]);
      await until(
        () => directory.seriesOf(subjectId)?.has(metricKey) === true && directory.device(subjectId) !== undefined,
      );
      return series[0]!;
    },
    addEvents: async (...events) => {
      await catalog.system.feed.insertEvents(events);
    },
  };
}
