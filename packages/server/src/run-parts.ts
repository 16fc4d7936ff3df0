/**
 * Starts parts as soon as their needs run, side by side where they do not need each other, and stops them one after the other,
 * backwards. In: the table of roles.ts; out: a running whole.
 */
import { FieldlineError, type Health, type Logger, messageOf, Service } from '@fieldline/kit';

export interface Part<Context> {
  readonly name: string;
  /** Names of the parts that must run before this one starts. */
  readonly needs: readonly string[];
  start(context: Context): Promise<void>;
  stop(context: Context): Promise<void>;
  /** What hinders the running part, in words; null where nothing does. */
  problem?(context: Context): string | null;
}

/** The parts so that each stands behind what it needs. A need that is missing or goes in a circle is a bug: it throws. */
export function inOrderOfNeeds<Context>(parts: readonly Part<Context>[]): Part<Context>[] {
  const ordered: Part<Context>[] = [];
  const visit = (part: Part<Context>, way: readonly string[]): void => {
    if (ordered.includes(part)) return;
    if (way.includes(part.name))
      throw new Error(`parts need each other in a circle: ${[...way, part.name].join(' → ')}`);
    for (const need of part.needs) {
      const needed = parts.find((candidate) => candidate.name === need);
      if (needed === undefined) throw new Error(`part ${part.name} needs ${need}, which is not in the table`);
      visit(needed, [...way, part.name]);
    }
    ordered.push(part);
  };
  for (const part of parts) visit(part, []);
  return ordered;
}

export class RunningParts<Context> {
  readonly #context: Context;
  readonly #logger: Logger;
  readonly #parts: readonly Part<Context>[];
  readonly #services: readonly Service[];
  #startedMs = 0;
  #stopping: string | null = null;

  constructor(parts: readonly Part<Context>[], context: Context, logger: Logger) {
    this.#context = context;
    this.#logger = logger;
    this.#parts = inOrderOfNeeds(parts);
    this.#services = this.#parts.map(
      (part) =>
        new Service(part.name, {
          start: () => part.start(context),
          stop: () => part.stop(context),
          problem: () => part.problem?.(this.#context) ?? null,
        }),
    );
  }

  /** Starts all; where one cannot, those that run are stopped again and the error is thrown with the part's name. */
  async start(): Promise<void> {
    this.#startedMs = performance.now();
    const running = new Map<string, Promise<void>>();
    for (const [index, { name, needs }] of this.#parts.entries()) {
      const start = Promise.all(needs.map((need) => running.get(need))).then(() =>
        this.#startOne(this.#services[index]!),
      );
      running.set(name, start);
    }
    try {
      await Promise.all(running.values());
    } catch (error) {
      await this.stop();
      await Promise.allSettled(running.values());
      throw error;
    }
  }

  async #startOne(service: Service): Promise<void> {
    // Another part could not start: what has not begun does not begin.
    if (this.#stopping !== null) return;
    const started = performance.now();
    try {
      await service.start();
    } catch (error) {
      if (error instanceof FieldlineError) throw error;
      throw new FieldlineError('INTERNAL', `${service.name} did not start: ${messageOf(error)}`, { cause: error });
    }
    const durationMs = Math.round(performance.now() - started);
    const sinceStartMs = Math.round(performance.now() - this.#startedMs);
    this.#logger.debug({ part: service.name, durationMs, sinceStartMs }, 'part started');
  }

  /** Stops what runs, last first. A part that fails to stop is told and does not keep the others from it. */
  async stop(): Promise<void> {
    for (const service of [...this.#services].reverse()) {
      if (service.state === 'new') continue;
      this.#stopping = service.name;
      try {
        await service.stop();
      } catch (error) {
        this.#logger.error({ part: service.name, error: messageOf(error) }, 'part did not stop cleanly');
      }
    }
  }

  /** The part that is being stopped, for whoever waits for it in vain; null before a stop. */
  get stopping(): string | null {
    return this.#stopping;
  }

  health(): Health[] {
    return this.#services.map((service) => service.health());
  }

  /** Marks a part as failed, e.g. when its thread has ended. */
  fail(name: string, error: unknown): void {
    this.#services.find((service) => service.name === name)?.fail(error);
  }
}
