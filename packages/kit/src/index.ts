export * from './backoff.ts';
export * from './clock.ts';
export * from './errors.ts';
export * from './journal.ts';
export * from './logger.ts';
export * from './metrics.ts';
export * from './service.ts';
export * from './thread-rpc.ts';
