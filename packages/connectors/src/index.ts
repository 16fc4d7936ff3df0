export type { BridgeRoute, BridgeTls, MqttBridgeOptions } from './mqtt/bridge-options.ts';
export { MqttBridge } from './mqtt/mqtt-bridge.ts';
export { RememberedSessions } from './mqtt/remembered-sessions.ts';
export { routeForeignPublication } from './mqtt/route-publication.ts';
