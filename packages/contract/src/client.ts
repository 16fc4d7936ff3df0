/** The typed client alone: no schema comes along, so that it costs the browser a few kilobytes. */
export { type ClientOptions, ProblemError, type RequestOptions } from './client/http.ts';
export type { Answer, Body, Query } from './client/types.ts';
export { type Client, createClient } from './generated/client.ts';
