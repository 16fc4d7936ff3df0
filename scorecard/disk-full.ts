/**
 * Line 9: the disk is full, as a whole and for log, store and catalog alone. Nothing is acknowledged that is not durable, the
 * server stays alive and says what is wrong, events tell it, and it goes on by itself once there is room. Half of the devices
 * publish with QoS 2, and all lose their connections while the disk is full.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@fieldline/kit';
import { ApiSession, eventually } from '../tests/support/api-session.ts';
import { SampleStream } from '../tests/support/sample-stream.ts';
import { type RunningServer, startServer, temporaryFolder } from '../tests/support/server-process.ts';
import { mountProblem, SmallDisk } from '../tests/support/small-disk.ts';
import type { ScorecardLine } from './line.ts';

const ENVIRONMENT = {
  FIELDLINE_STORE_SEAL_AFTER_SECONDS: '2',
  FIELDLINE_STORE_SEAL_ROWS: '1000',
  FIELDLINE_LOG_SEGMENT_BYTES_MAX: '1048576',
  // Shorter than the disk is full, so that messages are given up, too, and come again.
  FIELDLINE_BROKER_APPEND_RETRY_MS: '2000',
};
const GOES_ON_MS_MAX = 5000;
const DEVICES_MAX = 1000;

type Place = 'all' | 'log' | 'store' | 'catalog';
const MEBIBYTES: Readonly<Record<Place, number>> = { all: 320, log: 32, store: 48, catalog: 160 };

export const diskFull: ScorecardLine = {
  number: 9,
  what: 'disk full',
  must: 'nothing acknowledged without a durable copy, alive, told, goes on within 5 s of there being room',
  async run(form, say) {
    const folder = temporaryFolder('disk-full');
    const problem = mountProblem(join(folder.path, 'try'));
    if (problem !== null) {
      folder.remove();
      return { passed: null, figure: problem };
    }
    const findings: string[] = [];
    const figures: string[] = [];
    for (const place of ['all', 'log', 'store', 'catalog'] as const) {
      const trial = new Trial(join(folder.path, place), place, form === 'long' ? 120_000 : 6000);
      try {
        figures.push(await trial.run());
      } catch (error) {
        findings.push(`${place}: ${messageOf(error)}`);
      } finally {
        await trial.end();
      }
      findings.push(...trial.findings.map((finding) => `${place}: ${finding}`));
      say(figures.at(-1) ?? '');
    }
    if (findings.length === 0) folder.remove();
    return { passed: findings.length === 0, figure: figures.join('; '), findings };
  },
};

class Trial {
  readonly findings: string[] = [];
  readonly #dataDir: string;
  readonly #place: Place;
  readonly #fullMs: number;
  readonly #made: string[] = [];
  #disk: SmallDisk | null = null;
  #server!: RunningServer;
  #stream: SampleStream | null = null;
  #api!: ApiSession;

  constructor(dataDir: string, place: Place, fullMs: number) {
    this.#dataDir = dataDir;
    this.#place = place;
    this.#fullMs = fullMs;
  }

  /** Resolves with the figure. */
  async run(): Promise<string> {
    await this.#prepare();
    await this.#stream!.flows();
    this.#disk!.fill();
    await this.#whileFull();
    const goesOnMs = await this.#freed();
    await this.#stream!.finish();
    const { acknowledged, lost, doubled } = await this.#stream!.compare(this.#api);
    this.#demand(lost + doubled === 0, `${lost} lost, ${doubled} doubled of ${acknowledged}`);
    return `${this.#place}: ${lost} lost of ${acknowledged.toLocaleString('en-US')}, went on after ${(goesOnMs / 1000).toFixed(1)} s`;
  }

  async end(): Promise<void> {
    await this.#stream?.abort();
    await this.#server?.kill();
    this.#disk?.unmount();
  }

  async #prepare(): Promise<void> {
    const first = await startServer({ dataDir: this.#dataDir, environment: ENVIRONMENT });
    await first.stop();
    const folder = this.#place === 'all' ? this.#dataDir : join(this.#dataDir, this.#place);
    this.#disk = new SmallDisk(folder, MEBIBYTES[this.#place]);
    this.#server = await startServer({ dataDir: this.#dataDir, environment: ENVIRONMENT });
    this.#api = await ApiSession.signIn(this.#server.url);
    this.#stream = await SampleStream.begin(this.#server, this.#api, 4, { alsoQos2: true });
  }

  async #whileFull(): Promise<void> {
    const refusesTelemetry = this.#place === 'all' || this.#place === 'log';
    const { url } = this.#server;
    await eventually(
      'readiness to tell of the full disk',
      async () => {
        const answer = await fetch(`${url}/health/ready`);
        return answer.status === 503 && /no (space|room) left/.test(await answer.text()) ? true : null;
      },
      10_000,
    );
    await sleep(1000); // What was under way when the disk became full has its answer.
    const before = this.#stream!.acknowledged;
    // Whoever comes back while its message is still on its way must not be told that it was taken.
    if (refusesTelemetry) this.#stream!.breakConnections();
    await sleep(this.#fullMs);
    const during = this.#stream!.acknowledged - before;
    if (refusesTelemetry) this.#demand(during === 0, `${during} samples were acknowledged while the log was full`);
    else this.#demand(during > 0, 'telemetry did not go on although the log has room');
    if (this.#place === 'catalog' || this.#place === 'all') await this.#makeDevices();
    const { status } = await fetch(`${url}/health/live`);
    this.#demand(status === 200 && this.#server.process.exitCode === null, 'the server is not alive');
  }

  /** Until one is refused: the catalog has some pages left in its files. */
  async #makeDevices(): Promise<void> {
    for (let number = 0; number < DEVICES_MAX; number++) {
      const made = await this.#api.raw('POST', 'devices', {
        key: `full-${number}`,
        name: 'x'.repeat(200),
        kind: 'sensor',
      });
      if (made.status === 201) {
        this.#made.push(((await made.json()) as { device: { id: string } }).device.id);
        continue;
      }
      this.#demand(made.status === 503 || made.status === 507, `making a device was answered with ${made.status}`);
      return;
    }
    this.#demand(false, `${DEVICES_MAX} devices could be made on a full disk`);
  }

  /** Makes room; resolves with the time until everything works again. */
  async #freed(): Promise<number> {
    const before = this.#stream!.acknowledged;
    this.#disk!.empty();
    const started = performance.now();
    await eventually('acknowledgements', () => (this.#stream!.acknowledged > before ? true : null), 30_000);
    await eventually(
      'readiness',
      async () => ((await fetch(`${this.#server.url}/health/ready`)).status === 200 ? true : null),
      60_000,
      100,
    ).catch(async (error: unknown) => {
      throw new Error(`${messageOf(error)}: ${await (await fetch(`${this.#server.url}/health/ready`)).text()}`);
    });
    const device = await this.#api.raw('POST', 'devices', { key: 'freed', name: 'freed', kind: 'sensor' });
    this.#demand(device.status === 201, `a device could not be made afterwards: ${device.status}`);
    const goesOnMs = performance.now() - started;
    for (const id of this.#made) {
      const { status } = await this.#api.raw('GET', `devices/${id}`);
      this.#demand(status === 200, `a device that was made on the full disk is answered with ${status}`);
    }
    this.#demand(goesOnMs <= GOES_ON_MS_MAX, `went on after ${(goesOnMs / 1000).toFixed(1)} s only`);
    for (const type of ['STORAGE_FULL', 'STORAGE_FREED']) {
      await eventually(
        `the event ${type}`,
        async () => {
          const { items } = await this.#api.call<{ items: unknown[] }>('GET', `events?type=${type}`);
          return items.length > 0 ? true : null;
        },
        10_000,
        100,
      );
    }
    return goesOnMs;
  }

  #demand(isSo: boolean, finding: string): void {
    if (!isSo) this.findings.push(finding);
  }
}
