import { FieldlineError } from '@fieldline/kit';
import { describe, expect, it } from 'vitest';
import { parseCredentials } from './credentials.ts';
import { demoPlant, demoScenario } from './demo-plant.ts';
import { parseScenario } from './scenario.ts';

function problem(yaml: string): string {
  try {
    parseScenario(yaml, 's.yaml');
  } catch (error) {
    if (error instanceof FieldlineError && error.code === 'CONFIG_INVALID') return error.message;
    throw error;
  }
  return 'accepted';
}

const device = (more: string): string => `devices:\n  - key: a\n${more.replace(/^/gm, '    ')}\n`;

describe('scenario: problems are told with line and path', () => {
  for (const [name, yaml, answer] of [
    ['no YAML', 'devices: [', /^s.yaml: /],
    ['no devices', 'name: x', /^s.yaml:1: file: must have required properties devices$/],
    ['a key that is not known', device('colour: red\nmetrics: {}'), /^s.yaml:2: devices\[0\]: does not know colour$/],
    ['neither metrics nor replay', device('format: json'), /:2: devices\[0\]: needs metrics or replay$/],
    ['both', device('metrics: {}\nreplay: { file: x }'), /:2: devices\[0\]: has both metrics and replay/],
    ['a wrong rate', device('ratePerSecond: 0\nmetrics: {}'), /:3: devices\[0\].ratePerSecond: must be > 0$/],
    [
      'an unknown format',
      device('format: xml\nmetrics: {}'),
      /devices\[0\].format: must be "json" or must be "protobuf"$/,
    ],
    [
      'an unknown pattern',
      device('metrics:\n  t: { pattern: cosine }'),
      /:4: devices\[0\].metrics.t.pattern: must be "constant" or must be "sine" or .*"breach"$/,
    ],
    [
      'a parameter that is missing',
      device('metrics:\n  t: { pattern: sine, mean: 1, periodMs: 5 }'),
      /:4: devices\[0\].metrics.t: must have required properties amplitude$/,
    ],
    [
      'a parameter of another pattern',
      device('metrics:\n  t: { pattern: constant, value: 1, amplitude: 2 }'),
      /:4: devices\[0\].metrics.t: does not know amplitude$/,
    ],
    [
      'the same key twice',
      `${device('metrics: {}')}  - key: a\n    metrics: {}\n`,
      /:4: devices\[1\].key: "a" stands twice$/,
    ],
    ['a key that is no topic level', 'devices: [{ key: a/b, metrics: {} }]', /devices\[0\].key: must match pattern/],
  ] as const) {
    it(name, () => expect(problem(yaml)).toMatch(answer));
  }

  it('tells several at once', () => {
    expect(problem(device('count: 0\nratePerSecond: -1\nmetrics: {}')).split('\n')).toHaveLength(2);
  });

  it('takes JSON as well', () => {
    expect(parseScenario('{"devices":[{"key":"a","metrics":{}}]}').devices[0]!.key).toBe('a');
  });
});

describe('credentials', () => {
  it('are read and checked', () => {
    expect(parseCredentials('{"organization":"x","devices":{"a":{"token":"t"}}}').devices.a).toEqual({ token: 't' });
    expect(() => parseCredentials('{"devices":{"a":{"password":"t"}}}', 'c.json')).toThrow(
      /c.json:1: devices.a: does not know password/,
    );
  });
});

describe('demo plant', () => {
  it('has a device for each part of its scenario, at one of its sites, with the metrics that are sent', () => {
    const plant = demoPlant();
    const scenario = demoScenario();
    expect(scenario.organization).toBe(plant.organization.slug);
    expect(plant.devices.map(({ key }) => key)).toEqual(scenario.devices.map(({ key }) => key));
    for (const { key, site, metrics } of plant.devices) {
      expect(plant.sites.map((one) => one.key)).toContain(site);
      const settings = scenario.devices.find((one) => one.key === key)!;
      const prefix = settings.format === 'protobuf' ? `${settings.sensorType}.` : '';
      const mapping = settings.replay?.mapping as { columns: { column: string; metric?: string; unit?: string }[] };
      const sent = settings.metrics
        ? Object.entries(settings.metrics).map(([metric, { unit = '' }]) => [prefix + metric, unit])
        : mapping.columns.map(({ column, metric = column, unit = '' }) => [metric, unit]);
      expect(metrics.map((metric) => [metric.key, metric.unit])).toEqual(sent);
    }
  });
});
