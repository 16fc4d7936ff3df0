/** `fieldline config`: every setting, its value and where it came from. Secrets are shown as set or not set. */
import { loadConfig } from '../config/load.ts';
import { settings } from '../config/schema.ts';

const SECRETS = new Set([
  'admin.password',
  'connectors.mqtt.password',
  'catalog.secretKey',
  'catalog.url',
  'catalog.migrationUrl',
]);

/** Prints the settings in force as a table, or as JSON. */
export function configCommand(sources: Parameters<typeof loadConfig>[0], asJson: boolean): void {
  const { config, origins } = loadConfig(sources);
  const rows = settings().map(({ path }) => {
    const name = path.join('.');
    const value = path.reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], config);
    const shown = SECRETS.has(name) && value !== '' ? '(set)' : value;
    return { name, value: shown, origin: origins.get(name) ?? 'default' };
  });
  if (asJson) {
    console.log(
      JSON.stringify(Object.fromEntries(rows.map(({ name, value, origin }) => [name, { value, origin }])), null, 2),
    );
    return;
  }
  const width = Math.max(...rows.map(({ name }) => name.length));
  for (const { name, value, origin } of rows) {
    const text = Array.isArray(value) ? value.join(',') : String(value);
    console.log(`${name.padEnd(width)}  ${text.padEnd(28)}  ${origin}`);
  }
}
