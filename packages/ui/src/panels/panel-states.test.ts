/** The thinking parts of the smaller panels. */
import { describe, expect, it } from 'vitest';
import { extendTrail } from '../api/use-pipeline.ts';
import { sparkPoints } from '../faces/Stat.tsx';
import { expiryAfter, keyState, scopeName } from './api-keys/panel-state.ts';
import { linesOf } from './connect-device/panel-state.ts';
import { bodyOf, EMPTY_FORM, isComplete, isKeyGood } from './create-device/panel-state.ts';
import { asHex, asText, bytesOf, readDeadLetterSearch } from './dead-letters/panel-state.ts';
import { overlay, qualityWord, rowsOf, takeNewest } from './latest-values/panel-state.ts';
import { bytesPerSample, lagTone } from './pipeline-health/panel-state.ts';

describe('latest values', () => {
  const latest = {
    deviceId: 'd',
    status: 'online' as const,
    lastSeen: null,
    metrics: {
      j10: { value: 1, timestamp: '1970-01-01T00:00:05Z', quality: 'good' as const, unit: 'A' },
      j2: { value: 2, timestamp: '1970-01-01T00:00:05Z', quality: 'good' as const, unit: 'A' },
    },
  };
  const frame = (time: number, value: number) => ({
    organizationId: 'o',
    deviceId: 'd',
    metrics: { j2: { timestamps: [time], values: [value], quality: [64] } },
  });

  it('sorts as people count, and lets newer live values win', () => {
    const newest = new Map();
    takeNewest(frame(6_000, 22), newest);
    takeNewest(frame(5_500, 21), newest);
    expect(overlay(rowsOf(latest), newest)).toEqual([
      { metricKey: 'j2', value: 22, time: 6_000, quality: 'uncertain', unit: 'A' },
      { metricKey: 'j10', value: 1, time: 5_000, quality: 'good', unit: 'A' },
    ]);
  });

  it('keeps what the store knew where the live value is older', () => {
    const newest = new Map();
    takeNewest(frame(1_000, 7), newest);
    expect(overlay(rowsOf(latest), newest)[0]!.value).toBe(2);
  });

  it.each([
    [192, 'good'],
    [216, 'good'],
    [64, 'uncertain'],
    [0, 'bad'],
    [24, 'bad'],
  ])('OPC %i is %s', (code, word) => expect(qualityWord(code)).toBe(word));
});

describe('connect lines', () => {
  const connect = {
    mqtt: { host: 'plant.local', port: 1883, tlsPort: 8883, username: 'id-1', clientId: 'press 4' },
    topics: { telemetry: 'v1/telemetry/o/id-1', protobuf: 'p' },
    http: { url: 'http://plant.local/x', header: 'X-API-Key' },
    examplePayload: '{"ts":1,"metrics":{"a":1.5,"on":true}}',
  };

  it('quotes for the shell and leaves the old time out', () => {
    const lines = linesOf('mosquitto', connect, "it's", '');
    expect(lines).toContain("-i 'press 4' -u id-1 \\\n  -P 'it'\\''s'");
    expect(lines).toContain(`-m '{"metrics":{"a":1.5,"on":true}}'`);
  });

  it('uses TLS where plain MQTT is not open', () => {
    const closed = { ...connect, mqtt: { ...connect.mqtt, port: null } };
    expect(linesOf('mosquitto', closed, 't', '')).toContain('--tls-use-os-certs -h plant.local -p 8883');
    expect(linesOf('node', closed, 't', '')).toContain('mqtts://plant.local:8883');
    expect(linesOf('python', closed, 't', '')).toContain('client.tls_set()');
  });

  it('writes Python words in Python, and the device into the HTTP body', () => {
    expect(linesOf('python', connect, 't', '')).toContain('"on":True');
    expect(linesOf('http', connect, 't', 'key')).toContain(`'{"deviceId":"id-1","metrics":{"a":1.5,"on":true}}'`);
  });
});

describe('new device', () => {
  it('sends what was filled in, and refuses keys that a topic could not carry', () => {
    expect(bodyOf({ ...EMPTY_FORM, name: ' Press 4 ' })).toEqual({ name: 'Press 4', kind: 'machine' });
    expect([isKeyGood(''), isKeyGood('press-4'), isKeyGood('a/b'), isKeyGood('+')]).toEqual([true, true, false, false]);
    expect(isComplete(EMPTY_FORM)).toBe(false);
  });
});

describe('dead letters', () => {
  const encoded = (text: string): Uint8Array => bytesOf(Buffer.from(text, 'latin1').toString('base64'));
  it('shows JSON indented, text as it is, and bytes in hex', () => {
    expect(asText(encoded('{"a":1}'))).toBe('{\n  "a": 1\n}');
    expect(asText(encoded('{"a":'))).toBe('{"a":');
    expect(asText(encoded('\u0000\u0001x'))).toBeNull();
    expect(asText(encoded('\u00ff\u00fe'))).toBeNull();
    expect(asHex(encoded('AB\u0000'))).toMatch(/^000000 {2}41 42 00 +AB\.$/);
  });

  it('opens only what can be a letter', () => {
    expect(readDeadLetterSearch({ letter: '0-12', code: 'X' })).toEqual({ letter: '0-12', code: 'X' });
    expect(readDeadLetterSearch({ letter: '../x', device: '' })).toEqual({});
  });
});

describe('pipeline', () => {
  it('colours lag by the age of what waits', () => {
    expect([lagTone(null), lagTone(1), lagTone(10), lagTone(600)]).toEqual([undefined, undefined, 'warn', 'bad']);
    expect(bytesPerSample({ sealedRows: 0, sealedBytes: 0 })).toBeNull();
    expect(bytesPerSample({ sealedRows: 100, sealedBytes: 160 })).toBe(1.6);
  });

  it('keeps five minutes of answers and begins anew after a pause', () => {
    const health = {
      rates: { samplesPerSecond: 1, recordsPerSecond: 1, deadLettersPerSecond: 0 },
      lag: { records: 0, seconds: null },
    } as Parameters<typeof extendTrail>[1];
    let trail = extendTrail([], health, 0);
    for (let time = 2_000; time < 1_000_000; time += 2_000) trail = extendTrail(trail, health, time);
    expect(trail).toHaveLength(150);
    expect(extendTrail(trail, health, 2_000_000)).toHaveLength(1);
  });

  it('draws a curve that ends at the right edge', () => {
    expect(sparkPoints([0, 5, 10], 100, 36).split(' ').at(-1)).toBe('100.0,4.0');
  });
});

describe('API keys', () => {
  it('tells active, expired and revoked apart', () => {
    const now = Date.parse('2026-01-02T00:00:00Z');
    expect(keyState({ revokedAt: null, expiresAt: null }, now)).toBe('active');
    expect(keyState({ revokedAt: null, expiresAt: '2026-01-01T00:00:00Z' }, now)).toBe('expired');
    expect(keyState({ revokedAt: '2026-01-01T00:00:00Z', expiresAt: null }, now)).toBe('revoked');
    expect(expiryAfter(1, now)).toBe('2026-01-03T00:00:00.000Z');
    expect(scopeName('new:right', {} as never)).toBe('new:right');
  });
});
