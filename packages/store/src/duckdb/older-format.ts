/** For tests of migration: brings a closed store back to an older format, as the version that wrote that one would have left it. */
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { hotTables } from './hot-tables.ts';
import { transaction } from './session.ts';

/** Format 1: the hot rows of a generation stand in one table. */
export async function toFormatOne(dir: string): Promise<void> {
  const instance = await DuckDBInstance.create(join(dir, 'store.duckdb'));
  const connection = await instance.connect();
  try {
    await transaction(connection, () => joinShards(connection));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

async function joinShards(connection: DuckDBConnection): Promise<void> {
  const formats = await (await connection.run('SELECT version FROM format')).getRows();
  if (Number(formats[0]?.[0]) < 2) return;
  const generations = await connection.run('SELECT id, shards FROM generations');
  for (const [id, shards] of await generations.getRows()) {
    const [first, ...others] = hotTables({ id: Number(id), shardRows: new Array<number>(Number(shards)).fill(0) });
    for (const other of others) {
      await connection.run(`INSERT INTO ${first} SELECT * FROM ${other}`);
      await connection.run(`DROP TABLE ${other}`);
    }
  }
  await connection.run('ALTER TABLE generations DROP COLUMN shards');
  await connection.run('UPDATE format SET version = 1');
}
