/** Consumers that read: what they got, and how late it came. They stand beside those who misbehave. */
import { LIVE_PATH, type TelemetryNew } from '@fieldline/contract';
import mqtt from 'mqtt';
import { io } from 'socket.io-client';
import type { ApiSession, DeviceCredentials } from './api-session.ts';
import type { RunningServer } from './server-process.ts';

/** An MQTT reader at QoS 1 that reads; the numbers of what it got. */
export class BusyReader {
  readonly #client: mqtt.MqttClient;
  #first = -1;
  #last = -1;
  #count = 0;

  private constructor(client: mqtt.MqttClient) {
    this.#client = client;
    client.on('message', (_, payload) => {
      const number = Number.parseInt(payload.toString('latin1', 0, 12), 10);
      if (this.#first < 0) this.#first = number;
      this.#last = number;
      this.#count += 1;
    });
  }

  static async begin(server: RunningServer, device: DeviceCredentials, topic: string): Promise<BusyReader> {
    const { id: username, token: password } = device;
    const client = await mqtt.connectAsync({
      ...server.mqtt,
      protocolVersion: 5,
      username,
      password,
      reconnectPeriod: 0,
    });
    await client.subscribeAsync(topic, { qos: 1 });
    return new BusyReader(client);
  }

  /** Holes in the numbers. */
  get missed(): number {
    return this.#count === 0 ? 1 : this.#last - this.#first + 1 - this.#count;
  }

  async end(): Promise<void> {
    await this.#client.endAsync(true);
  }
}

/** A Socket.IO client that reads: how long after its time each sample came. */
export class LiveReader {
  readonly #socket: ReturnType<typeof io>;
  #delaysMs: number[] = [];

  private constructor(socket: ReturnType<typeof io>) {
    this.#socket = socket;
    socket.on('telemetry:new', ({ metrics }: TelemetryNew) => {
      const now = Date.now();
      for (const time of metrics.m0?.timestamps ?? []) this.#delaysMs.push(now - time);
    });
  }

  static async begin({ url }: RunningServer, { accessToken: token }: ApiSession, { id }: DeviceCredentials) {
    const socket = io(url, { path: LIVE_PATH, transports: ['websocket'], auth: { token }, forceNew: true });
    await new Promise<void>((resolve) => socket.once('connect', resolve));
    await socket.emitWithAck('subscribe', { deviceId: id });
    return new LiveReader(socket);
  }

  takeDelays(): number[] {
    const delays = this.#delaysMs;
    this.#delaysMs = [];
    return delays;
  }

  end(): void {
    this.#socket.disconnect();
  }
}
