/** mqtt.js as a stock client. */
import {
  type IClientOptions,
  type IConnackPacket,
  type IPublishPacket,
  type MqttClient,
  connect as mqttConnect,
  type Packet,
} from 'mqtt';
import { until } from '../harness.ts';
import type {
  Address,
  ReceivedMessage,
  StockClient,
  StockMessage,
  SubscribeRequest,
  Told,
  Visit,
  VisitRequest,
} from './stock-client.ts';

export const mqttJs: StockClient = {
  name: 'mqtt.js',
  supports: new Set([
    'websocket',
    'no local',
    'retain options',
    'aliases from the server',
    'quiet leave',
    'server keep-alive',
  ]),

  async subscribe(address, request) {
    const received: ReceivedMessage[] = [];
    const client = await connect(address, request.clientId, connectOptions(address, request), (packet) =>
      received.push(receivedOf(packet)),
    );
    const { filter, qos = 0, noLocal, retainAsPublished, retainHandling, identifier } = request;
    await client.subscribeAsync(filter, {
      qos,
      ...(noLocal !== undefined && { nl: noLocal }),
      ...(retainAsPublished !== undefined && { rap: retainAsPublished }),
      ...(retainHandling !== undefined && { rh: retainHandling }),
      ...(identifier !== undefined && { properties: { subscriptionIdentifier: identifier } }),
    });
    return {
      received,
      say: ({ topic, payload, qos = 0 }) => void client.publish(topic, payload, { qos }),
      stop: () => client.endAsync(),
      kill: () => void client.stream.destroy(),
    };
  },

  async publish(address, clientId, messages) {
    const client = await connect(address, clientId, {}, () => {});
    for (const message of messages) {
      const { topic, payload, qos = 0, retain = false } = message;
      const properties = address.protocolVersion === 5 ? { properties: propertiesOf(message) } : {};
      await client.publishAsync(topic, payload, { qos, retain, ...properties });
    }
    await client.endAsync();
  },

  async visit(address, request) {
    const { clean = true, sessionExpiryS, authenticationMethod, password = 'secret' } = request;
    const client = mqttConnect(urlOf(address), {
      ...loginOf(address, request.clientId),
      username: request.userName,
      password,
      clean,
      properties: {
        ...(sessionExpiryS !== undefined && { sessionExpiryInterval: sessionExpiryS }),
        ...(authenticationMethod !== undefined && { authenticationMethod }),
      },
    });
    client.on('error', () => {}); // What it was told is in the packets.
    const visit = await answersOf(client, request);
    await client.endAsync(true);
    return visit;
  },
};

/** Asks everything at once and gathers the answers. */
async function answersOf(client: MqttClient, request: VisitRequest): Promise<Visit> {
  const visit: Record<string, Told> = {};
  const wanted = ['connack'];
  if (request.subscribe !== undefined) wanted.push('suback');
  if (request.unsubscribe !== undefined) wanted.push('unsuback');
  if (request.publish !== undefined) wanted.push('puback');
  client.on('packetreceive', (packet) => {
    if (visit[packet.cmd] === undefined) visit[packet.cmd] = toldOf(packet);
  });
  client.once('connect', () => {
    if (request.subscribe !== undefined) client.subscribe(request.subscribe, { qos: 1 }, () => {});
    if (request.unsubscribe !== undefined) client.unsubscribe(request.unsubscribe, () => {});
    for (const { topic, payload, qos = 0 } of request.publish ?? []) client.publish(topic, payload, { qos }, () => {});
  });
  let isClosed = false;
  client.once('close', () => {
    isClosed = true;
  });
  await until(() => isClosed || wanted.every((cmd) => visit[cmd] !== undefined), `mqtt.js has ${wanted}`, 10_000);
  return visit;
}

/** All that a packet of the broker can tell. */
interface Answer {
  readonly reasonCode?: number;
  readonly granted?: readonly number[];
  readonly sessionPresent?: boolean;
  readonly properties?: IConnackPacket['properties'];
}

function toldOf(packet: Packet): Told {
  const { reasonCode, granted, sessionPresent, properties = {} } = packet as Answer;
  const { reasonString, assignedClientIdentifier, serverKeepAlive, receiveMaximum, maximumPacketSize } = properties;
  const { sessionExpiryInterval } = properties;
  return {
    reasonCode: reasonCode ?? Number(granted?.[0] ?? 0),
    ...(reasonString !== undefined && { reasonString }),
    ...(packet.cmd === 'connack' && {
      sessionPresent,
      ...(assignedClientIdentifier !== undefined && { assignedClientId: assignedClientIdentifier }),
      ...(serverKeepAlive !== undefined && { serverKeepAliveS: serverKeepAlive }),
      ...(receiveMaximum !== undefined && { receiveMaximum }),
      ...(maximumPacketSize !== undefined && { packetBytesMax: maximumPacketSize }),
      ...(sessionExpiryInterval !== undefined && { sessionExpiryS: sessionExpiryInterval }),
    }),
  };
}

function urlOf({ port, transport }: Address): string {
  return `${transport === 'tcp' ? 'mqtt' : 'ws'}://127.0.0.1:${port}/mqtt`;
}

function loginOf({ protocolVersion }: Address, clientId: string): IClientOptions {
  return { clientId, username: clientId, password: 'secret', protocolVersion, reconnectPeriod: 0 };
}

function connect(
  address: Address,
  clientId: string,
  options: IClientOptions,
  onPublish: (packet: IPublishPacket) => void,
): Promise<MqttClient> {
  const client = mqttConnect(urlOf(address), { ...loginOf(address, clientId), ...options });
  // Before it is connected: what waits in its session comes right behind CONNACK. Where a packet has an alias alone, mqtt.js
  // gives the topic beside it.
  client.on('message', (topic, _payload, packet) => onPublish({ ...packet, topic }));
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve(client));
    client.once('error', reject);
  });
}

function connectOptions({ protocolVersion }: Address, request: SubscribeRequest): IClientOptions {
  const { clean = true, sessionExpiryS = 0, topicAliasMaximum = 0, receiveMaximum, packetBytesMax, will } = request;
  const isFive = protocolVersion === 5;
  return {
    clean,
    keepalive: request.keepAliveS ?? 60,
    ...(isFive && {
      properties: {
        sessionExpiryInterval: sessionExpiryS,
        topicAliasMaximum,
        ...(receiveMaximum !== undefined && { receiveMaximum }),
        ...(packetBytesMax !== undefined && { maximumPacketSize: packetBytesMax }),
      },
    }),
    ...(will !== undefined && {
      will: {
        topic: will.topic,
        payload: Buffer.from(will.payload),
        qos: 1,
        retain: false,
        ...(isFive && { properties: { willDelayInterval: will.delayS } }),
      },
    }),
  };
}

function propertiesOf(message: StockMessage): NonNullable<IPublishPacket['properties']> {
  const { expiryS, contentType, responseTopic, correlationData, userProperty, topicAlias } = message;
  return {
    ...(expiryS !== undefined && { messageExpiryInterval: expiryS }),
    ...(contentType !== undefined && { contentType }),
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlationData !== undefined && { correlationData: Buffer.from(correlationData) }),
    ...(userProperty !== undefined && { userProperties: { [userProperty[0]]: userProperty[1] } }),
    ...(topicAlias !== undefined && { topicAlias }),
  };
}

function receivedOf({ topic, payload, qos, retain, properties = {} }: IPublishPacket): ReceivedMessage {
  const { messageExpiryInterval, contentType, responseTopic, correlationData, userProperties } = properties;
  const [first] = Object.entries(userProperties ?? {});
  const { subscriptionIdentifier: ids } = properties;
  return {
    topic,
    payload: payload.toString(),
    qos,
    retain,
    ...(messageExpiryInterval !== undefined && { expiryS: messageExpiryInterval }),
    ...(contentType !== undefined && { contentType }),
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlationData !== undefined && { correlationData: correlationData.toString() }),
    ...(first !== undefined && { userProperty: [first[0], String(first[1])] as const }),
    ...(ids !== undefined && { subscriptionIdentifiers: [ids].flat() }),
  };
}
