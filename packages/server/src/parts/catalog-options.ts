/** What the settings say of the catalog. */
import { join } from 'node:path';
import type { CatalogOptions } from '@fieldline/catalog';
import type { Logger } from '@fieldline/kit';
import type { Config } from '../config/schema.ts';
import { secretKey } from '../secret-key.ts';

export function catalogOptions(config: Config, logger: Logger): CatalogOptions {
  return {
    ...(config.catalog.adapter === 'pglite'
      ? { adapter: 'pglite', dataDir: join(config.dataDir, 'catalog') }
      : {
          adapter: 'postgres',
          url: config.catalog.url,
          ...(config.catalog.migrationUrl !== '' && { migrationUrl: config.catalog.migrationUrl }),
        }),
    secretKey: secretKey(config),
    seriesPerSubjectMax: config.pipeline.seriesPerDeviceMax,
    logger,
  };
}
