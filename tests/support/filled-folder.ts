/** A data folder that the real server has filled from one device, and copies of it of which parts are gone or empty. */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { ApiSession, type DeviceCredentials, eventually } from './api-session.ts';
import { type RunningServer, startServer, temporaryFolder } from './server-process.ts';

export class FilledFolder {
  readonly path: string;
  /** Filled by a server that was stopped. */
  readonly whole: string;
  readonly #remove: () => void;
  #device: DeviceCredentials | null = null;
  #copies = 0;

  private constructor(name: string) {
    const folder = temporaryFolder(name);
    this.path = folder.path;
    this.#remove = () => folder.remove();
    this.whole = join(folder.path, 'whole');
  }

  /** With samples 0 to `count` − 1 of the metric `value`. */
  static async make(name: string, count: number): Promise<FilledFolder> {
    const folder = new FilledFolder(name);
    const server = await startServer({ dataDir: folder.whole });
    folder.#device = await (await ApiSession.signIn(server.url)).createDevice('press');
    for (let value = 0; value < count; value++) await folder.publish(server, { value });
    await folder.stored(server, count);
    await server.stop();
    return folder;
  }

  get device(): DeviceCredentials {
    return this.#device!;
  }

  async publish({ mqtt }: RunningServer, metrics: Readonly<Record<string, number>>): Promise<void> {
    const { id, token, organizationId, key } = this.device;
    const client = await connectAsync({ ...mqtt, username: id, password: token, protocolVersion: 5 });
    const message = JSON.stringify({ ts: Date.now(), metrics });
    await client.publishAsync(`v1/telemetry/${organizationId}/${key}`, message, { qos: 1 });
    await client.endAsync();
  }

  /** The values of a metric that can be read; none where it is not known yet. */
  async values(server: RunningServer, metric = 'value'): Promise<number[]> {
    const api = await ApiSession.signIn(server.url);
    const now = Date.now();
    const samples = await api.samples(this.device.id, metric, now - 3_600_000, now + 1000).catch(() => []);
    return samples.map(([, value]) => value);
  }

  /** Waits until so many samples of a metric can be read. */
  async stored(server: RunningServer, count: number, metric = 'value'): Promise<void> {
    const areThere = async () => (await this.values(server, metric)).length === count || null;
    await eventually(`${count} samples of ${metric}`, areThere);
  }

  /** A copy of the whole folder in which these parts are gone, or empty as the place of a volume is. */
  copyWithout(parts: readonly string[] = [], how: 'gone' | 'empty' = 'gone'): string {
    this.#copies += 1;
    const dataDir = join(this.path, String(this.#copies));
    cpSync(this.whole, dataDir, { recursive: true });
    for (const part of parts) {
      rmSync(join(dataDir, part), { recursive: true });
      if (how === 'empty') mkdirSync(join(dataDir, part));
    }
    return dataDir;
  }

  remove(): void {
    this.#remove();
  }
}

/** Puts parts of one data folder in the place of another's. */
export function exchange(parts: readonly string[], from: string, dataDir: string): void {
  for (const part of parts) {
    rmSync(join(dataDir, part), { recursive: true, force: true });
    cpSync(join(from, part), join(dataDir, part), { recursive: true });
  }
}
