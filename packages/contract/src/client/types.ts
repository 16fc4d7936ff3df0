/** From the route table to the types of the client's methods. Types alone: the client carries no schema along. */
import type { Static, TSchema } from 'typebox';
import type { RouteTable } from '../routes/index.ts';

type Part<R, K extends string> = R extends { readonly [P in K]: infer S extends TSchema } ? Static<S> : undefined;
type RouteOf<G extends keyof RouteTable, N extends keyof RouteTable[G]> = RouteTable[G][N];

/** The query parameters of a route. */
export type Query<G extends keyof RouteTable, N extends keyof RouteTable[G]> = Part<RouteOf<G, N>, 'query'>;
/** The body that a route takes. */
export type Body<G extends keyof RouteTable, N extends keyof RouteTable[G]> = Part<RouteOf<G, N>, 'body'>;
/** What a route answers. */
export type Answer<G extends keyof RouteTable, N extends keyof RouteTable[G]> = Part<RouteOf<G, N>, 'answer'>;
