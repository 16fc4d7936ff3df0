/**
 * `fieldline import`: a CSV file as history, through the HTTP door of a running server. Reads the file in a stream, checks
 * every cell, sends pages that are durable before the next one goes out. Sending again is safe: the same sample at the same
 * time is the same sample. Lines that cannot be read are told with line, column and remedy; the rest is loaded.
 */
import { createReadStream, readFileSync, statSync } from 'node:fs';
import {
  CsvBatch,
  CsvDecoder,
  type CsvMapping,
  type CsvSeparator,
  type CsvValueColumn,
  DecodeError,
} from '@fieldline/codecs';
import { Backoff, FieldlineError, messageOf, sleep } from '@fieldline/kit';
import { parse } from 'yaml';

export interface ImportFlags {
  readonly device: string;
  readonly map?: string;
  readonly mapping?: string;
  readonly time?: string;
  readonly timeFormat?: string;
  readonly timeZone?: string;
  readonly separator?: string;
  readonly decimal?: '.' | ',';
  readonly encoding?: string;
  readonly dryRun?: boolean;
  readonly errorsMax: number;
  readonly url: string;
  readonly apiKey?: string;
}

/** Samples in one request; well below the server's limits for usual names. */
const PAGE_SAMPLES_MAX = 5000;
const ATTEMPTS_MAX = 8;
const PROBLEMS_SHOWN_MAX = 20;
/** The server's default; what a running one keeps is its own setting. */
const RAW_RETENTION_DAYS = 90;

interface Tally {
  records: number;
  samples: number;
  problems: number;
  readonly metrics: Set<string>;
  firstTime: number;
  lastTime: number;
}

interface DeviceMessage {
  readonly deviceId: string;
  readonly ts: number;
  readonly metrics: Record<string, number | string | boolean | { value: number | string | boolean; unit: string }>;
}

/** Loads the file (or, dry, only checks it) and prints what happened. Sets exit code 1 where any line was left out. */
export async function importCommand(file: string, flags: ImportFlags): Promise<void> {
  const apiKey = flags.apiKey ?? '';
  if (flags.dryRun !== true && apiKey === '') {
    throw new FieldlineError(
      'BAD_REQUEST',
      'import: --api-key is missing; make one with the scope ingest under Settings → API keys',
    );
  }
  const decoder = new CsvDecoder(mappingOf(flags));
  const batch = new CsvBatch();
  const tally: Tally = {
    records: 0,
    samples: 0,
    problems: 0,
    metrics: new Set(),
    firstTime: Infinity,
    lastTime: -Infinity,
  };
  const progress = new Progress(sizeOf(file));
  const handle = async (): Promise<void> => {
    note(batch, tally, flags.errorsMax);
    if (flags.dryRun !== true) {
      for (const page of pagesOf(batch, flags.device)) await send(flags.url, apiKey, page);
    }
    batch.reset();
    progress.show(decoder.byteLength, tally.samples);
  };
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 256 * 1024 })) {
      decoder.push(chunk as Buffer, batch);
      await handle();
    }
    decoder.end(batch);
    await handle();
  } catch (error) {
    if (error instanceof DecodeError) throw new FieldlineError('BAD_REQUEST', `${file}: ${error.message}`);
    throw error;
  }
  progress.end();
  report(file, flags, decoder, tally);
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch (error) {
    throw new FieldlineError('NOT_FOUND', `import: ${messageOf(error)}`);
  }
}

/** The mapping file, and over it what the flags say. */
function mappingOf(flags: ImportFlags): CsvMapping {
  const base = flags.mapping === undefined ? {} : readMapping(flags.mapping);
  return {
    ...base,
    ...(flags.separator !== undefined && {
      separator: (flags.separator === '\\t' ? '\t' : flags.separator) as CsvSeparator,
    }),
    ...(flags.decimal !== undefined && { decimalComma: flags.decimal === ',' }),
    ...(flags.encoding !== undefined && { encoding: flags.encoding as NonNullable<CsvMapping['encoding']> }),
    ...(flags.map !== undefined && { columns: flags.map.split(',').map(columnOf) }),
    time: {
      ...base.time,
      ...(flags.time !== undefined && { column: flags.time }),
      ...(flags.timeFormat !== undefined && { format: flags.timeFormat }),
      ...(flags.timeZone !== undefined && { zone: flags.timeZone }),
    },
  };
}

function readMapping(file: string): CsvMapping {
  try {
    return parse(readFileSync(file, 'utf8')) as CsvMapping;
  } catch (error) {
    throw new FieldlineError('BAD_REQUEST', `--mapping ${file}: ${messageOf(error)}`);
  }
}

/** `Column`, `Column=metric`, `Column=metric[unit]`. */
function columnOf(pair: string): CsvValueColumn {
  const match = /^([^=]+?)(?:=([^[\]]+?)(?:\[([^\]]*)\])?)?$/.exec(pair.trim());
  if (match === null) {
    throw new FieldlineError('BAD_REQUEST', `--map: "${pair}" is not column, column=metric or column=metric[unit]`);
  }
  const [, column, metric, unit] = match;
  return { column: column!, ...(metric !== undefined && { metric }), ...(unit !== undefined && { unit }) };
}

function note(batch: CsvBatch, tally: Tally, errorsMax: number): void {
  const { samples } = batch;
  tally.records += batch.recordCount;
  tally.samples += samples.count;
  for (let row = 0; row < samples.count; row++) {
    tally.metrics.add(samples.metric[row]!);
    tally.firstTime = Math.min(tally.firstTime, samples.sourceTime[row]!);
    tally.lastTime = Math.max(tally.lastTime, samples.sourceTime[row]!);
  }
  for (const [index, problem] of batch.problems.entries()) {
    if (tally.problems + index < PROBLEMS_SHOWN_MAX) console.error(problem.message);
  }
  tally.problems += batch.problemCount;
  if (tally.problems > errorsMax) {
    throw new FieldlineError(
      'BAD_REQUEST',
      `import: more than ${errorsMax} cells or lines cannot be read; what came before is loaded. Mend the mapping, or raise --errors-max`,
    );
  }
}

/** One message a line of the file, gathered into pages. */
function* pagesOf(batch: CsvBatch, device: string): Generator<DeviceMessage[]> {
  const { samples } = batch;
  let page: DeviceMessage[] = [];
  let pageSamples = 0;
  let current = -1;
  for (let row = 0; row < samples.count; row++) {
    const record = samples.recordIndex[row]!;
    if (record !== current) {
      if (pageSamples >= PAGE_SAMPLES_MAX) {
        yield page;
        page = [];
        pageSamples = 0;
      }
      // Without a prototype: a column may be called __proto__.
      const metrics: DeviceMessage['metrics'] = Object.create(null);
      page.push({ deviceId: batch.devices[record] || device, ts: samples.sourceTime[row]! / 1000, metrics });
      current = record;
    }
    const kind = samples.valueKind[row];
    const value = kind === 2 ? samples.texts.get(row)! : kind === 1 ? samples.value[row] === 1 : samples.value[row]!;
    const unit = samples.units.get(row);
    page.at(-1)!.metrics[samples.metric[row]!] = unit === undefined ? value : { value, unit };
    pageSamples += 1;
  }
  if (page.length > 0) yield page;
}

/** Sends one page until the server has it; gives up after some attempts, or at once where it is refused for what it says. */
async function send(url: string, apiKey: string, page: readonly DeviceMessage[]): Promise<void> {
  const backoff = new Backoff({ initialMs: 250, maximumMs: 10_000 });
  for (;;) {
    let waitMs: number;
    let why: string;
    try {
      const answer = await fetch(new URL('/api/v1/webhook/sensor-data', url), {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': apiKey, 'x-fieldline-source': 'import' },
        body: JSON.stringify(page),
      });
      if (answer.ok) return;
      why = detailOf(answer.status, await answer.text());
      if (answer.status < 500 && answer.status !== 429)
        throw new FieldlineError('BAD_REQUEST', `import: the server refused a page: ${why}${remedyOf(answer.status)}`);
      waitMs = Math.max(Number(answer.headers.get('retry-after') ?? 0) * 1000, backoff.nextMs());
    } catch (error) {
      if (error instanceof FieldlineError) throw error;
      why = messageOf(error instanceof Error && error.cause !== undefined ? error.cause : error);
      waitMs = backoff.nextMs();
    }
    if (backoff.attempts >= ATTEMPTS_MAX) {
      throw new FieldlineError(
        'UNAVAILABLE',
        `import: ${url} did not take a page after ${ATTEMPTS_MAX} attempts: ${why}. Run the same command again: nothing is loaded twice`,
      );
    }
    await sleep(waitMs);
  }
}

/** The sentence in a problem (RFC 9457), or what else came. */
function detailOf(status: number, text: string): string {
  try {
    const { detail } = JSON.parse(text) as { detail?: unknown };
    if (typeof detail === 'string') return `${detail} (${status})`;
  } catch {
    // Not our server's words: shown as they are.
  }
  return `${status} ${text.slice(0, 300)}`;
}

function remedyOf(status: number): string {
  if (status === 401 || status === 403) return '; make a key with the scope ingest under Settings → API keys';
  if (status === 404) return '; create the device, or switch automatic registration on, and run the same command again';
  return '';
}

function report(file: string, flags: ImportFlags, decoder: CsvDecoder, tally: Tally): void {
  const dialect = decoder.dialect;
  if (tally.problems > PROBLEMS_SHOWN_MAX) console.error(`… and ${tally.problems - PROBLEMS_SHOWN_MAX} more`);
  const span =
    tally.samples === 0
      ? 'no samples'
      : `${new Date(tally.firstTime / 1000).toISOString()} to ${new Date(tally.lastTime / 1000).toISOString()}`;
  console.log(
    `${flags.dryRun === true ? 'checked' : 'loaded'} ${file}: ${tally.records} lines, ${tally.samples} samples of ${tally.metrics.size} metrics, ${span}; ` +
      `${tally.problems} cells or lines left out (separator "${dialect?.separator}", decimal ${dialect?.decimalComma === true ? 'comma' : 'point'})`,
  );
  if (tally.firstTime < (Date.now() - RAW_RETENTION_DAYS * 86_400_000) * 1000) {
    console.error(
      `some of this is older than ${RAW_RETENTION_DAYS} days: where the server's store.rawRetentionDays is not longer, of that only ` +
        'hourly and daily values stay',
    );
  }
  if (tally.problems > 0) process.exitCode = 1;
}

/** A line that fills up on a terminal; elsewhere a line at each tenth. */
class Progress {
  readonly #total: number;
  #tenth = 0;

  constructor(total: number) {
    this.#total = total;
  }

  show(byteLength: number, samples: number): void {
    const share = this.#total === 0 ? 1 : byteLength / this.#total;
    if (process.stderr.isTTY) {
      const bar = '█'.repeat(Math.round(share * 30)).padEnd(30, '░');
      process.stderr.write(`\r${bar} ${(share * 100).toFixed(0).padStart(3)} %  ${samples} samples`);
    } else if (Math.floor(share * 10) > this.#tenth && share < 1) {
      this.#tenth = Math.floor(share * 10);
      console.error(`${this.#tenth * 10} %, ${samples} samples`);
    }
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write('\n');
  }
}
