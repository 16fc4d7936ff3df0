/** Data folders that somebody has damaged or half restored: what can go on goes on and says so, the rest is refused in words. */
import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exchange, FilledFolder } from './support/filled-folder.ts';
import { startServer } from './support/server-process.ts';

let folder: FilledFolder;

beforeAll(async () => {
  folder = await FilledFolder.make('damaged', 5);
}, 60_000);
afterAll(() => folder.remove());

test('with a catalog from before some of its series it learns them from the store, and gives their numbers to no other', async () => {
  const dataDir = folder.copyWithout();
  let server = await startServer({ dataDir });
  for (const [metric, value] of Object.entries({ flow: 71, torque: 72 })) {
    await folder.publish(server, { [metric]: value });
  }
  await folder.stored(server, 1, 'torque');
  await server.stop();
  exchange(['catalog', 'catalog.sums'], folder.whole, dataDir);
  server = await startServer({ dataDir });
  expect(server.lastLines()).toContain('the catalog is older than the store');
  await folder.publish(server, { speed: 73 });
  await folder.stored(server, 1, 'speed');
  expect(await folder.values(server, 'flow')).toEqual([71]);
  expect(await folder.values(server, 'torque')).toEqual([72]);
  expect(await folder.values(server, 'speed')).toEqual([73]);
  await server.stop();
}, 120_000);

test.each([
  ['catalog', 'it is missing: nothing says any more whose telemetry that is'],
  ['catalog/PG_VERSION', 'holds files but no PG_VERSION'],
])(
  'without %s it does not start',
  async (part, sentence) => {
    await expect(startServer({ dataDir: folder.copyWithout([part]) })).rejects.toThrow(sentence);
  },
  60_000,
);

test.each([
  ['FIELDLINE_API_PORT', 'api.port'],
  ['FIELDLINE_BROKER_PORT', 'broker.port'],
])(
  'where %s is taken it says which setting that is',
  async (variable, setting) => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    const start = startServer({ dataDir: folder.copyWithout(), environment: { [variable]: String(port) } });
    await expect(start).rejects.toThrow(new RegExp(`cannot listen on 127.0.0.1:${port} .*${setting}`));
    other.close();
  },
  60_000,
);
