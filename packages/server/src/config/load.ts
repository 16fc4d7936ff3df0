/**
 * Reads the configuration: defaults, then the YAML file, then environment variables, then what the command line says.
 * In comes what stands there; out goes a whole, valid Config with the origin of every value, or a CONFIG_INVALID error
 * that names each wrong key, what it got and what it takes.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { FieldlineError, messageOf } from '@fieldline/kit';
import Value from 'typebox/value';
import { parse } from 'yaml';
import { bridgeProblems } from './bridge-address.ts';
import { brokerConflicts } from './broker-limits.ts';
import { type Config, ROLES, type Setting, settings } from './schema.ts';

export interface LoadedConfig {
  readonly config: Config;
  /** Setting path ('broker.port') → where its value came from ('default', the file's name, a variable's name, 'command line'). */
  readonly origins: ReadonlyMap<string, string>;
}

export interface ConfigSources {
  /** Path of the YAML file; must exist where it is named. Default: FIELDLINE_CONFIG, then ./fieldline.yaml where there is one. */
  readonly file?: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Values by setting path, from the command line. */
  readonly overrides?: Readonly<Record<string, string | number | boolean | undefined>>;
}

const DEFAULT_FILE = 'fieldline.yaml';
/** Variables of that prefix that are no settings. */
const OTHER_VARIABLES = /^FIELDLINE_(CONFIG|TEST_|BENCH_|DEMO_|CI_|IMPORT_|NODE)/;

/** Loads and checks the configuration. Throws CONFIG_INVALID with all problems at once. */
export function loadConfig(sources: ConfigSources = {}): LoadedConfig {
  const environment = sources.environment ?? process.env;
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  const origins = new Map<string, string>();
  const known = settings();
  for (const setting of known) put(values, origins, setting.path, structuredClone(setting.schema.default), 'default');
  readFile(fileOf(sources, environment), known, values, origins, problems);
  readEnvironment(environment, known, values, origins, problems);
  for (const [path, value] of Object.entries(sources.overrides ?? {})) {
    const setting = known.find((candidate) => candidate.path.join('.') === path);
    if (setting !== undefined && value !== undefined) {
      put(values, origins, setting.path, convert(setting, value), 'command line');
    }
  }
  for (const setting of known) problems.push(...problemsOf(setting, values, origins));
  if (problems.length === 0) problems.push(...conflicts(values as Config));
  if (problems.length > 0) {
    throw new FieldlineError('CONFIG_INVALID', `the configuration is not valid:\n  ${problems.join('\n  ')}`);
  }
  const config = values as Config;
  return { config: { ...config, dataDir: resolve(config.dataDir) }, origins };
}

function fileOf(sources: ConfigSources, environment: Readonly<Record<string, string | undefined>>): string | null {
  const named = sources.file ?? environment.FIELDLINE_CONFIG;
  if (named !== undefined && named !== '') return named;
  return existsSync(DEFAULT_FILE) ? DEFAULT_FILE : null;
}

function readFile(
  file: string | null,
  known: readonly Setting[],
  values: Record<string, unknown>,
  origins: Map<string, string>,
  problems: string[],
): void {
  if (file === null) return;
  let content: unknown;
  try {
    content = parse(readFileSync(file, 'utf8')) ?? {};
  } catch (error) {
    problems.push(`${file}: cannot be read as YAML: ${messageOf(error)}`);
    return;
  }
  if (typeof content !== 'object' || Array.isArray(content)) {
    problems.push(`${file}: got ${Array.isArray(content) ? 'a list' : 'a text'}; it takes sections such as "broker:"`);
    return;
  }
  walk(content, [], (path, value) => {
    const name = path.join('.');
    if (known.some((candidate) => candidate.path.join('.') === name)) put(values, origins, path, value, file);
    else if (!isSection(name, known)) problems.push(`${file}: there is no setting ${name}${guess(path, known)}`);
    // A section of which every line is commented out says nothing, and neither does {}.
    else if (value !== null && !isEmpty(value))
      problems.push(`${file}: ${name} is a section; its settings stand below it, indented`);
  });
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && !Array.isArray(value) && Object.keys(value as object).length === 0;
}

function isSection(name: string, known: readonly Setting[]): boolean {
  return known.some((setting) => setting.path.join('.').startsWith(`${name}.`));
}

function readEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  known: readonly Setting[],
  values: Record<string, unknown>,
  origins: Map<string, string>,
  problems: string[],
): void {
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith('FIELDLINE_') || value === undefined || OTHER_VARIABLES.test(name)) continue;
    const setting = known.find((candidate) => candidate.environmentVariable === name);
    if (setting === undefined) problems.push(`${name}: there is no such setting; \`fieldline config\` lists them`);
    else if (value !== '') put(values, origins, setting.path, convert(setting, value), name);
  }
}

/** Leaves of a YAML document with their paths; arrays and sections without anything in them count as leaves. */
function walk(value: unknown, path: string[], leaf: (path: string[], value: unknown) => void): void {
  const entries = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
  for (const [key, inner] of entries) walk(inner, [...path, key], leaf);
  if (entries.length === 0 && path.length > 0) leaf(path, value);
}

/** Texts of the environment and the command line in the type that the setting has. */
function convert(setting: Setting, value: string | number | boolean): unknown {
  const { type } = setting.schema;
  if (type === 'array') {
    return String(value)
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  }
  if (type === 'integer' && typeof value === 'string' && /^-?\d+$/.test(value.trim())) return Number(value);
  if (type === 'boolean' && typeof value === 'string' && /^(true|false)$/i.test(value)) return /^true$/i.test(value);
  return value;
}

function put(
  values: Record<string, unknown>,
  origins: Map<string, string>,
  path: readonly string[],
  value: unknown,
  origin: string,
): void {
  let at = values;
  for (const key of path.slice(0, -1)) {
    at[key] ??= {};
    at = at[key] as Record<string, unknown>;
  }
  at[path.at(-1)!] = value;
  origins.set(path.join('.'), origin);
}

function problemsOf(setting: Setting, values: Record<string, unknown>, origins: ReadonlyMap<string, string>): string[] {
  const path = setting.path.join('.');
  const value = setting.path.reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], values);
  if (Value.Check(setting.schema, value)) return [];
  return [`${path} (from ${origins.get(path)}): got ${JSON.stringify(value)}; it takes ${describeType(setting)}`];
}

/** What a setting takes, in words. */
export function describeType(setting: Setting): string {
  const { schema } = setting;
  if (schema.type === 'array') {
    const { items } = schema as { items?: { enum?: readonly string[] } };
    return items?.enum === undefined ? 'a list of texts' : `a list of ${items.enum.join(', ')}`;
  }
  if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`;
  if (schema.type === 'integer') return `a whole number from ${schema.minimum} to ${schema.maximum}`;
  return schema.type === 'boolean' ? 'true or false' : 'a text';
}

function guess(path: readonly string[], known: readonly Setting[]): string {
  const near = known.find((setting) => setting.path.at(-1) === path.at(-1));
  return near === undefined ? '' : `; did you mean ${near.path.join('.')}?`;
}

function conflicts(config: Config): string[] {
  const problems: string[] = [];
  const split = ROLES.some((role) => !config.roles.includes(role));
  const embedded = [
    config.log.adapter === 'embedded' ? 'log.adapter embedded' : '',
    config.store.adapter === 'duckdb' ? 'store.adapter duckdb' : '',
    config.catalog.adapter === 'pglite' ? 'catalog.adapter pglite' : '',
  ].filter((name) => name !== '');
  if (split && embedded.length > 0) {
    problems.push(
      `roles: ${config.roles.join(',')} is only a part of ${ROLES.join(',')}, but ${embedded.join(', ')} belong to one process; ` +
        'run all roles in this process (leave roles out), or choose adapters that several processes can share',
    );
  }
  if ((config.broker.tls.certFile === '') !== (config.broker.tls.keyFile === '')) {
    problems.push('broker.tls: certFile and keyFile go together; set both or neither');
  }
  problems.push(...brokerConflicts(config.broker), ...bridgeProblems(config.connectors.mqtt));
  if (config.catalog.adapter === 'postgres' && config.catalog.url === '') {
    problems.push('catalog.url: adapter postgres needs postgres://user:password@host:5432/database');
  }
  return problems;
}
