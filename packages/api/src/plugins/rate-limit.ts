/** Requests a minute by caller and limit class, as token buckets, told in the RateLimit headers. Full: 429 with Retry-After. */
import type { LimitClass } from '@fieldline/contract';
import { type Clock, FieldlineError } from '@fieldline/kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TokenBuckets } from '../auth/token-bucket.ts';
import type { RequestBudgets } from '../settings.ts';

export type CountRequest = (request: FastifyRequest, reply: FastifyReply, limit: LimitClass) => void;

/** A function that counts a request against its caller's budget, or throws RATE_LIMITED. */
export function createRateLimit(budgets: RequestBudgets, clock: Clock): CountRequest {
  const buckets = new TokenBuckets();
  return (request, reply, limit) => {
    const perMinute = limit === 'none' ? null : budgets[limit];
    if (perMinute === null) return;
    const caller = request.principal?.budgetKey ?? `ip:${request.ip}`;
    const answer = buckets.take(`${limit}/${caller}`, perMinute, clock.monotonicMs());
    reply.header('ratelimit-limit', answer.limit);
    reply.header('ratelimit-remaining', answer.remaining);
    reply.header('ratelimit-reset', answer.resetSeconds);
    if (answer.allowed) return;
    throw new FieldlineError(
      'RATE_LIMITED',
      `more than ${perMinute} requests a minute of the kind "${limit}"; come again in ${answer.retryAfterSeconds} s`,
      { details: { retryAfterSeconds: answer.retryAfterSeconds } },
    );
  };
}
