/** What an injected statement could try, on every connection of an open store: no file outside, no database, no extension, no setting. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Session } from './session.ts';

let dir: string;
let session: Session;
let secret: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'fieldline-locked-'));
  secret = join(dir, 'secret.csv');
  await writeFile(secret, 'password\nhunter2\n');
  await mkdir(join(dir, 'store'));
  session = await Session.open({ dir: join(dir, 'store'), memoryLimitBytes: 2 ** 27, threads: 1, readConnections: 1 });
});
afterAll(async () => {
  session.close();
  await rm(dir, { recursive: true, force: true });
});

const FORBIDDEN = [
  `SELECT * FROM read_csv('{secret}')`,
  `SELECT * FROM read_text('{secret}')`,
  `SELECT * FROM read_blob('{secret}')`,
  `SELECT * FROM read_json('{secret}')`,
  `SELECT * FROM read_parquet('{secret}')`,
  `SELECT * FROM '{secret}'`,
  `SELECT * FROM glob('/etc/*')`,
  `SELECT * FROM sniff_csv('{secret}')`,
  `SELECT * FROM read_text('{dir}/store/sealed/../../secret.csv')`,
  `SELECT * FROM read_text('/proc/self/environ')`,
  `SELECT * FROM read_csv('http://127.0.0.1:9/x')`,
  `SELECT * FROM read_parquet('s3://bucket/x')`,
  `COPY (SELECT 1) TO '{dir}/out.csv'`,
  `COPY (SELECT 1) TO '{dir}/store/sealed/../out.csv'`,
  `COPY format FROM '{secret}'`,
  `EXPORT DATABASE '{dir}/export'`,
  `IMPORT DATABASE '{dir}/export'`,
  `ATTACH '{dir}/other.duckdb'`,
  `ATTACH '{dir}/other.db' (TYPE sqlite)`,
  'INSTALL httpfs',
  `INSTALL spatial FROM 'http://127.0.0.1:9'`,
  'LOAD httpfs',
  `LOAD '{dir}/evil.duckdb_extension'`,
  'SET enable_external_access = true',
  'RESET enable_external_access',
  'SET lock_configuration = false',
  `SET allowed_directories = ['/']`,
  `SET allowed_paths = ['{secret}']`,
  `SET memory_limit = '64GB'`,
  'SET threads = 64',
  `SET temp_directory = '/tmp'`,
  'SET allow_unsigned_extensions = true',
  'SET autoload_known_extensions = true',
  `SET home_directory = '/'`,
  `PRAGMA enable_logging`,
  `CREATE SECRET (TYPE s3, KEY_ID 'a', SECRET 'b')`,
  `CREATE PERSISTENT SECRET x (TYPE s3, KEY_ID 'a', SECRET 'b')`,
];

test.each(FORBIDDEN)('%s is refused', async (statement) => {
  const sql = statement.replaceAll('{secret}', secret).replaceAll('{dir}', dir);
  const refuses = (connection: DuckDBConnection): Promise<void> => expect(connection.run(sql), sql).rejects.toThrow();
  await refuses(session.writer);
  await refuses(session.background);
  await session.read(refuses);
});

test('nothing was written', async () => {
  expect((await readdir(dir)).sort()).toEqual(['secret.csv', 'store']);
  expect(await readdir(join(dir, 'store', 'sealed'))).toEqual([]);
});
