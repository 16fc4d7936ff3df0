/**
 * THE table: the parts of a server, what each needs, and how it starts and stops. Parts start as soon as their needs run and
 * stop one after the other, the last of the table first (run-parts.ts). Which adapters they are bound to is decided in the files
 * that they name. The doors need the log and the catalog, not the store: what comes in while a large store is opened is
 * acknowledged and waits in the log.
 */
import { openDataFolder } from './data-folder.ts';
import type { Installation } from './installation.ts';
import { startApi, stopApi } from './parts/api-part.ts';
import { startListeners, stopListeners } from './parts/broker-part.ts';
import { makeCatalogFolder, startCatalog, stopCatalog } from './parts/catalog-part.ts';
import { startEvents, stopEvents } from './parts/events-part.ts';
import { startLog, stopLog } from './parts/log-part.ts';
import { startPipeline, startStore, stopPipeline, stopStore } from './parts/pipeline-part.ts';
import type { Part } from './run-parts.ts';
import { refuseHalfFolder } from './whole-folder.ts';

export const PARTS: readonly Part<Installation>[] = [
  {
    name: 'data folder',
    needs: [],
    start: async (of) => {
      of.dataFolder = openDataFolder(of.config.dataDir);
      refuseHalfFolder(of.config);
      // Before log and store begin theirs: telemetry without a catalog is refused at the next start.
      await makeCatalogFolder(of.config);
    },
    stop: async (of) => of.dataFolder?.release(),
  },
  { name: 'catalog', needs: ['data folder'], start: startCatalog, stop: stopCatalog },
  { name: 'log', needs: ['data folder'], start: startLog, stop: stopLog },
  { name: 'store', needs: ['data folder'], start: startStore, stop: stopStore },
  {
    name: 'events',
    needs: ['log', 'catalog'],
    start: startEvents,
    stop: stopEvents,
    problem: (of) => of.eventsConsumer?.health().problem ?? null,
  },
  { name: 'pipeline', needs: ['store', 'log', 'catalog', 'events'], start: startPipeline, stop: stopPipeline },
  { name: 'api', needs: ['catalog', 'log', 'events'], start: startApi, stop: stopApi },
  { name: 'broker', needs: ['catalog', 'log', 'events'], start: startListeners, stop: stopListeners },
];
