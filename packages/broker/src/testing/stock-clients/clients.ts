/** The stock clients that are on this machine, and what the tests with them have in common. */
import { type TestBroker, until } from '../harness.ts';
import { mosquitto } from './mosquitto.ts';
import { mqttJs } from './mqtt-js.ts';
import { hasPaho, paho } from './paho.ts';
import type { Address, Capability, StockClient, StockSubscriber, SubscribeRequest } from './stock-client.ts';

/** mqtt.js, Mosquitto's programs, and Eclipse Paho where python3 has it (`pip install paho-mqtt`). */
export const CLIENTS: readonly StockClient[] = [mqttJs, mosquitto, ...(hasPaho() ? [paho] : [])];

export function able(capability: Capability): StockClient[] {
  return CLIENTS.filter(({ supports }) => supports.has(capability));
}

export function addressOf(
  { broker }: TestBroker,
  protocolVersion: 4 | 5,
  transport: Address['transport'] = 'tcp',
): Address {
  const kind = transport === 'tcp' ? 'tcp' : 'ws';
  const { port } = broker.addresses().find((address) => address.kind === kind)!;
  return { port, transport, protocolVersion };
}

/** Subscribers of one test; none outlives it. */
export class Subscribers {
  readonly #all: StockSubscriber[] = [];

  /** As `listener` to app/# with QoS 2, but for what the request names. */
  async add(client: StockClient, address: Address, request: Partial<SubscribeRequest> = {}): Promise<StockSubscriber> {
    const subscriber = await client.subscribe(address, { clientId: 'listener', filter: 'app/#', qos: 2, ...request });
    this.#all.push(subscriber);
    return subscriber;
  }

  killAll(): void {
    for (const subscriber of this.#all.splice(0)) subscriber.kill();
  }
}

export function arrived(subscriber: StockSubscriber, count: number): Promise<void> {
  return until(() => subscriber.received.length >= count, `${count} messages`, 10_000);
}

export function texts({ received }: StockSubscriber): string[] {
  return received.map(({ payload }) => payload);
}
