/**
 * Line 28: SQL and DuckDB statements in every place where a caller can put a text: names, keys, patterns, parameters, readings.
 * None may be run: no file is read or written, no row of another is answered, nothing is missing afterwards, and no answer is a
 * 5xx or speaks of SQL. That the store's own connections refuse such statements is packages/store/src/duckdb/locked.test.ts.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiSession, type DeviceCredentials, eventually } from '../tests/support/api-session.ts';
import { type RunningServer, startServer, temporaryFolder } from '../tests/support/server-process.ts';
import type { Outcome, ScorecardLine } from './line.ts';

const SECRET = 'hunter2-canary';
const SPEAKS_OF_SQL =
  /syntax error|parser error|binder error|catalog error|duckdb|sqlstate|relation "|unterminated|does not exist at character/i;

export const injection: ScorecardLine = {
  number: 28,
  what: 'SQL and DuckDB',
  must: '0 statements run from any text door; no file read or written',
  async run() {
    const folder = temporaryFolder('injection');
    const server = await startServer({ dataDir: join(folder.path, 'data') });
    try {
      return await judge(server, folder.path);
    } finally {
      await server.stop();
      folder.remove();
    }
  },
};

/** What is tried; {secret} is a file that could be read, {out} one that could be written. */
function statements(secret: string, out: string): string[] {
  const run = [
    `COPY (SELECT 1) TO '${out}'`,
    `COPY samples TO '${out}' (FORMAT csv)`,
    `COPY (SELECT 1) TO PROGRAM 'touch ${out}'`,
    `ATTACH '${out}'`,
    'INSTALL httpfs',
    `LOAD '${secret}'`,
    `EXPORT DATABASE '${out}'`,
    `SELECT * FROM read_csv('${secret}')`,
    `SELECT * FROM read_text('${secret}')`,
    `SELECT pg_read_file('${secret}')`,
    'SET enable_external_access = true',
    'SET ROLE postgres',
    'DROP TABLE series',
    'DROP TABLE latest',
    'DROP SCHEMA fieldline CASCADE',
    'DELETE FROM files',
    'DELETE FROM fieldline.devices',
    "UPDATE fieldline.users SET password_hash = ''",
    'SELECT pg_sleep(20)',
  ];
  const around = [
    (sql: string) => `'; ${sql}; --`,
    (sql: string) => `"; ${sql}; --`,
    (sql: string) => `); ${sql}; --`,
    (sql: string) => `x' UNION ALL ${sql} --`,
    (sql: string) => `1; ${sql}`,
    (sql: string) => `$$; ${sql}; $$`,
  ];
  const classic = [
    "' OR '1'='1",
    "' OR 1=1 --",
    '" OR ""="',
    "admin'--",
    "') OR ('a'='a",
    '1 OR 1=1',
    "' AND (SELECT count(*) FROM fieldline.users) > 0 --",
    "'||(SELECT email FROM fieldline.users LIMIT 1)||'",
    "\\'; DROP TABLE series; --",
    '%27%20OR%201=1--',
    "x'/**/OR/**/1=1#",
    '{{7*7}}',
  ];
  return [...classic, ...run.flatMap((sql) => around.map((wrap) => wrap(sql)))];
}

interface Door {
  readonly name: string;
  readonly call: (text: string) => Promise<Response>;
}

async function judge(server: RunningServer, folder: string): Promise<Outcome> {
  const secret = join(folder, 'secret.csv');
  const out = join(folder, 'out');
  writeFileSync(secret, `password\n${SECRET}\n`);
  const api = await ApiSession.signIn(server.url);
  const witness = await api.createDevice('witness');
  const { key } = await api.call<{ key: string }>('POST', 'api-keys', { name: 'injection', scopes: ['ingest'] });
  await send(server, key, { deviceId: witness.key, ts: Date.now() - 1000, metrics: { n: 42 } });
  await eventually('the witness', async () => ((await witnessed(api, witness)) === 42 ? true : null));
  const findings: string[] = [];
  const texts = statements(secret, out);
  const all = doors(server, api, key, witness);
  for (const door of all) {
    for (const text of texts) {
      const startedMs = performance.now();
      const answer = await door.call(text);
      const body = await answer.text();
      const fault = faultOf(
        answer.status,
        body.replaceAll(JSON.stringify(text).slice(1, -1), ''),
        performance.now() - startedMs,
      );
      if (fault !== null) findings.push(`${door.name}: ${fault} for ${text}`);
    }
  }
  if (existsSync(out)) findings.push('a file was written');
  await eventually('the pipeline', async () => ((await lagOf(api)) === 0 ? true : null), 60_000);
  if ((await witnessed(api, witness)) !== 42) findings.push("the witness's sample has gone");
  const ready = (await fetch(`${server.url}/health/ready`)).status;
  if (ready !== 200) findings.push(`/health/ready answers ${ready}`);
  return {
    passed: findings.length === 0,
    figure: `${findings.length} of ${all.length * texts.length} tries at ${all.length} doors`,
    findings: findings.slice(0, 20),
  };
}

function doors(server: RunningServer, api: ApiSession, key: string, witness: DeviceCredentials): Door[] {
  const query = (path: string, parameter: string): Door => ({
    name: `GET ${path} ${parameter}`,
    call: (text) => api.raw('GET', `${path}${path.includes('?') ? '&' : '?'}${parameter}=${encodeURIComponent(text)}`),
  });
  const path = (method: string, make: (text: string) => string): Door => ({
    name: `${method} ${make('…')}`,
    call: (text) => api.raw(method, make(encodeURIComponent(text))),
  });
  const body = (method: string, to: string, make: (text: string) => unknown): Door => ({
    name: `${method} ${to} ${JSON.stringify(make('…'))}`,
    call: (text) => api.raw(method, to, make(text)),
  });
  const reading = (make: (text: string) => object): Door => ({
    name: `webhook ${JSON.stringify(make('…'))}`,
    call: (text) => send(server, key, make(text)),
  });
  const series = `telemetry/device/${witness.id}`;
  const mapping = { name: 'm', pattern: 'x/{device}', codec: 'json', device: '{device}', metric: '{metric}' };
  return [
    query(`${series}?startTime=2026-01-01T00:00:00Z`, 'metricKey'),
    query(`${series}?metricKey=n`, 'startTime'),
    query(`${series}?metricKey=n`, 'aggregation'),
    query(`${series}?metricKey=n`, 'timeZone'),
    query(`${series}?metricKey=n`, 'cursor'),
    query(`${series}?metricKey=n`, 'limit'),
    query('devices', 'search'),
    query('devices', 'kind'),
    query('devices', 'cursor'),
    query('dead-letters', 'code'),
    query('dead-letters', 'deviceId'),
    query('dead-letters', 'cursor'),
    query('events', 'type'),
    query('events', 'subjectId'),
    query('audit', 'action'),
    query('audit', 'subjectKind'),
    query('audit', 'subjectId'),
    path('GET', (text) => `devices/${text}`),
    path('GET', (text) => `telemetry/device/${text}/latest`),
    path('GET', (text) => `telemetry/device/${text}?metricKey=n`),
    path('DELETE', (text) => `devices/${text}`),
    path('GET', (text) => `dead-letters/${text}`),
    path('GET', (text) => `webhook/status/${text}`),
    body('POST', 'auth/login', (text) => ({ email: text, password: text })),
    body('POST', 'devices', (text) => ({ key: text, name: 'x', kind: 'sensor' })),
    body('POST', 'devices', (text) => ({ name: text, kind: 'sensor', serialNumber: text, tags: [text] })),
    body('PATCH', `devices/${witness.id}`, (text) => ({ name: text, attributes: { [text]: text } })),
    body('POST', 'sites', (text) => ({ name: text, timeZone: text })),
    body('POST', 'mappings', (text) => ({ ...mapping, pattern: text })),
    body('POST', 'mappings', (text) => ({ ...mapping, device: text, metric: text })),
    body('POST', 'mappings', (text) => ({ ...mapping, codec: text })),
    body('POST', 'api-keys', (text) => ({ name: text, scopes: ['ingest'] })),
    reading((text) => ({ deviceId: text, metrics: { n: 1 } })),
    reading((text) => ({ deviceId: witness.key, metrics: { [text]: 1 } })),
    reading((text) => ({ deviceId: witness.key, metrics: { text } })),
    reading((text) => ({ deviceId: witness.key, metrics: { u: { value: 1, unit: text } } })),
    reading((text) => ({ deviceId: witness.key, ts: text, metrics: { n: 1 } })),
    { name: 'import', call: (text) => send(server, key, { deviceId: text, metrics: { n: 1 } }, 'import') },
  ];
}

/** What is wrong with an answer (without the text that was sent); null where nothing is. */
function faultOf(status: number, body: string, durationMs: number): string | null {
  if (status >= 500) return `HTTP ${status}`;
  if (body.includes(SECRET)) return 'a file was read';
  if (durationMs > 15_000) return 'it slept';
  const spoken = SPEAKS_OF_SQL.exec(body);
  return spoken === null ? null : `the answer speaks of "${spoken[0]}"`;
}

function send(server: RunningServer, key: string, body: object, source = 'simulator'): Promise<Response> {
  return fetch(`${server.url}/api/v1/webhook/sensor-data`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': key, 'x-fieldline-source': source },
    body: JSON.stringify(body),
  });
}

async function witnessed(api: ApiSession, { id }: DeviceCredentials): Promise<number | undefined> {
  const samples = await api.samples(id, 'n', Date.now() - 3_600_000, Date.now());
  return samples[0]?.[1];
}

async function lagOf(api: ApiSession): Promise<number> {
  return (await api.call<{ lag: { records: number } }>('GET', 'pipeline/health')).lag.records;
}
