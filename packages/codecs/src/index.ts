export * from './codec.ts';
export * from './decoded-batch.ts';
