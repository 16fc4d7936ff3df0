/**
 * README's picture: `node tools/picture.ts` starts the demo plant in a folder of its own, lets the robot arm speak for as long as
 * the live chart is wide, and saves the device page (1440 × 900, light) as docs/images/device-page.png.
 */
import { mkdirSync, statSync } from 'node:fs';
import { ApiSession, eventually } from '../tests/support/api-session.ts';
import { openBrowser } from '../tests/support/browser.ts';
import { pressCtrlC, startDemo } from '../tests/support/demo-process.ts';
import { temporaryFolder } from '../tests/support/server-process.ts';

const FILE = 'docs/images/device-page.png';
const BYTES_MAX = 200_000;
const EMAIL = 'admin@fieldline.local';
const DEVICE = 'UR3 arm';
/** The live chart shows a minute. */
const SPEAK_MS = 65_000;

const folder = temporaryFolder('picture');
const demo = await startDemo(folder.path, (line) => console.error(line));
const api = await ApiSession.signIn(demo.url, EMAIL, demo.password!);
const device = await eventually('the robot arm', async () => {
  const { items } = await api.call<{ items: { id: string; name: string }[] }>('GET', 'devices?limit=100');
  return items.find(({ name }) => name.startsWith(DEVICE)) ?? null;
});
const browser = await openBrowser();
const { page } = browser;
await page.emulateMedia({ colorScheme: 'light' });
await page.goto(`${demo.url}/devices/${device.id}`);
await page.getByLabel('E-mail').fill(EMAIL);
await page.locator('input[name=password]').fill(demo.password!);
await page.getByRole('button', { name: 'Sign in' }).click();
await page.locator('.uplot canvas').first().waitFor();
await page.waitForTimeout(SPEAK_MS);
mkdirSync('docs/images', { recursive: true });
await page.screenshot({ path: FILE });
await browser.close();
await pressCtrlC(demo);
folder.remove();
const { size } = statSync(FILE);
console.log(`${FILE}: ${size} bytes`);
process.exit(size <= BYTES_MAX ? 0 : 1);
