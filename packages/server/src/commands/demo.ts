/**
 * `fieldline demo`: a server with the demo plant in it, its devices simulated by a separate program over real MQTT. The first
 * run makes organisation, sites and devices and sends their recent past; later runs find them and go on.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Catalog } from '@fieldline/catalog';
import type { SeriesRequest } from '@fieldline/model';
import { type Credentials, DEMO_FILES, type DemoPlant, demoPlant, parseCredentials } from '@fieldline/simulator';
import { type ConfigSources, loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { Server } from '../server.ts';
import { passwordLines, runServer, untilStopped } from './start.ts';

const COMMAND_LINE = fileURLToPath(new URL('../cli.ts', import.meta.url));
const CREDENTIALS_FILE = 'demo-credentials.json';

/** Runs the demo until it is stopped. */
export async function demoCommand(sources: ConfigSources): Promise<void> {
  const loaded = loadConfig(sources);
  // The terminal is for people here; whoever wants the log sets its level.
  const quiet = loaded.origins.get('logLevel') === 'default';
  const config: Config = quiet ? { ...loaded.config, logLevel: 'warn' } : loaded.config;
  const plant = demoPlant();
  const server = await runServer(config, { organization: plant.organization });
  const { credentialsFile, isNew } = await provision(server.catalog, plant, config.dataDir);
  const simulator = startSimulator(server, credentialsFile, isNew);
  tellPeople(config, server, plant, isNew);
  await untilStopped(config, server, () => ended(simulator));
}

/** Makes what is not there yet. The tokens stand in a file in the data folder, readable by its owner only. */
async function provision(
  catalog: Catalog,
  plant: DemoPlant,
  dataDir: string,
): Promise<{ credentialsFile: string; isNew: boolean }> {
  const credentialsFile = join(dataDir, CREDENTIALS_FILE);
  const organization =
    (await catalog.system.organizations.find(plant.organization.slug)) ??
    (await catalog.system.organizations.create(plant.organization));
  const scoped = catalog.scoped({ organizationId: organization.id, siteIds: null });
  const siteIds = new Map((await scoped.sites.list({ limit: 500 })).items.map(({ name, id }) => [name, id]));
  for (const { name, timeZone } of plant.sites) {
    if (!siteIds.has(name)) siteIds.set(name, (await scoped.sites.create({ name, timeZone })).id);
  }
  const known = existsSync(credentialsFile)
    ? parseCredentials(readFileSync(credentialsFile, 'utf8'), CREDENTIALS_FILE)
    : null;
  const devices: Record<string, Credentials['devices'][string]> = {};
  const series: SeriesRequest[] = [];
  for (const device of plant.devices) {
    const existing = await scoped.devices.get(device.key);
    if (existing !== null && known?.devices[device.key] !== undefined) {
      devices[device.key] = known.devices[device.key]!;
      continue;
    }
    const siteName = plant.sites.find(({ key }) => key === device.site)?.name ?? '';
    const made =
      existing === null
        ? await scoped.devices.create({
            key: device.key,
            name: device.name,
            kind: device.kind,
            siteId: siteIds.get(siteName) ?? null,
            attributes: { description: device.description },
          })
        : await scoped.devices.rotateToken(existing.id);
    devices[device.key] = { username: made.device.id, token: made.token };
    // Metrics without a unit register themselves with their first value, which tells their kind.
    for (const metric of device.metrics.filter(({ unit }) => unit !== '')) {
      series.push({
        organizationId: organization.id,
        subjectKind: 'device',
        subjectId: made.device.id,
        metricKey: metric.key,
        valueKind: 'number',
        unit: metric.unit,
      });
    }
  }
  if (series.length > 0) await catalog.system.feed.registerSeries(series);
  const credentials: Credentials = { organization: organization.slug, devices };
  writeFileSync(credentialsFile, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600 });
  return { credentialsFile, isNew: known === null };
}

function startSimulator(server: Server, credentialsFile: string, withHistory: boolean): ChildProcess {
  const [host, port] = splitAddress(server.mqttAddress);
  const child = spawn(
    process.execPath,
    [
      COMMAND_LINE,
      'simulate',
      DEMO_FILES.scenario,
      ...['--host', host, '--port', port, '--credentials', credentialsFile, '--quiet'],
      ...(withHistory ? [] : ['--no-history']),
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  child.on('exit', (code, signal) => {
    if (code !== 0 && signal === null)
      console.error(`fieldline: the simulator has ended with code ${code}; the server goes on without it`);
  });
  return child;
}

function splitAddress(address: string): [host: string, port: string] {
  const colon = address.lastIndexOf(':');
  return [address.slice(0, colon), address.slice(colon + 1)];
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  await exit;
}

function tellPeople(config: Config, server: Server, plant: DemoPlant, isNew: boolean): void {
  const lines = ['', '  Fieldline is running, with a demo plant.', ''];
  lines.push(`  Web UI           ${server.apiUrl}    (API reference: ${server.apiUrl}/docs)`);
  lines.push(`  MQTT             ${server.mqttAddress}`, `  Data             ${config.dataDir}`, '');
  lines.push(...passwordLines(config, server));
  if (server.generatedPassword === null && !isNew)
    lines.push(`  Sign in as       ${config.admin.email}, with the password of the first start`, '');
  lines.push(
    '  What to look at',
    ...plant.highlights.map((highlight) => `   · ${highlight}`),
    '',
    '  Ctrl-C stops it; the next start goes on with the same data.',
    '',
  );
  console.error(lines.join('\n'));
}
