export type * from './catalog.ts';
export { newestCopy, restoreCatalog } from './copies/restore-copy.ts';
export { type JobControl, type JobHandler, JobWorker, type JobWorkerOptions } from './jobs/job-worker.ts';
export { type CatalogOptions, openCatalog } from './open-catalog.ts';
export { type CatalogInspection, inspectCatalog, restoringFrom } from './pglite/inspect-catalog.ts';
export * from './rows.ts';
