export type * from './catalog.ts';
export * from './rows.ts';
