/**
 * A thread that opens a copy of a database folder, reads every row of every table, and looks each row up through its indexes:
 * a table that was cut off has fewer rows than its indexes know. Out: what failed, in words, and counts; one message.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { PGlite } from '@electric-sql/pglite';
import { openEngine } from './engine.ts';

export interface EverythingRead {
  readonly tables: number;
  readonly rows: number;
  readonly problems: readonly { readonly table: string | null; readonly message: string }[];
  /** null where it cannot be read; a problem tells why. */
  readonly known: KnownSeries | null;
}

/** What the catalog knows of that the store holds samples of. */
export interface KnownSeries {
  readonly series: readonly {
    readonly id: number;
    readonly organizationId: string;
    readonly subjectId: string;
    readonly metricKey: string;
  }[];
  readonly deviceIds: readonly string[];
}

const TABLES = `select c.oid::int as id, format('%I.%I', n.nspname, c.relname) as name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'm') order by 2`;
const LEADING_COLUMNS = `select distinct i.indrelid::int as id, quote_ident(a.attname) as column
  from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
  where m.amname = 'btree' and i.indisvalid and i.indpred is null and i.indkey[0] > 0`;
const BY_INDEX =
  'set enable_seqscan = off; set enable_bitmapscan = off; set enable_indexonlyscan = off; set enable_sort = off';

async function readEverything(folder: string): Promise<EverythingRead> {
  const problems: { table: string | null; message: string }[] = [];
  let rows = 0;
  let engine: PGlite;
  try {
    engine = await openEngine(folder);
  } catch (error) {
    return {
      tables: 0,
      rows,
      known: null,
      problems: [{ table: null, message: `the database does not start: ${String(error)}` }],
    };
  }
  const ask = async (table: string | null, sql: string): Promise<Record<string, unknown>[]> => {
    try {
      return (await engine.query<Record<string, unknown>>(sql)).rows;
    } catch (error) {
      problems.push({ table, message: error instanceof Error ? error.message : String(error) });
      return [];
    }
  };
  const tables = await ask(null, TABLES);
  const columns = await ask(null, LEADING_COLUMNS);
  const counts = new Map<unknown, number>();
  for (const { id, name } of tables) {
    const sql = `select count(*)::int as n, sum(length(t.*::text)) as length from only ${name} t`;
    const [read] = await ask(String(name), sql);
    if (read === undefined) continue;
    counts.set(id, Number(read.n));
    rows += Number(read.n);
  }
  await engine.exec(BY_INDEX);
  for (const { id, name } of tables) {
    for (const { column } of columns.filter((each) => each.id === id)) {
      const sql = `select count(*)::int as n from (select ctid from only ${name} order by ${column} offset 0) t`;
      const [read] = await ask(String(name), sql);
      if (read === undefined || !counts.has(id) || read.n === counts.get(id)) continue;
      const message = `it has ${counts.get(id)} rows, its index on ${column} knows ${read.n}`;
      problems.push({ table: String(name), message });
    }
  }
  return { tables: tables.length, rows, problems, known: await readKnown(engine) };
}

async function readKnown(engine: PGlite): Promise<KnownSeries | null> {
  const read = async (sql: string): Promise<Record<string, unknown>[]> =>
    (await engine.query<Record<string, unknown>>(sql)).rows;
  try {
    const series = await read(`select id::float8 as id, organization_id::text as "organizationId",
      subject_id::text as "subjectId", metric_key as "metricKey" from fieldline.series`);
    const devices = await read('select id::text as id from fieldline.devices');
    return { series: series as unknown as KnownSeries['series'], deviceIds: devices.map(({ id }) => String(id)) };
  } catch {
    // Damaged, which is told of the table; or from before there were series.
    return null;
  }
}

parentPort!.postMessage(await readEverything(String(workerData)));
// The copy is thrown away: nothing is worth a clean end.
process.exit(0);
