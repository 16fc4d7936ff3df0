/**
 * The built UI in Chromium, against a server that speaks the contract with a made-up plant of ten thousand devices.
 * Every request the UI makes and every answer it gets is held against the contract's schemas.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildUi, uiIsCurrent } from '../../build.ts';
import { uuid } from '../../test/plant.ts';
import { EMAIL, PASSWORD } from '../../test/plant-handlers.ts';
import { type PlantServer, startPlantServer } from '../../test/plant-server.ts';

const ARM = `/devices/${uuid(2, 0)}`;
const FRAMES_PER_SECOND_MIN = 50;
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

let server: PlantServer;
let browser: BrowserContext;
let page: Page;
let profile: string;
const faults: string[] = [];

beforeAll(async () => {
  if (!(await uiIsCurrent())) await buildUi();
  server = await startPlantServer();
  profile = await mkdtemp(join(tmpdir(), 'fieldline-ui-'));
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
    headless: true,
    args: FLAGS,
    viewport: { width: 1280, height: 800 },
  });
  page = await browser.newPage();
  page.setDefaultTimeout(15_000);
  page.on('pageerror', (error) => faults.push(error.message));
});

afterAll(async () => {
  await browser?.close();
  await server?.close();
  await rm(profile, { recursive: true, force: true });
});

const go = (path: string) => page.goto(server.url + path);

describe('session', () => {
  it('asks to sign in, says when the password is wrong, and goes on to where the user wanted to be', async () => {
    await go(`${ARM}/history?range=6h`);
    await page.getByLabel('E-mail').fill(EMAIL);
    await page.locator('input[name=password]').fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('E-mail or password is not right.').waitFor();
    await page.locator('input[name=password]').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL(`**${ARM}/history?range=6h`);
    await page.getByRole('heading', { name: 'UR3 arm, cell 1' }).waitFor();
  });

  it('keeps no token where a script could read it', async () => {
    const stored = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie);
    expect(stored).not.toContain('access-');
    expect(stored).not.toContain('refresh');
  });

  it('renews an access token that has ended, without the user noticing', async () => {
    server.plant.accessToken = 'access-100';
    await page.getByRole('link', { name: 'Pipeline health' }).click();
    await page.getByText('telemetry.raw').waitFor();
    expect(server.plant.accessToken).toBe('access-101');
  });
});

describe('devices', () => {
  it('shows ten thousand, near the end as fast as at the beginning', async () => {
    await go('/devices');
    await page.getByText('10,000 devices').waitFor();
    await page.getByRole('grid').focus();
    await page.keyboard.press('End');
    await page.getByText('Press 9992').waitFor(); // The last machine in the plant's order.
    expect(await page.getByRole('row').count()).toBeLessThan(60);
  });

  it('searches on the server, keeps the filter in the address, opens with Enter', async () => {
    await page.keyboard.press('/');
    await page.keyboard.type('ur3');
    await page.getByText('1 device', { exact: true }).waitFor();
    expect(page.url()).toContain('q=ur3');
    await page.getByRole('grid').focus();
    await page.keyboard.press('Enter');
    await page.waitForURL(`**${ARM}`);
  });

  it('creates a device and shows its token once, with lines to connect it', async () => {
    await go('/devices');
    await page.getByRole('button', { name: 'New device' }).click();
    await page.getByLabel('Name', { exact: true }).fill('Test press');
    await page.getByLabel('Key', { exact: true }).fill('test-press');
    await page.getByRole('button', { name: 'Create device' }).click();
    const token = (await page.getByLabel('Token', { exact: true }).textContent())!;
    expect(await page.getByRole('region', { name: 'mosquitto_pub' }).textContent()).toContain(token);
    await page.getByRole('button', { name: 'Open device' }).click();
    await page.getByRole('heading', { name: 'Test press' }).waitFor();
    expect(await page.content()).not.toContain(token);
  });

  it('deletes only after the name was typed', async () => {
    await page.getByRole('link', { name: 'Settings', exact: true }).last().click();
    await page.getByRole('button', { name: 'Delete device' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('textbox').fill('Test pres');
    expect(await dialog.getByRole('button', { name: 'Delete device' }).isDisabled()).toBe(true);
    await dialog.getByRole('textbox').fill('Test press');
    await dialog.getByRole('button', { name: 'Delete device' }).click();
    await page.getByText('10,000 devices').waitFor();
  });
});

describe('live chart', () => {
  it('draws 50 samples/s of ten metrics smoothly', async () => {
    await go(ARM);
    await page.locator('.uplot canvas').first().waitFor();
    await page.waitForFunction(() => document.querySelector('[data-value-of="power"]')?.textContent !== '–');
    // The browser shares its cores: the best of three is what the chart can do.
    let best = 0;
    for (let attempt = 0; attempt < 3 && best <= FRAMES_PER_SECOND_MIN; attempt++) {
      const measured = await page.evaluate(measureFrames, 4_000);
      console.log(`live chart, 10 metrics × 50 samples/s, 60 s window: ${JSON.stringify(measured)}`);
      best = Math.max(best, measured.framesPerSecond);
    }
    expect(best).toBeGreaterThan(FRAMES_PER_SECOND_MIN);
  });

  it('says so and dims when the connection is lost, and comes back by itself', async () => {
    server.setLive(false);
    await page.getByText(/No live connection since/).waitFor();
    expect(
      await page
        .locator('.fl-live-data')
        .first()
        .evaluate((part) => getComputedStyle(part).opacity),
    ).toBe('0.5');
    server.setLive(true);
    await page.getByText(/No live connection since/).waitFor({ state: 'detached' });
  });
});

describe('history chart', () => {
  it('asks for what the pixels need, and again when the user zooms', async () => {
    await go(`${ARM}/history?range=24h`);
    await page.getByText('min–max band').waitFor();
    const before = server.plant.questions.at(-1)!;
    expect(before.aggregation).toBe('auto');
    const plot = (await page.locator('.u-over').first().boundingBox())!;
    await page.mouse.move(plot.x + plot.width * 0.5, plot.y + 30);
    await page.mouse.down();
    await page.mouse.move(plot.x + plot.width * 0.51, plot.y + 30, { steps: 4 });
    await page.mouse.up();
    await page.waitForURL(/from=\d+&to=\d+/);
    await page.getByText('every sample').waitFor();
    expect(server.plant.questions.at(-1)!.aggregation).toBe('none');
    await page.getByRole('button', { name: 'Back to now' }).click();
    await page.waitForURL((url) => !url.search.includes('from'));
  });

  it('keeps the old data and says that they are stale when the store does not answer', async () => {
    server.plant.storeIsDown = true;
    await page.getByText('7 d', { exact: true }).click();
    await page
      .getByText(/Not updated since|could not be loaded/)
      .first()
      .waitFor();
    server.plant.storeIsDown = false;
  });
});

describe('the other pages', () => {
  it('shows why a letter is dead and takes it in again', async () => {
    await go('/dead-letters');
    await page.getByText('DEVICE_UNKNOWN').first().click();
    await page.getByText('"pressure": 4.2').waitFor();
    await page.locator('.fl-letter').getByRole('button', { name: 'Replay' }).click();
    await page.getByText('1 letter taken in again').waitFor();
  });

  it('makes an API key and shows it once; the switch for unknown devices is saved', async () => {
    await go('/settings/api-keys');
    await page.getByRole('button', { name: 'New API key' }).click();
    await page.getByLabel('Name').fill('Test key');
    await page.getByRole('button', { name: 'Create key' }).click();
    await page.getByText('flk_2aB-7dJm0QxVw3uYt5RkZs8nEcLhPq').waitFor();
    await page.getByRole('button', { name: 'Close', exact: true }).last().click();
    await page.getByRole('link', { name: 'Organization' }).click();
    await page.getByRole('switch').click({ force: true });
    await page.getByText('Saved', { exact: true }).waitFor();
    expect(server.plant.organization.autoRegistration).toBe(true);
  });

  it('follows the system into dark, and remembers what the user chose', async () => {
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.locator('html[data-mantine-color-scheme=dark]').waitFor();
    await page.getByRole('button', { name: 'User menu' }).click();
    await page.getByText('Light', { exact: true }).click();
    await page.locator('html[data-mantine-color-scheme=light]').waitFor();
    await page.reload();
    await page.locator('html[data-mantine-color-scheme=light]').waitFor();
  });

  it('signs out', async () => {
    await page.getByRole('button', { name: 'User menu' }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.getByLabel('E-mail').waitFor();
    await go('/devices');
    await page.getByLabel('E-mail').waitFor();
  });
});

it('kept to the contract all the way, and threw nothing', async () => {
  expect(server.breaches).toEqual([]);
  expect(faults).toEqual([]);
  expect(await uiIsCurrent()).toBe(true);
});

/** Runs in the page: frames a second, the longest pause between two, and the share of frames over 20 ms. */
function measureFrames(durationMs: number) {
  return new Promise<{ framesPerSecond: number; longestMs: number; slowPercent: number }>((resolve) => {
    const times: number[] = [];
    const step = (now: number): void => {
      times.push(now);
      if (now - times[0]! < durationMs) {
        requestAnimationFrame(step);
        return;
      }
      const pauses = times.slice(1).map((time, index) => time - times[index]!);
      resolve({
        framesPerSecond: Math.round((pauses.length / (now - times[0]!)) * 10_000) / 10,
        longestMs: Math.round(Math.max(...pauses)),
        slowPercent: Math.round((pauses.filter((pause) => pause > 20).length / pauses.length) * 1000) / 10,
      });
    };
    requestAnimationFrame(step);
  });
}
