/**
 * The guide does what it says: every sh, js and python block of docs/guide is run as it stands, in the order of the pages, in one
 * shell against the real server. Blocks marked `stop` and `start` stop it and start it with the settings that they name; an html
 * block marked `browser` is the page hello/index.html, opened and filled in with Chromium.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ApiSession, eventually } from './support/api-session.ts';
import { openBrowser } from './support/browser.ts';
import { ADMIN_PASSWORD, type RunningServer, startServer, temporaryFolder } from './support/server-process.ts';
import { serveFolder } from './support/static-folder.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const data = temporaryFolder('guide-data');
/** Where the reader stands: Fieldline's folder, as far as the commands see. */
const here = temporaryFolder('guide');
let server: RunningServer;
let settings: Record<string, string>;

beforeAll(async () => {
  for (const name of ['bin', 'packages', 'node_modules']) symlinkSync(join(ROOT, name), join(here.path, name));
  server = await startServer({ dataDir: data.path, environment: { FIELDLINE_STORE_RAW_RETENTION_DAYS: '36500' } });
  settings = {
    FIELDLINE_API_PORT: new URL(server.url).port,
    FIELDLINE_BROKER_PORT: String(server.mqtt.port),
    FIELDLINE_BROKER_TLS_PORT: '0',
    FIELDLINE_BROKER_WS_PORT: '0',
    FIELDLINE_STORE_RAW_RETENTION_DAYS: '36500',
  };
  const variables = {
    URL: server.url,
    MQTT_HOST: server.mqtt.host,
    MQTT_PORT: server.mqtt.port,
    EMAIL: 'admin@fieldline.local',
    PASSWORD: ADMIN_PASSWORD,
    FIELDLINE_DATA_DIR: data.path,
  };
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}='${value}'\n`);
  writeFileSync(join(here.path, '.shell'), lines.join(''));
});
afterAll(async () => {
  await server?.stop();
  data.remove();
  here.remove();
});

interface Block {
  readonly line: number;
  readonly language: string;
  readonly mark: string;
  readonly body: string;
}

function blocksOf(page: string): Block[] {
  const source = readFileSync(join(ROOT, 'docs/guide', page), 'utf8');
  return [...source.matchAll(/^```(\w+)(?: (\w+))?\n([\s\S]*?)^```$/gm)].map((match) => ({
    line: source.slice(0, match.index).split('\n').length,
    language: match[1]!,
    mark: match[2] ?? '',
    body: match[3]!,
  }));
}

/** Runs a script in the reader's shell, which keeps its variables and functions from block to block. */
async function inShell(script: string): Promise<string> {
  writeFileSync(join(here.path, '.block'), script);
  const child = spawn(
    'bash',
    ['-c', 'set -eao pipefail; . ./.shell; . ./.block; { export -p; declare -f; } > .after; mv .after .shell'],
    { cwd: here.path, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  expect(code, `${script}\n${stdout}${stderr}`).toBe(0);
  return stdout;
}

async function run({ language, mark, body }: Block): Promise<void> {
  if (language === 'sh' && mark === 'start') await restart(body);
  else if (language === 'sh') await inShell(body);
  else if (language === 'js') await inShell(`node --input-type=module - <<'END_OF_BLOCK'\n${body}END_OF_BLOCK\n`);
  else if (language === 'python') await inShell(`python3 - <<'END_OF_BLOCK'\n${body}END_OF_BLOCK\n`);
  else if (language === 'html' && mark === 'browser') await sayHelloIn(body);
  if (mark === 'stop') expect(await server.stop()).toBe(0);
}

/** The page with its form filled in, until it shows what was retained for it and what it said itself. */
async function sayHelloIn(html: string): Promise<void> {
  writeFileSync(join(here.path, 'hello', 'index.html'), html);
  const site = await serveFolder(join(here.path, 'hello'));
  const browser = await openBrowser();
  try {
    const { page } = browser;
    await page.goto(site.url);
    const answers = await inShell('printf "%s\\n" "$MQTT_WS_URL" "$ORGANIZATION" "$DEVICE" "$TOKEN"');
    const [url, organization, device, token] = answers.split('\n');
    const fields = { url, organization, device, token };
    for (const [name, value] of Object.entries(fields)) await page.fill(`input[name=${name}]`, value!);
    await page.click('button');
    await eventually('the page to show both', async () => {
      expect(browser.faults).toEqual([]);
      return (await page.textContent('pre')) === 'from a program\nfrom a browser\n' ? true : null;
    });
  } finally {
    await browser.close();
    site.close();
  }
}

/** Stops the server and starts it with the settings that stand before the command. */
async function restart(command: string): Promise<void> {
  await server.stop();
  const named = [...command.matchAll(/^(FIELDLINE_\w+)=(\S+)/gm)].map(([, name, value]) => [
    name,
    /\.(pem|key)$/.test(value!) ? join(here.path, value!) : value,
  ]);
  server = await startServer({
    dataDir: data.path,
    environment: { ...settings, ...(Object.fromEntries(named) as Record<string, string>) },
  });
  if (server.mqttTlsPort !== null) await inShell(`MQTT_TLS_PORT=${server.mqttTlsPort}`);
  if (server.mqttWebSocketUrls.length > 0) await inShell(`MQTT_WS_URL=${server.mqttWebSocketUrls[0]}`);
}

const latest = async (device: string): Promise<Record<string, { value: unknown; unit: string; quality: string }>> => {
  const api = await ApiSession.signIn(server.url);
  const answer = await api.call<{ metrics: Record<string, { value: unknown; unit: string; quality: string }> }>(
    'GET',
    `telemetry/device/${device}/latest`,
  );
  return answer.metrics;
};

const becomes = (device: string, expected: object): Promise<unknown> =>
  eventually(`${device} to be ${JSON.stringify(expected)}`, async () => {
    const metrics = await latest(device).catch(() => ({}));
    return expect.objectContaining(expected).asymmetricMatch(metrics) ? true : null;
  });
const value = (expected: unknown) => expect.objectContaining({ value: expected });

test.each<[string, () => Promise<unknown>]>([
  [
    'connect-a-device.md',
    () => becomes('press-4', { temperature: value(24.5), pressure: value(4.2), running: value(1) }),
  ],
  [
    'topics-and-payloads.md',
    async () => {
      await becomes('press-4', { 'hydraulics/pressure': value(182.5), 'hall-2.oil/level': value(71.5) });
      await becomes('press-5', { temperature: value(25.5) });
    },
  ],
  [
    'import-history.md',
    () =>
      eventually('the history', async () => {
        const api = await ApiSession.signIn(server.url);
        const start = Date.parse('2025-11-20T08:00:00+01:00');
        const samples = await api.samples('press-4', 'pressure', start, start + 60_000);
        return JSON.stringify(samples.map(([, bar]) => bar)) === '[4.1,4.3]' ? true : null;
      }),
  ],
  ['dead-letters.md', () => becomes('press-6', { temperature: value(25.5) })],
  [
    'replay.md',
    async () => {
      const api = await ApiSession.signIn(server.url);
      const { items } = await api.call<{ items: { result: { samples: number } }[] }>('GET', 'jobs?status=completed');
      expect(items).toHaveLength(1);
      expect(items[0]!.result.samples).toBeGreaterThan(3);
    },
  ],
  [
    'audit.md',
    async () => {
      const api = await ApiSession.signIn(server.url);
      const { items } = await api.call<{ items: object[] }>('GET', 'audit?subjectKind=api-key&limit=1');
      expect(items).toMatchObject([{ action: 'create', after: { name: 'audit', scopes: ['audit:read'] } }]);
    },
  ],
  ['operation.md', () => becomes('press-6', { temperature: value(25.5) })],
  ['between-clients.md', () => becomes('press-4', { temperature: value(27.5) })],
  ['secure-connections.md', () => becomes('press-4', { temperature: value(26.5) })],
])('%s', async (page, check) => {
  const blocks = blocksOf(page);
  expect(blocks.length).toBeGreaterThan(0);
  for (const block of blocks) {
    await run(block).catch((error: Error) => {
      throw new Error(`docs/guide/${page}:${block.line}: ${error.message}`, { cause: error });
    });
  }
  await check();
});

test('what was backed up starts', async () => {
  await server.stop();
  server = await startServer({ dataDir: join(here.path, 'backup') });
  await becomes('press-4', { 'hydraulics/pressure': value(182.5) });
});
