/**
 * The demo plant that ships with the product: what is to be created (organisation, sites, devices, series) and the
 * scenario that brings it to life. Whoever creates the devices writes their tokens into a credentials file.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Static, Type } from 'typebox';
import { checked, parseYaml } from './checked-yaml.ts';
import { parseScenario, type Scenario } from './scenario.ts';

const strict = { additionalProperties: false };
const text = Type.String({ minLength: 1 });
const key = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$' });

const metric = Type.Object(
  {
    /** Metric key of the series: for protobuf with the topic's sensor type in front. */
    key: text,
    name: text,
    /** UCUM code; '' where the metric has none. */
    unit: Type.String(),
  },
  strict,
);

const device = Type.Object(
  {
    key,
    name: text,
    kind: Type.Union(['robot', 'plc', 'sensor', 'gateway', 'machine', 'other'].map((kind) => Type.Literal(kind))),
    /** Key of the site. */
    site: text,
    description: text,
    metrics: Type.Array(metric),
  },
  strict,
);

const plant = Type.Object(
  {
    organization: Type.Object({ name: text, slug: key }, strict),
    sites: Type.Array(Type.Object({ key, name: text, timeZone: text }, strict)),
    devices: Type.Array(device),
    /** What to look at first, for people. */
    highlights: Type.Array(text),
  },
  strict,
);

export type DemoDevice = Omit<Static<typeof device>, 'kind'> & {
  readonly kind: 'robot' | 'plc' | 'sensor' | 'gateway' | 'machine' | 'other';
};
export type DemoPlant = Omit<Static<typeof plant>, 'devices'> & { readonly devices: readonly DemoDevice[] };

const FOLDER = path.join(import.meta.dirname, '../demo');

/** Files of the demo, absolute. Data files come with their licence and attribution beside them. */
export const DEMO_FILES = {
  folder: FOLDER,
  plant: path.join(FOLDER, 'plant.yaml'),
  scenario: path.join(FOLDER, 'scenario.yaml'),
  ur3: path.join(FOLDER, 'data/ur3/ur3-cobotops.csv'),
  machineTemperature: path.join(FOLDER, 'data/nab/machine_temperature_system_failure.csv'),
} as const;

/** What the demo consists of. */
export function demoPlant(): DemoPlant {
  return checked(plant, parseYaml(readFileSync(DEMO_FILES.plant, 'utf8'), 'plant.yaml')) as DemoPlant;
}

/** What the demo's devices say. Run it with folder: DEMO_FILES.folder. */
export function demoScenario(): Scenario {
  return parseScenario(readFileSync(DEMO_FILES.scenario, 'utf8'), 'scenario.yaml');
}
