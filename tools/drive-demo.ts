/**
 * `npm run demo:drive`: runs README's demo command as a user would and asserts, for a minute, that data arrives: devices
 * come online, samples of every machine grow, the UI is served, Ctrl-C ends it cleanly, and a second start finds the data.
 */
import { ApiSession, eventually } from '../tests/support/api-session.ts';
import { pressCtrlC, startDemo } from '../tests/support/demo-process.ts';
import { temporaryFolder } from '../tests/support/server-process.ts';

const WATCH_SECONDS = Number(process.env.FIELDLINE_DEMO_DRIVE_SECONDS ?? 60);
const folder = temporaryFolder('demo');
let passed = 0;
let failed = 0;

function check(what: string, holds: boolean, found: unknown = ''): void {
  if (holds) passed += 1;
  else failed += 1;
  console.log(`${holds ? 'ok    ' : 'FAILED'} ${what}${holds ? '' : `: ${JSON.stringify(found)}`}`);
}

const say = (line: string): void => console.log(`  | ${line}`);

interface DeviceRow {
  readonly id: string;
  readonly name: string;
  readonly status: string;
}

interface PipelineTotals {
  readonly totals: { readonly samples: number; readonly deadLetters: number };
  readonly lag: { readonly records: number };
}

const demo = await startDemo(folder.path, say);
check('a password was made up and printed', demo.password !== null);
const api = await ApiSession.signIn(demo.url, 'admin@fieldline.local', demo.password ?? '');
const list = (): Promise<{ items: DeviceRow[] }> => api.call('GET', 'devices?limit=100');
const devices = (await list()).items;
check(
  'two robots, a pump station, a conveyor line and a machine are there',
  devices.length >= 5,
  devices.map(({ name }) => name),
);
await eventually(
  'all devices online',
  async () => ((await list()).items.every(({ status }) => status === 'online') ? true : null),
  60_000,
  500,
).then(
  () => check('all devices are online', true),
  async () => check('all devices are online', false, (await list()).items),
);
const health = (): Promise<PipelineTotals> => api.call('GET', 'pipeline/health');
const before = await health();
const stampsBefore = await newest(devices);
await new Promise((resolve) => setTimeout(resolve, WATCH_SECONDS * 1000));
const after = await health();
const stampsAfter = await newest(devices);
const samples = after.totals.samples - before.totals.samples;
check(`samples arrived for ${WATCH_SECONDS} s (${samples})`, samples > WATCH_SECONDS * 5, samples);
const quiet = devices.filter((device) => !(stampsAfter.get(device.id)! > stampsBefore.get(device.id)!));
check(
  'every device has newer values than a minute ago',
  quiet.length === 0,
  quiet.map(({ name }) => name),
);
check('nothing became a dead letter', after.totals.deadLetters === 0, after.totals.deadLetters);
const page = await fetch(demo.url);
check('the web UI is served', page.ok && (await page.text()).includes('<script'), page.status);
const end = await pressCtrlC(demo);
check('Ctrl-C ends it cleanly', ['0', '130', 'SIGINT'].includes(end), end);

const again = await startDemo(folder.path, say);
check('the second start prints no password', again.password === null, again.password);
const apiAgain = await ApiSession.signIn(again.url, 'admin@fieldline.local', demo.password ?? '');
const { metrics } = await apiAgain.call<{ metrics: object }>('GET', `telemetry/device/${devices[0]!.id}/latest`);
check('the data of the first run is there', Object.keys(metrics).length > 0, metrics);
await pressCtrlC(again);
folder.remove();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

async function newest(of: readonly DeviceRow[]): Promise<Map<string, number>> {
  const stamps = new Map<string, number>();
  for (const { id } of of) {
    const latest = await api.call<{ lastSeen: string | null }>('GET', `telemetry/device/${id}/latest`);
    stamps.set(id, latest.lastSeen === null ? 0 : Date.parse(latest.lastSeen));
  }
  return stamps;
}
