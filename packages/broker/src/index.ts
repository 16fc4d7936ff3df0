/** The embedded MQTT 5.0 and 3.1.1 broker. */

export { type Broker, type BrokerStatistics, createBroker, type DeviceName } from './broker.ts';
export type { ListenerAddress } from './listeners.ts';
export type { ProtocolVersion, QoS } from './message.ts';
export * from './options.ts';
export { REASON } from './packets/reason-codes.ts';
