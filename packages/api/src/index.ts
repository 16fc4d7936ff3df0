export * from './create-api.ts';
export type * from './dependencies.ts';
export { REPLAY_KIND, type ReplayParameters } from './routes/replays/replay-job.ts';
export * from './settings.ts';
