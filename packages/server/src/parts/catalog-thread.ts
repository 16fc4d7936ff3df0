/** The first half of the part `catalog`: the thread of the embedded database is on its way while the rest of the code is read. */
import { join } from 'node:path';
import { type StartedPglite, startPglite } from '@fieldline/catalog/thread';
import type { Installation } from '../installation.ts';
import { secretKey } from '../secret-key.ts';

/** Where the catalog is a PostgreSQL server there is nothing to start. */
export function startCatalogThread({ config, logger }: Installation): Promise<StartedPglite> | undefined {
  if (config.catalog.adapter !== 'pglite') return undefined;
  // Where there is none, nothing is begun: it would have to be ended again.
  secretKey(config);
  const started = startPglite({
    dataDir: join(config.dataDir, 'catalog'),
    logger: logger.child({ service: 'catalog' }),
  });
  started.catch(() => {
    // Told by the part, which waits for it a little later.
  });
  return started;
}
