/** Token buckets by key: a minute's budget that refills evenly. Pure but for the clock that is passed in. */

/** Callers that are remembered; when full the one that was idle longest is forgotten, with a full bucket. */
const KEYS_MAX = 50_000;

interface Bucket {
  tokens: number;
  timeMs: number;
}

export interface BucketAnswer {
  readonly allowed: boolean;
  readonly limit: number;
  readonly remaining: number;
  /** Seconds until the bucket is full again. */
  readonly resetSeconds: number;
  /** Seconds until the next request is allowed; 0 where this one was. */
  readonly retryAfterSeconds: number;
}

export class TokenBuckets {
  readonly #buckets = new Map<string, Bucket>();

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one token of `perMinute` from the key's bucket, where there is one. nowMs is monotonic. */
  take(key: string, perMinute: number, nowMs: number): BucketAnswer {
    const bucket = this.#bucket(key, perMinute, nowMs);
    const allowed = bucket.tokens >= 1;
    if (allowed) bucket.tokens -= 1;
    const perSecond = perMinute / 60;
    return {
      allowed,
      limit: perMinute,
      remaining: Math.floor(bucket.tokens),
      resetSeconds: Math.ceil((perMinute - bucket.tokens) / perSecond),
      retryAfterSeconds: allowed ? 0 : Math.max(1, Math.ceil((1 - bucket.tokens) / perSecond)),
    };
  }

  /** Gives a token back. */
  refund(key: string, perMinute: number): void {
    const bucket = this.#buckets.get(key);
    if (bucket !== undefined) bucket.tokens = Math.min(perMinute, bucket.tokens + 1);
  }

  #bucket(key: string, perMinute: number, nowMs: number): Bucket {
    const bucket = this.#buckets.get(key) ?? { tokens: perMinute, timeMs: nowMs };
    this.#buckets.delete(key);
    if (this.#buckets.size >= KEYS_MAX) this.#buckets.delete(this.#buckets.keys().next().value!);
    this.#buckets.set(key, bucket);
    bucket.tokens = Math.min(perMinute, bucket.tokens + ((nowMs - bucket.timeMs) / 60_000) * perMinute);
    bucket.timeMs = nowMs;
    return bucket;
  }
}
