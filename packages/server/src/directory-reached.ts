/** How far each of those who follow the directory has come, so that a change can be waited for until all of them know it. */

/** Beyond it the wait ends anyway: a part that does not answer must not hold up the one who made the change. */
const WAIT_MS_MAX = 2000;

export class DirectoryReached {
  readonly #versions = new Map<string, number>();
  readonly #waiting = new Set<() => void>();

  /** A follower has taken everything in up to this version. */
  note(follower: string, version: number): void {
    this.#versions.set(follower, Math.max(version, this.#versions.get(follower) ?? 0));
    for (const look of this.#waiting) look();
  }

  /** As note(), when the follower's thread has answered. That a thread has ended is told by the thread itself. */
  noteWhen(applied: Promise<void>, follower: string, version: number): void {
    applied.then(
      () => this.note(follower, version),
      () => {},
    );
  }

  /** Resolves when all followers have come that far, or after two seconds. */
  until(version: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve();
      };
      const look = (): void => {
        if ([...this.#versions.values()].every((reached) => reached >= version)) end();
      };
      const timer = setTimeout(end, WAIT_MS_MAX);
      this.#waiting.add(look);
      look();
    });
  }
}
