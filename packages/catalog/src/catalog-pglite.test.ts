import { auditConformance } from './audit-conformance.ts';
import { catalogConformance } from './conformance.ts';
import { joinCatalog } from './open-catalog.ts';
import { openPglite } from './pglite/pglite.ts';
import { SECRET_KEY, type TestDatabase } from './testing.ts';

catalogConformance('PGlite', open);
auditConformance('PGlite', open);

async function open(): Promise<TestDatabase> {
  const database = await openPglite({ dataDir: null });
  const catalog = await joinCatalog(database, { secretKey: SECRET_KEY });
  return {
    catalog,
    database,
    superuser: (text, values) => database.asSuperuser(text, values),
    close: () => catalog.close(),
  };
}
