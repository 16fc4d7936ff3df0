/** At the end: every sample is asked for through REST, several devices at a time, and held against what was acknowledged. */
import { ApiSession, eventually } from '../api-session.ts';
import type { RunningServer } from '../server-process.ts';
import { Bitmap } from './bitmap.ts';
import { type LedgerClient, numbered, STEP_MS } from './clients.ts';

export interface Comparison {
  readonly acknowledged: number;
  readonly lost: number;
  readonly doubled: number;
  /** With another value, or never sent. */
  readonly wrong: number;
  /** Samples that are readable although their acknowledgement never arrived. */
  readonly unacknowledged: number;
  /** What was found amiss first, for a person. */
  readonly findings: readonly string[];
}

const DEVICES_AT_ONCE = 4;
const CATCH_UP_MS = 300_000;
const FINDINGS_MAX = 20;

export async function compare(
  server: RunningServer,
  clients: readonly LedgerClient[],
  startMs: number,
): Promise<Comparison> {
  const api = await ApiSession.signIn(server.url);
  await eventually('the pipeline to catch up', () => hasCaughtUp(api), CATCH_UP_MS);
  const totals = { acknowledged: 0, lost: 0, doubled: 0, wrong: 0, unacknowledged: 0 };
  const findings: string[] = [];
  const find = (kind: 'lost' | 'doubled' | 'wrong', sentence: string): void => {
    totals[kind] += 1;
    if (findings.length < FINDINGS_MAX) findings.push(sentence);
  };
  const waiting = [...clients.entries()];
  const readers = Array.from({ length: DEVICES_AT_ONCE }, async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, client] = next;
      const seen = await look(api, index, client, startMs, find);
      totals.acknowledged += client.acknowledged.size;
      for (let sample = 0; sample < client.sent; sample++) {
        const isAcknowledged = client.acknowledged.has(sample);
        if (isAcknowledged && !seen.has(sample))
          find('lost', `client ${index}: sample ${sample} was acknowledged and is not there`);
        else if (!isAcknowledged && seen.has(sample)) totals.unacknowledged += 1;
      }
    }
  });
  await Promise.all(readers);
  return { ...totals, findings };
}

async function hasCaughtUp(api: ApiSession): Promise<true | null> {
  const { lag } = await api.call<{ lag: { records: number } }>('GET', 'pipeline/health');
  return lag.records === 0 ? true : null;
}

/** The numbers that are there. */
async function look(
  api: ApiSession,
  index: number,
  client: LedgerClient,
  startMs: number,
  find: (kind: 'doubled' | 'wrong', sentence: string) => void,
): Promise<Bitmap> {
  const seen = new Bitmap();
  // A little more than was sent, so that a sample which nobody sent is noticed.
  const endMs = startMs + (client.sent + 1_000) * STEP_MS;
  for await (const page of api.samplePages(client.device.id, 'n', startMs, endMs)) {
    for (const [timeMs, value] of page) {
      const sample = (timeMs - startMs) / STEP_MS;
      if (value !== numbered(index, sample) || sample >= client.sent) {
        find('wrong', `client ${index}: value ${value} at sample ${sample} of ${client.sent}`);
      } else if (!seen.add(sample)) find('doubled', `client ${index}: sample ${sample} twice`);
    }
  }
  return seen;
}
