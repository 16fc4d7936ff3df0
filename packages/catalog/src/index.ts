export type * from './catalog.ts';
export { type CatalogOptions, openCatalog } from './open-catalog.ts';
export * from './rows.ts';
