/**
 * What a client could not be sent because its connection is full: references to messages that others were sent, in order,
 * bounded in bytes for the client and over all clients. Full: the oldest samples go first, then the oldest news, and what
 * went is told when the client reads again.
 */
import type { LiveLagged, TelemetryNew } from '@fieldline/contract';
import { FrameBuffer } from './frame-buffer.ts';

/** Device ids that a notice names; beyond it only how much was left out. */
const DEVICES_NAMED_MAX = 100;

/** What all clients together hold, and what they may. */
export class BacklogBudget {
  readonly bytesMax: number;
  readonly bytesPerClientMax: number;
  bytes = 0;
  /** Clients that hold something: while all together hold too much, each has its share. */
  holders = 0;
  samplesLeftOut = 0;
  newsLeftOut = 0;

  constructor(bytesMax: number, bytesPerClientMax: number) {
    this.bytesMax = bytesMax;
    this.bytesPerClientMax = bytesPerClientMax;
  }

  get shareBytes(): number {
    if (this.bytes <= this.bytesMax) return this.bytesPerClientMax;
    return Math.min(this.bytesPerClientMax, this.bytesMax / this.holders);
  }
}

interface HeldFrame {
  readonly frame: TelemetryNew;
  readonly points: number;
  readonly bytes: number;
}

/** A message that is no frame of samples; `send` puts it onto the connection. */
interface HeldNews {
  readonly send: () => void;
  readonly bytes: number;
}

export class Backlog {
  readonly #budget: BacklogBudget;
  #frames: HeldFrame[] = [];
  #news: HeldNews[] = [];
  #bytes = 0;
  #leftOut: { since: number; until: number; samples: number; news: number; devices: Set<string> } | null = null;

  constructor(budget: BacklogBudget) {
    this.#budget = budget;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#frames.length + this.#news.length === 0 && this.#leftOut === null;
  }

  /** Keeps a frame; it is not copied. */
  addFrame(frame: TelemetryNew, points: number, bytes: number, nowMs: number): void {
    this.#frames.push({ frame, points, bytes });
    this.#hold(bytes);
    this.#makeRoom(nowMs);
  }

  addNews(send: () => void, bytes: number, nowMs: number): void {
    this.#news.push({ send, bytes });
    this.#hold(bytes);
    this.#makeRoom(nowMs);
  }

  /** What was left out since it was told last; null where nothing was. */
  takeNotice(): LiveLagged | null {
    if (this.#leftOut === null) return null;
    const { since, until, samples, news, devices } = this.#leftOut;
    this.#leftOut = null;
    const deviceIds = devices.size > DEVICES_NAMED_MAX ? null : [...devices];
    return { since: new Date(since).toISOString(), until: new Date(until).toISOString(), samples, news, deviceIds };
  }

  takeNews(): HeldNews | null {
    const first = this.#news.shift();
    if (first === undefined) return null;
    this.#hold(-first.bytes);
    return first;
  }

  /** The frames of the device whose samples have waited for longest, merged and thinned; null where none waits. */
  takeFrame(): TelemetryNew | null {
    const [first] = this.#frames;
    if (first === undefined) return null;
    const { organizationId, deviceId } = first.frame;
    const merged = new FrameBuffer(organizationId, deviceId);
    const others: HeldFrame[] = [];
    for (const held of this.#frames) {
      if (held.frame.deviceId !== deviceId) others.push(held);
      else {
        merged.merge(held.frame);
        this.#hold(-held.bytes);
      }
    }
    this.#frames = others;
    return merged.takeAll();
  }

  /** The client has gone. */
  clear(): void {
    this.#frames = [];
    this.#news = [];
    this.#leftOut = null;
    this.#hold(-this.#bytes);
  }

  #hold(bytes: number): void {
    const before = this.#bytes;
    this.#bytes += bytes;
    this.#budget.bytes += bytes;
    this.#budget.holders += Number(this.#bytes > 0) - Number(before > 0);
  }

  #makeRoom(nowMs: number): void {
    const { shareBytes } = this.#budget;
    while (this.#bytes > shareBytes) {
      const frame = this.#frames.shift();
      const gone = frame ?? this.#news.shift();
      if (gone === undefined) return;
      this.#hold(-gone.bytes);
      this.#leftOut ??= { since: nowMs, until: nowMs, samples: 0, news: 0, devices: new Set() };
      this.#leftOut.until = nowMs;
      this.#leftOut.samples += frame?.points ?? 0;
      this.#leftOut.news += frame === undefined ? 1 : 0;
      if (frame !== undefined && this.#leftOut.devices.size <= DEVICES_NAMED_MAX) {
        this.#leftOut.devices.add(frame.frame.deviceId);
      }
      this.#budget.samplesLeftOut += frame?.points ?? 0;
      this.#budget.newsLeftOut += frame === undefined ? 1 : 0;
    }
  }
}

/** Points of a frame, and about what it takes in memory while it waits. */
export function sizeOf({ metrics }: TelemetryNew): { points: number; bytes: number } {
  let points = 0;
  let bytes = 200;
  for (const metricKey in metrics) {
    const { values } = metrics[metricKey]!;
    points += values.length;
    bytes += 200 + metricKey.length + values.length * 32;
    for (const value of values) if (typeof value === 'string') bytes += value.length * 2;
  }
  return { points, bytes };
}
