/**
 * Slows guessing down: failed log-ins per address by a bucket, per account by waits that double, and never more password
 * checks at once than the machine can bear (argon2id costs memory and time on purpose). A success gives the attempt back.
 */
import { type Clock, FieldlineError } from '@fieldline/kit';
import { TokenBuckets } from './token-bucket.ts';

const FAILURES_FREE = 5;
const WAIT_SECONDS_MAX = 300;
const ACCOUNTS_MAX = 10_000;
const CHECKS_MAX = 2;
const CHECKS_WAITING_MAX = 32;

interface Account {
  failures: number;
  openFromMs: number;
}

export class LoginGuard {
  readonly #clock: Clock;
  readonly #attemptsPerMinute: number;
  readonly #addresses = new TokenBuckets();
  readonly #accounts = new Map<string, Account>();
  readonly #waiting: (() => void)[] = [];
  #checks = 0;

  constructor(clock: Clock, attemptsPerMinute: number) {
    this.#clock = clock;
    this.#attemptsPerMinute = attemptsPerMinute;
  }

  /** Runs `check` if it is allowed now; its answer null means failure. Rejects with RATE_LIMITED or OVERLOADED otherwise. */
  async attempt<T>(address: string, account: string, check: () => Promise<T | null>): Promise<T | null> {
    const now = this.#clock.monotonicMs();
    const name = account.toLowerCase();
    const waitMs = (this.#accounts.get(name)?.openFromMs ?? 0) - now;
    if (waitMs > 0) throw tooMany(Math.ceil(waitMs / 1000), 'for this account');
    const answer = this.#addresses.take(address, this.#attemptsPerMinute, now);
    if (!answer.allowed) throw tooMany(answer.retryAfterSeconds, 'from this address');
    const result = await this.#withRoom(check);
    if (result === null) this.#failed(name);
    else {
      this.#accounts.delete(name);
      this.#addresses.refund(address, this.#attemptsPerMinute);
    }
    return result;
  }

  #failed(name: string): void {
    const failures = (this.#accounts.get(name)?.failures ?? 0) + 1;
    this.#accounts.delete(name);
    if (this.#accounts.size >= ACCOUNTS_MAX) this.#accounts.delete(this.#accounts.keys().next().value!);
    const waitSeconds = failures < FAILURES_FREE ? 0 : Math.min(WAIT_SECONDS_MAX, 2 ** (failures - FAILURES_FREE));
    this.#accounts.set(name, { failures, openFromMs: this.#clock.monotonicMs() + waitSeconds * 1000 });
  }

  async #withRoom<T>(check: () => Promise<T>): Promise<T> {
    if (this.#checks >= CHECKS_MAX) {
      if (this.#waiting.length >= CHECKS_WAITING_MAX) {
        throw new FieldlineError('OVERLOADED', `${CHECKS_WAITING_MAX} log-ins are waiting already; try again`, {
          details: { retryAfterSeconds: 2 },
        });
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#checks += 1;
    try {
      return await check();
    } finally {
      this.#checks -= 1;
      this.#waiting.shift()?.();
    }
  }
}

function tooMany(retryAfterSeconds: number, where: string): FieldlineError {
  return new FieldlineError('RATE_LIMITED', `too many failed log-ins ${where}; try again in ${retryAfterSeconds} s`, {
    details: { retryAfterSeconds },
  });
}
