/** A signed-in caller of the REST API for tests and benchmarks: plain fetch, as any program would. */
import { ADMIN_PASSWORD } from './server-process.ts';

export interface DeviceCredentials {
  readonly id: string;
  readonly key: string;
  readonly organizationId: string;
  readonly token: string;
}

interface SignedIn {
  readonly accessToken: string;
  /** Seconds. */
  readonly expiresIn: number;
}

export class ApiSession {
  readonly #url: string;
  readonly #credentials: { readonly email: string; readonly password: string };
  #accessToken = '';
  #renewAtMs = 0;

  private constructor(url: string, credentials: { readonly email: string; readonly password: string }) {
    this.#url = url;
    this.#credentials = credentials;
  }

  get accessToken(): string {
    return this.#accessToken;
  }

  static async signIn(url: string, email = 'admin@fieldline.local', password = ADMIN_PASSWORD): Promise<ApiSession> {
    const session = new ApiSession(url, { email, password });
    await session.#signIn();
    return session;
  }

  async #signIn(): Promise<void> {
    const answer = await fetch(`${this.#url}/api/v1/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(this.#credentials),
    });
    if (!answer.ok) throw new Error(`sign-in: ${answer.status} ${await answer.text()}`);
    const { accessToken, expiresIn } = (await answer.json()) as SignedIn;
    this.#accessToken = accessToken;
    this.#renewAtMs = performance.now() + expiresIn * 500;
  }

  /** A call below /api/v1; throws with the server's words where the status is not 2xx. */
  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.raw(method, path, body);
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (answer.status === 204 ? undefined : await answer.json()) as T;
  }

  /** Signs in again where half of the token's time is over: measurements last longer than it. */
  async raw(method: string, path: string, body?: unknown): Promise<Response> {
    if (performance.now() > this.#renewAtMs) await this.#signIn();
    return fetch(`${this.#url}/api/v1/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#accessToken}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  async createDevice(key: string, kind = 'sensor'): Promise<DeviceCredentials> {
    const { device, token } = await this.call<{
      device: { id: string; key: string; organizationId: string };
      token: string;
    }>('POST', 'devices', { key, name: key, kind });
    return { id: device.id, key: device.key, organizationId: device.organizationId, token };
  }

  /** Many devices, a few calls at a time. */
  async createDevices(count: number, prefix: string, kind = 'sensor'): Promise<DeviceCredentials[]> {
    const devices: DeviceCredentials[] = [];
    for (let first = 0; first < count; first += 16) {
      const group = Array.from({ length: Math.min(16, count - first) }, (_, index) =>
        this.createDevice(`${prefix}${String(first + index).padStart(5, '0')}`, kind),
      );
      devices.push(...(await Promise.all(group)));
    }
    return devices;
  }

  /** All raw samples of one metric in a range: [source time in ms, value] pairs in order. */
  async samples(deviceId: string, metricKey: string, startMs: number, endMs: number): Promise<[number, number][]> {
    const found: [number, number][] = [];
    for await (const page of this.samplePages(deviceId, metricKey, startMs, endMs)) found.push(...page);
    return found;
  }

  /** The same, page by page. */
  async *samplePages(
    deviceId: string,
    metricKey: string,
    startMs: number,
    endMs: number,
  ): AsyncGenerator<[number, number][]> {
    let cursor: string | null = null;
    do {
      const query = new URLSearchParams({
        metricKey,
        startTime: new Date(startMs).toISOString(),
        endTime: new Date(endMs).toISOString(),
        aggregation: 'none',
        limit: '10000',
        ...(cursor === null ? {} : { cursor }),
      });
      const page: { data: { timestamp: string; value: number }[]; nextCursor: string | null } = await this.call(
        'GET',
        `telemetry/device/${deviceId}?${query}`,
      );
      yield page.data.map(({ timestamp, value }) => [Date.parse(timestamp), value]);
      cursor = page.nextCursor;
    } while (cursor !== null);
  }
}

/** Asks again until the answer is not null; throws after the time limit with what it was waiting for. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | null> | T | null,
  limitMs = 15_000,
  everyMs = 20,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (performance.now() > deadline) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
