export type * from './catalog.ts';
export { type CatalogOptions, openCatalog } from './open-catalog.ts';
export { preparePgliteFolder } from './pglite/pglite.ts';
export * from './rows.ts';
