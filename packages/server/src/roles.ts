/**
 * THE table: the parts of a server, what each needs, and how it starts and stops. Parts start after their needs and stop
 * before them (run-parts.ts). Which adapters they are bound to is decided in the files that they name.
 */
import { openDataFolder } from './data-folder.ts';
import type { Installation } from './installation.ts';
import { startApi, stopApi } from './parts/api-part.ts';
import { startListeners, stopListeners } from './parts/broker-part.ts';
import { startCatalog, stopCatalog } from './parts/catalog-part.ts';
import { startEvents, stopEvents } from './parts/events-part.ts';
import { startLog, stopLog } from './parts/log-part.ts';
import { startPipeline, stopPipeline } from './parts/pipeline-part.ts';
import type { Part } from './run-parts.ts';

export const PARTS: readonly Part<Installation>[] = [
  {
    name: 'data folder',
    needs: [],
    start: async (of) => {
      of.dataFolder = openDataFolder(of.config.dataDir);
    },
    stop: async (of) => of.dataFolder?.release(),
  },
  { name: 'catalog', needs: ['data folder'], start: startCatalog, stop: stopCatalog },
  { name: 'log', needs: ['data folder', 'catalog'], start: startLog, stop: stopLog },
  {
    name: 'events',
    needs: ['log', 'catalog'],
    start: startEvents,
    stop: stopEvents,
    problem: (of) => of.eventsConsumer?.health().problem ?? null,
  },
  { name: 'pipeline', needs: ['log', 'catalog', 'events'], start: startPipeline, stop: stopPipeline },
  { name: 'api', needs: ['catalog', 'log', 'events', 'pipeline'], start: startApi, stop: stopApi },
  { name: 'broker', needs: ['log', 'events', 'pipeline', 'api'], start: startListeners, stop: stopListeners },
];
