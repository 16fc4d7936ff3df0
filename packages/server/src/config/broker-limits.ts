/** The settings of `broker` as the broker's limits, and which of them do not go together. Pure. */
import type { BrokerLimits } from '@fieldline/broker';
import type { Config } from './schema.ts';

type BrokerSettings = Config['broker'];

/** Limits that are not settings keep the broker's own defaults. */
export function brokerLimits(settings: BrokerSettings): Partial<BrokerLimits> {
  const {
    host: _host,
    port: _port,
    tls: _tls,
    ws: _ws,
    keepAliveMaxSeconds,
    sessionExpiryMaxSeconds,
    packetTimeoutSeconds,
    stalledReaderTimeoutSeconds,
    systemIntervalSeconds,
    ...limits
  } = settings;
  return {
    ...limits,
    keepAliveMaxS: keepAliveMaxSeconds === 0 ? null : keepAliveMaxSeconds,
    sessionExpiryMaxS: sessionExpiryMaxSeconds,
    packetTimeoutMs: packetTimeoutSeconds * 1000,
    stalledReaderTimeoutMs: stalledReaderTimeoutSeconds * 1000,
    systemIntervalMs: systemIntervalSeconds * 1000,
  };
}

type Key = {
  [K in keyof BrokerSettings]: BrokerSettings[K] extends number ? K : never;
}[keyof BrokerSettings];

const A_PART = 'what one may have is a part of what all may have';
const A_PACKET = 'a packet of the allowed size would have no room';

/** The first must not be more than the second. */
const AT_MOST: readonly (readonly [Key, Key, string])[] = [
  ['connectBytesMax', 'unknownBytesMax', A_PACKET],
  ['packetBytesMax', 'partialBytesPerDeviceMax', A_PACKET],
  ['packetBytesMax', 'queueBytesPerSessionMax', A_PACKET],
  ['pendingBytesPerConnectionMax', 'pendingBytesPerDeviceMax', A_PART],
  ['pendingBytesPerDeviceMax', 'pendingBytesMax', A_PART],
  ['partialBytesPerDeviceMax', 'partialBytesMax', A_PART],
  ['unknownBytesMax', 'partialBytesMax', A_PART],
  ['outboundBytesPerConnectionMax', 'outboundBytesPerDeviceMax', A_PART],
  ['outboundBytesPerDeviceMax', 'outboundBytesMax', A_PART],
  ['queueBytesPerSessionMax', 'queueBytesPerDeviceMax', A_PART],
  ['queueBytesPerDeviceMax', 'queueBytesMax', A_PART],
  ['subscriptionBytesPerDeviceMax', 'subscriptionBytesPerOrganizationMax', A_PART],
  ['subscriptionBytesPerOrganizationMax', 'subscriptionBytesMax', A_PART],
  ['retainedBytesPerDeviceMax', 'retainedBytesPerOrganizationMax', A_PART],
  ['retainedBytesPerOrganizationMax', 'retainedBytesMax', A_PART],
  ['sessionsPerDeviceMax', 'sessionsMax', A_PART],
];

/** Sentences about limits that contradict each other; empty where none do. */
export function brokerConflicts(settings: BrokerSettings): string[] {
  return AT_MOST.filter(([less, more]) => settings[less] > settings[more]).map(
    ([less, more, why]) =>
      `broker.${less} (${settings[less]}) is more than broker.${more} (${settings[more]}), but ${why}; lower the one or raise the other`,
  );
}
