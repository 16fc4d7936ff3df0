/** HTTP ingest: readings become raw records in the same log as everything else; 202 means that they are durable. */
import type { Receipt } from '@fieldline/contract';
import { type DirectoryCache, microsToIso, type Origin, type Source } from '@fieldline/model';
import type { ApiContext, GroupHandlers } from '../../handlers.ts';
import { type Principal, seesSite } from '../../principal.ts';
import { notFound } from '../../text.ts';
import { decodeReceipt, encodeReceipt, isProcessed, type ReceiptFacts, receiptFacts } from './receipt.ts';
import { deviceNames, toRecords } from './to-records.ts';

const ROUTE = 'webhook/sensor-data';
/** Origins that are kept, so that the log's batches hold each once; when full the oldest goes. */
const ORIGINS_MAX = 10_000;

export function ingestHandlers(context: ApiContext): GroupHandlers<'ingest'> {
  const origins = new OriginCache(context.directory);
  const readings = context.metrics.counter('ingestion_readings_total', 'Readings taken in over HTTP');
  return {
    sensorData: async ({ headers, body, principal }) => {
      const source = headers['x-fieldline-source'] ?? 'http';
      const receivedTime = context.clock.nowMicros();
      if (source === 'import') refuseUnknown(context.directory, principal.organizationId, deviceNames(body));
      const { records, readingCount } = toRecords(body, (name) => origins.of(principal, name, source));
      const ranges = await context.appender.add(records, receivedTime);
      readings.inc(readingCount);
      return receiptJson(receiptFacts(principal.organizationId, receivedTime, readingCount, ranges), 'accepted');
    },

    status: async ({ params, principal }) => {
      const facts = decodeReceipt(params.receiptId);
      if (facts === null || facts.organizationId !== principal.organizationId) {
        throw notFound('receipt', params.receiptId);
      }
      return receiptJson(facts, isProcessed(facts, await context.storedPositions()) ? 'processed' : 'accepted');
    },
  };
}

/** What a machine says is kept for a replay, whoever it is; a file is still there and can be loaded again. */
function refuseUnknown(directory: DirectoryCache, organizationId: string, names: ReadonlySet<string>): void {
  if (directory.organization(organizationId)?.autoRegistration === true) return;
  for (const name of names) {
    if (directory.findDevice(organizationId, name) === undefined) throw notFound('device', name);
  }
}

function receiptJson(facts: ReceiptFacts, status: Receipt['status']): Receipt {
  const receiptId = encodeReceipt(facts);
  return {
    receiptId,
    status,
    organizationId: facts.organizationId,
    receivedAt: microsToIso(facts.receivedTime),
    readings: facts.readingCount,
    statusUrl: `/api/v1/webhook/status/${receiptId}`,
  };
}

/** One origin object per device and source, under the directory's present version. */
class OriginCache {
  readonly #directory: DirectoryCache;
  readonly #origins = new Map<string, Origin>();
  #version = -1;

  constructor(directory: DirectoryCache) {
    this.#directory = directory;
  }

  /** A name that is not known yet stands for itself: the pipeline registers the device, or makes a dead letter. */
  of(principal: Principal, name: string, source: Source): Origin {
    const { organizationId } = principal;
    const device = this.#directory.findDevice(organizationId, name);
    if (device !== undefined && !seesSite(principal, device.siteId)) throw notFound('device', name);
    if (this.#version !== this.#directory.version) {
      this.#origins.clear();
      this.#version = this.#directory.version;
    }
    const deviceId = device?.id ?? name;
    const key = `${source}/${organizationId}/${deviceId}`;
    let origin = this.#origins.get(key);
    if (origin === undefined) {
      if (this.#origins.size >= ORIGINS_MAX) this.#origins.delete(this.#origins.keys().next().value!);
      origin = { organizationId, deviceId, topic: ROUTE, codec: 'json', source, mappingVersion: this.#version };
      this.#origins.set(key, origin);
    }
    return origin;
  }
}
