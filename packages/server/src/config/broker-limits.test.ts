import { DEFAULT_LIMITS } from '@fieldline/broker';
import { expect, test } from 'vitest';
import { brokerConflicts, brokerLimits } from './broker-limits.ts';
import { loadConfig } from './load.ts';

/** Limits of the broker that nobody needs to set. */
const NO_SETTINGS = ['cachedTopicsMax', 'closeTimeoutMs'];

const broker = (environment: Record<string, string> = {}) => loadConfig({ environment }).config.broker;

test('every limit of the broker is a setting, with the same default', () => {
  const limits: Record<string, unknown> = brokerLimits(broker());
  for (const [name, value] of Object.entries(DEFAULT_LIMITS)) {
    if (!NO_SETTINGS.includes(name)) expect(limits[name], name).toBe(value);
  }
  expect(Object.keys(limits).length).toBe(Object.keys(DEFAULT_LIMITS).length - NO_SETTINGS.length);
});

test('what is set reaches the broker, in its units', () => {
  const settings = broker({
    FIELDLINE_BROKER_KEEP_ALIVE_MAX_SECONDS: '60',
    FIELDLINE_BROKER_SESSION_EXPIRY_MAX_SECONDS: '3600',
    FIELDLINE_BROKER_PACKET_TIMEOUT_SECONDS: '5',
    FIELDLINE_BROKER_RECEIVE_MAXIMUM: '20',
    FIELDLINE_BROKER_QUEUE_BYTES_PER_SESSION_MAX: '2097152',
  });
  expect(brokerLimits(settings)).toMatchObject({
    keepAliveMaxS: 60,
    sessionExpiryMaxS: 3_600,
    packetTimeoutMs: 5_000,
    receiveMaximum: 20,
    queueBytesPerSessionMax: 2_097_152,
  });
});

test('limits that contradict each other are refused with a sentence that names both', () => {
  expect(() => broker({ FIELDLINE_BROKER_PACKET_BYTES_MAX: '67108864' })).toThrow(
    'broker.packetBytesMax (67108864) is more than broker.queueBytesPerSessionMax (4194304), but a packet of the allowed size would have no room',
  );
  const settings = { ...broker(), queueBytesPerDeviceMax: 200 * 1024 * 1024, sessionsMax: 10 };
  expect(brokerConflicts(settings)).toEqual([
    expect.stringContaining('broker.queueBytesPerDeviceMax (209715200) is more than broker.queueBytesMax (134217728)'),
    expect.stringContaining('broker.sessionsPerDeviceMax (100) is more than broker.sessionsMax (10)'),
  ]);
});
