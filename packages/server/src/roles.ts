/**
 * THE table: the parts of a server, what each needs, and how it starts and stops. Parts start as soon as their needs run and
 * stop one after the other, the last of the table first (run-parts.ts). Which adapters they are bound to is decided in the files
 * that they name. The doors need the log and the catalog, not the store: what comes in while a large store is opened is
 * acknowledged and waits in the log.
 */
import type { Installation } from './installation.ts';
import { startListeners, stopListeners } from './parts/broker-part.ts';
import { startCatalogThread } from './parts/catalog-thread.ts';
import { startConnectors, stopConnectors } from './parts/connectors-part.ts';
import { startEvents, stopEvents } from './parts/events-part.ts';
import { startFolder, stopFolder } from './parts/folder-part.ts';
import { startLog, stopLog } from './parts/log-part.ts';
import { startPipeline, startStore, stopPipeline, stopStore } from './parts/pipeline-part.ts';
import type { Part } from './run-parts.ts';

// Much code, read only once the threads of log and store are on their way.
const catalog = () => import('./parts/catalog-part.ts');
const api = () => import('./parts/api-part.ts');
const jobs = () => import('./parts/jobs-part.ts');

export const PARTS: readonly Part<Installation>[] = [
  {
    name: 'data folder',
    needs: [],
    start: startFolder,
    stop: stopFolder,
    problem: (of) => of.storageWatch?.problem() ?? null,
  },
  { name: 'log', needs: ['data folder'], start: startLog, stop: stopLog },
  { name: 'store', needs: ['data folder'], start: startStore, stop: stopStore },
  {
    name: 'catalog',
    needs: ['data folder'],
    start: async (of) => {
      const thread = startCatalogThread(of);
      await (await catalog()).startCatalog(of, thread);
    },
    stop: async (of) => (await catalog()).stopCatalog(of),
  },
  {
    name: 'events',
    needs: ['log', 'catalog'],
    start: startEvents,
    stop: stopEvents,
    problem: (of) => of.eventsConsumer?.health().problem ?? null,
  },
  { name: 'pipeline', needs: ['store', 'log', 'catalog', 'events'], start: startPipeline, stop: stopPipeline },
  {
    name: 'jobs',
    needs: ['pipeline', 'catalog', 'log'],
    start: async (of) => (await jobs()).startJobs(of),
    stop: async (of) => (await jobs()).stopJobs(of),
    problem: (of) => of.jobWorker?.problem ?? null,
  },
  {
    name: 'api',
    // Its code takes long to read: devices are let in before.
    needs: ['catalog', 'log', 'events', 'broker'],
    start: async (of) => (await api()).startApi(of),
    stop: async (of) => (await api()).stopApi(of),
  },
  { name: 'connectors', needs: ['catalog', 'log', 'events'], start: startConnectors, stop: stopConnectors },
  { name: 'broker', needs: ['catalog', 'log', 'events'], start: startListeners, stop: stopListeners },
];
