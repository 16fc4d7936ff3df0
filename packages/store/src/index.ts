export { inspectStore, type StoreInspection } from './duckdb/inspect-store.ts';
export * from './duckdb/open-store.ts';
export * from './memory/memory-store.ts';
export * from './store.ts';
