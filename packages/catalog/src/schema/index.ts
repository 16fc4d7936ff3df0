export * from './audit.ts';
export * from './columns.ts';
export * from './devices.ts';
export * from './directory.ts';
export * from './events.ts';
export * from './jobs.ts';
export * from './organizations.ts';
export * from './sessions.ts';
