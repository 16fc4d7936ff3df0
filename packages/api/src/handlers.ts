/** The form of a handler, from the route table: what it gets of the request and what it must answer. */
import type { ScopedCatalog } from '@fieldline/catalog';
import type { Answer, Body, Query, RouteTable } from '@fieldline/contract';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Static, TSchema } from 'typebox';
import type { AccessTokens } from './auth/access-tokens.ts';
import type { LoginGuard } from './auth/login-guard.ts';
import type { ApiDependencies } from './dependencies.ts';
import type { Principal } from './principal.ts';
import type { GroupAppender } from './routes/ingest/group-appender.ts';

type RouteOf<G extends keyof RouteTable, N extends keyof RouteTable[G]> = RouteTable[G][N];
type Params<R> = R extends { readonly params: infer S extends TSchema } ? Static<S> : undefined;
type Headers<R> = R extends { readonly headers: infer S extends TSchema } ? Static<S> : undefined;
type IsPublic<R> = R extends { readonly permission: null } ? true : false;

/** One request, parsed and allowed. Where the route is public there may be no principal and there is no catalog door. */
export interface Call<G extends keyof RouteTable, N extends keyof RouteTable[G]> {
  readonly params: Params<RouteOf<G, N>>;
  readonly query: Query<G, N>;
  readonly headers: Headers<RouteOf<G, N>>;
  readonly body: Body<G, N>;
  readonly principal: IsPublic<RouteOf<G, N>> extends true ? Principal | null : Principal;
  /** The catalog as this principal sees it. */
  readonly catalog: IsPublic<RouteOf<G, N>> extends true ? null : ScopedCatalog;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

export type Handler<G extends keyof RouteTable, N extends keyof RouteTable[G]> = (
  call: Call<G, N>,
) => Promise<RouteOf<G, N> extends { readonly answer: null } ? void : Answer<G, N>>;

/** A handler for every route of a group; one that is missing does not compile. */
export type GroupHandlers<G extends keyof RouteTable> = { readonly [N in keyof RouteTable[G]]: Handler<G, N> };

/** What handlers work with. */
export interface ApiContext extends ApiDependencies {
  readonly tokens: AccessTokens;
  readonly loginGuard: LoginGuard;
  readonly appender: GroupAppender;
}
