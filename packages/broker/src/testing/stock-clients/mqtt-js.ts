/** mqtt.js as a stock client. */
import { type IClientOptions, type IPublishPacket, type MqttClient, connect as mqttConnect } from 'mqtt';
import type { Address, ReceivedMessage, StockClient, StockMessage, SubscribeRequest } from './stock-client.ts';

export const mqttJs: StockClient = {
  name: 'mqtt.js',
  supports: new Set(['websocket', 'no local', 'retain options', 'aliases from the server', 'quiet leave']),

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
    return { received, stop: () => client.endAsync(), kill: () => void client.stream.destroy() };
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
};

function connect(
  address: Address,
  clientId: string,
  options: IClientOptions,
  onPublish: (packet: IPublishPacket) => void,
): Promise<MqttClient> {
  const scheme = address.transport === 'tcp' ? 'mqtt' : 'ws';
  const client = mqttConnect(`${scheme}://127.0.0.1:${address.port}/mqtt`, {
    clientId,
    username: clientId,
    password: 'secret',
    protocolVersion: address.protocolVersion,
    reconnectPeriod: 0,
    ...options,
  });
  // Before it is connected: what waits in its session comes right behind CONNACK. Where a packet has an alias alone, mqtt.js
  // gives the topic beside it.
  client.on('message', (topic, _payload, packet) => onPublish({ ...packet, topic }));
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve(client));
    client.once('error', reject);
  });
}

function connectOptions({ protocolVersion }: Address, request: SubscribeRequest): IClientOptions {
  const { clean = true, sessionExpiryS = 0, topicAliasMaximum = 0, will } = request;
  const isFive = protocolVersion === 5;
  return {
    clean,
    ...(isFive && { properties: { sessionExpiryInterval: sessionExpiryS, topicAliasMaximum } }),
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
