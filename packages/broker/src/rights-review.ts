/**
 * Rights to subscribe, asked for again when they may have changed: a filter that is not allowed any more ends, and with it
 * what waits for the session through it alone. What was sent before and is not acknowledged stays in flight (4.4).
 */
import { messageOf, sleep } from '@fieldline/kit';
import type { BrokerContext } from './broker-context.ts';
import { parseFilter } from './router/topic.ts';
import type { Session } from './session/session.ts';

/** So long sessions are gone through before sockets have their turn. */
const SLICE_MS = 4;
/** So many times as long as a review took, nothing is reviewed: changes that do not end take a tenth of the thread. */
const REST_FACTOR = 9;

/** Goes through all sessions, those that nobody is connected to, too. */
export class RightsReview {
  readonly #context: BrokerContext;
  #isWanted = false;
  #isRunning = false;

  constructor(context: BrokerContext) {
    this.#context = context;
  }

  /** Begins at once; asked for again while it is under way, everything is gone through once more behind it. */
  begin(): void {
    this.#isWanted = true;
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run().finally(() => {
      this.#isRunning = false;
    });
  }

  async #run(): Promise<void> {
    while (this.#isWanted) {
      this.#isWanted = false;
      const workedMs = await this.#review();
      if (this.#isWanted) await sleep(workedMs * REST_FACTOR);
    }
  }

  /** How long the thread was busy with it. */
  async #review(): Promise<number> {
    let workedMs = 0;
    let sliceBeganMs = performance.now();
    for (const session of [...this.#context.registry.all]) {
      this.#safely(session);
      const sliceMs = performance.now() - sliceBeganMs;
      if (sliceMs < SLICE_MS) continue;
      workedMs += sliceMs;
      await new Promise((resolve) => setImmediate(resolve));
      sliceBeganMs = performance.now();
    }
    return workedMs + performance.now() - sliceBeganMs;
  }

  #safely(session: Session): void {
    try {
      // One that has ended since has no subscriptions.
      dropForbidden(this.#context, session);
    } catch (error) {
      const { clientId } = session;
      this.#context.logger.error({ error: messageOf(error), clientId }, 'rights to subscribe could not be reviewed');
    }
  }
}

/** Ends the subscriptions of this session that are not allowed any more. */
export function dropForbidden(context: BrokerContext, session: Session): void {
  const { options, router, store, logger } = context;
  const { key, clientId, identity } = session;
  const lost: string[] = [];
  for (const filter of session.subscriptions.keys()) {
    const decision = options.maySubscribe(identity, parseFilter(filter).filter);
    if (decision.allowed) continue;
    lost.push(filter);
    const { reason } = decision;
    logger.warn({ deviceId: identity.deviceId, clientId, filter, reason }, 'a subscription is not allowed any more');
  }
  if (lost.length === 0) return;
  for (const filter of lost) {
    router.unsubscribe(session, filter);
    if (session.isPersistent) store.note({ kind: 'unsubscribed', key, filter });
  }
  router.takeBack(session, lost);
}
