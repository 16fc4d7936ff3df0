/** Rooms by what is looked at, and how many clients look: what the pipeline is told to send. Pure. */
import type { LiveInterest } from '../dependencies.ts';

export type RoomKind = 'device' | 'site' | 'organization';

export function roomOf(kind: RoomKind, id: string): string {
  return `${kind}:${id}`;
}

/** Counts clients by room. */
export class RoomCounts {
  readonly #counts = new Map<string, number>();

  /** Returns true where the room has become or ceased to be of interest. */
  change(room: string, by: 1 | -1): boolean {
    const before = this.#counts.get(room) ?? 0;
    const after = before + by;
    if (after <= 0) this.#counts.delete(room);
    else this.#counts.set(room, after);
    return before <= 0 !== after <= 0;
  }

  has(room: string): boolean {
    return this.#counts.has(room);
  }

  interest(): LiveInterest {
    const idsOf = (kind: RoomKind): string[] =>
      [...this.#counts.keys()].filter((room) => room.startsWith(`${kind}:`)).map((room) => room.slice(kind.length + 1));
    return { devices: idsOf('device'), sites: idsOf('site'), organizations: idsOf('organization') };
  }
}
