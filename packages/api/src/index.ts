export * from './create-api.ts';
export type * from './dependencies.ts';
export * from './settings.ts';
