export { inspectSeries, type SeriesMeaning } from './duckdb/inspect-series.ts';
export { inspectStore, type StoreInspection } from './duckdb/inspect-store.ts';
export * from './duckdb/open-store.ts';
export { repairStore, type StoreRepair, type StoreRepairReport } from './duckdb/repair-store.ts';
export * from './memory/memory-store.ts';
export * from './store.ts';
