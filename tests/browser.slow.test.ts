/**
 * The whole real program in Chromium, as a new user goes through it: sign in, make a device, connect it with the lines that the
 * page gives, see it live, look back, find what went wrong and take it in again. Nothing here is made up but the readings.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import mqtt from 'mqtt';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { ApiSession, type DeviceCredentials, eventually } from './support/api-session.ts';
import { type Browser, openBrowser } from './support/browser.ts';
import { ADMIN_PASSWORD, type RunningServer, startServer, temporaryFolder } from './support/server-process.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const folder = temporaryFolder('browser-data');
let server: RunningServer;
let api: ApiSession;
let browser: Browser;
/** Speaks ten times a second all the while. */
let spindle: DeviceCredentials;
let spindleClient: mqtt.MqttClient;
let speaking: NodeJS.Timeout;

beforeAll(async () => {
  server = await startServer({
    dataDir: folder.path,
    environment: { FIELDLINE_API_UI: 'true' },
    startTimeoutMs: 170_000,
  });
  api = await ApiSession.signIn(server.url);
  spindle = await api.createDevice('spindle-1', 'machine');
  await loadHistory();
  browser = await openBrowser();
});
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') console.error(`picture: ${await browser.picture(task.name)}`);
});
afterAll(async () => {
  clearInterval(speaking);
  await spindleClient?.endAsync(true);
  await browser?.close();
  await server?.stop();
  folder.remove();
});

const connect = (device: DeviceCredentials): Promise<mqtt.MqttClient> =>
  mqtt.connectAsync({ ...server.mqtt, protocolVersion: 5, username: device.id, password: device.token });

/** Six hours of the past, a reading every ten seconds. */
async function loadHistory(): Promise<void> {
  spindleClient = await connect(spindle);
  const topic = `v1/telemetry/${spindle.organizationId}/spindle-1`;
  const end = Date.now() - 60_000;
  for (let from = end - 6 * 3_600_000; from < end; from += 3_600_000) {
    const messages = Array.from({ length: 360 }, (_, index) => ({
      ts: from + index * 10_000,
      metrics: { load: 50 + 20 * Math.sin(index / 30) },
    }));
    await spindleClient.publishAsync(topic, JSON.stringify(messages), { qos: 1 });
  }
  let count = 0;
  speaking = setInterval(() => {
    count += 1;
    spindleClient.publish(topic, JSON.stringify({ metrics: { load: 50 + 20 * Math.sin(count / 10), count } }), {
      qos: 1,
    });
  }, 100);
}

/** What a user's terminal would do with the copied lines. */
async function run(command: string, args: readonly string[], input: string): Promise<{ code: number; output: string }> {
  const child = spawn(command, args, { cwd: ROOT, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code: code as number, output: `${stdout}${stderr}` };
}

test('sign in, and land where one wanted to be', async () => {
  const { page } = browser;
  await page.goto(`${server.url}/devices`);
  await page.getByLabel('E-mail').fill('admin@fieldline.local');
  await page.locator('input[name=password]').fill(ADMIN_PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL('**/devices');
  await page.getByRole('row', { name: 'spindle-1, Online' }).waitFor();
});

test('the list shows at once who comes and who goes', async () => {
  const { page } = browser;
  const guest = await api.createDevice('guest-1');
  await page.reload();
  await page.getByRole('row', { name: 'guest-1, Never connected' }).waitFor();
  const client = await connect(guest);
  await page.getByRole('row', { name: 'guest-1, Online' }).waitFor();
  client.stream.destroy();
  client.end(true);
  // offline is shown within five seconds.
  await page.getByRole('row', { name: 'guest-1, Offline' }).waitFor({ timeout: 5000 });
});

test('a new device gets its token once; each of the lines to connect it works as it stands', async () => {
  const { page } = browser;
  await page.getByRole('button', { name: 'New device' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Press 4');
  await page.getByLabel('Key', { exact: true }).fill('press-4');
  await page.getByRole('button', { name: 'Create device' }).click();
  const token = (await page.getByLabel('Token', { exact: true }).textContent())!.trim();
  const linesOf = async (language: string): Promise<string> => {
    await page.getByText(language, { exact: true }).click();
    return (await page.getByRole('region', { name: language }).textContent())!;
  };
  const mosquitto = await linesOf('mosquitto_pub');
  const node = await linesOf('Node (mqtt.js)');
  const python = await linesOf('Python (paho)');
  const curl = await linesOf('HTTP (curl)');
  expect(mosquitto).toContain(token);
  await page.getByRole('button', { name: 'Open device' }).click();
  await page.getByRole('heading', { name: 'Press 4' }).waitFor();
  expect(await page.content()).not.toContain(token);
  const deviceId = page.url().split('/').at(-1)!;

  const { key: apiKey } = await api.call<{ key: string }>('POST', 'api-keys', { name: 'line', scopes: ['ingest'] });
  const ways: [string, () => Promise<{ code: number; output: string }>][] = [
    ['mosquitto_pub', () => run('sh', [], mosquitto.replace('21.5', '31'))],
    ['node', () => run(process.execPath, ['--input-type=module', '-'], node.replace('21.5', '32'))],
    ['curl', () => run('sh', [], curl.replace('<api-key>', apiKey).replace('21.5', '33'))],
    ...((await run('python3', ['-c', 'import paho.mqtt.client'], '')).code === 0
      ? [
          ['python', () => run('python3', ['-'], python.replace('21.5', '34'))] satisfies [
            string,
            () => Promise<{ code: number; output: string }>,
          ],
        ]
      : []),
  ];
  let value = 31;
  for (const [name, publish] of ways) {
    const { code, output } = await publish();
    expect(code, `${name}: ${output}`).toBe(0);
    const shown = page.locator('.fl-latest tr', { hasText: 'temperature' });
    await shown.getByText(String(name === 'python' ? 34 : value), { exact: true }).waitFor();
    value += 1;
  }
  const latest = await api.call<{ metrics: object }>('GET', `telemetry/device/${deviceId}/latest`);
  expect(latest.metrics).toMatchObject({ pressure: { value: 4.2, unit: 'bar', quality: 'good' } });
});

test('the lines on the device page work after the token was put in', async () => {
  const { page } = browser;
  const device = await api.createDevice('valve-1');
  await page.goto(`${server.url}/devices/${device.id}/connect`);
  const lines = (await page.getByRole('region', { name: 'mosquitto_pub' }).textContent())!;
  const { code, output } = await run(
    'sh',
    [],
    lines.replace('<token>', device.token).replace("'<token>'", device.token),
  );
  expect(code, output).toBe(0);
  await page.getByRole('link', { name: 'Live', exact: true }).click();
  await page.locator('.fl-latest tr', { hasText: 'temperature' }).getByText('21.5', { exact: true }).waitFor();
});

test('the live chart moves while the device speaks', async () => {
  const { page } = browser;
  await page.goto(`${server.url}/devices/${spindle.id}`);
  await page.locator('.uplot canvas').first().waitFor();
  const count = page.locator('[data-value-of="count"]');
  await eventually('values in the legend', async () => (/\d/.test((await count.textContent())!) ? true : null));
  const numberShown = async (): Promise<number> => Number((await count.textContent())!.replace(/[^\d.]/g, ''));
  const before = await numberShown();
  const pixels = (): Promise<string> =>
    page.evaluate(() => document.querySelector<HTMLCanvasElement>('.uplot canvas')!.toDataURL());
  const drawn = await pixels();
  await eventually('newer values', async () => ((await numberShown()) > before + 10 ? true : null));
  expect(await pixels()).not.toBe(drawn);
});

test('history: six hours as averages, every sample after zooming in', async () => {
  const { page } = browser;
  await page.getByRole('link', { name: 'History', exact: true }).click();
  await page.getByText('6 h', { exact: true }).click();
  await page.getByText(/average, min–max band/).waitFor();
  const plot = (await page.locator('.u-over').first().boundingBox())!;
  await page.mouse.move(plot.x + plot.width * 0.5, plot.y + 30);
  await page.mouse.down();
  await page.mouse.move(plot.x + plot.width * 0.52, plot.y + 30, { steps: 4 });
  await page.mouse.up();
  await page.waitForURL(/from=\d+&to=\d+/);
  await page.getByText('every sample').waitFor();
  await page.getByRole('button', { name: 'Back to now' }).click();
  await page.waitForURL((url) => !url.search.includes('from'));
});

test('what nobody knows is a dead letter with its reason, and is taken in after the device was made', async () => {
  const { page } = browser;
  const { key } = await api.call<{ key: string }>('POST', 'api-keys', { name: 'other', scopes: ['ingest'] });
  const ts = Date.now() - 5000;
  await fetch(`${server.url}/api/v1/webhook/sensor-data`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': key },
    body: JSON.stringify({ deviceId: 'press-9', ts, metrics: { force: 12 } }),
  });
  await page.getByRole('link', { name: 'Dead letters' }).click();
  await page.getByText('DEVICE_UNKNOWN').first().click();
  await page.getByText('there is no device "press-9"').first().waitFor();
  await page.getByText('"force": 12').waitFor();
  const press = await api.createDevice('press-9', 'machine');
  await page.locator('.fl-letter').getByRole('button', { name: 'Replay' }).click();
  await page.getByText('1 letter taken in again').waitFor();
  await eventually('the sample', async () =>
    (await api.samples(press.id, 'force', ts, ts + 1))[0]?.[1] === 12 ? true : null,
  );
});

test('pipeline health tells every part, the API reference is there', async () => {
  const { page } = browser;
  await page.getByRole('link', { name: 'Pipeline health' }).click();
  await page.getByText('telemetry.raw').waitFor();
  await page.getByText('All parts run').waitFor();
  await page.goto(`${server.url}/docs`);
  await page.getByText('/api/v1/webhook/sensor-data').first().waitFor();
});

test('dark when the system is dark', async () => {
  const { page } = browser;
  await page.goto(`${server.url}/devices`);
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.locator('html[data-mantine-color-scheme=dark]').waitFor();
  const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const [red] = /\d+/.exec(background)!;
  expect(Number(red)).toBeLessThan(64);
  await page.emulateMedia({ colorScheme: 'light' });
});

test('nothing threw', () => {
  expect(browser.faults).toEqual([]);
});
