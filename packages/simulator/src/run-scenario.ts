/**
 * Runs a scenario: connects its devices over MQTT, sends their past, then their present, until the signal aborts or the
 * scenario's time is over. Promises a clean end: what was made is sent, acknowledged or counted as given up.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { CsvMapping } from '@fieldline/codecs';
import { type Clock, FieldlineError, messageOf, sleep, systemClock } from '@fieldline/kit';
import type { Micros } from '@fieldline/model';
import type { IClientOptions } from 'mqtt';
import type { Credentials, DeviceCredential } from './credentials.ts';
import { topicOf } from './message.ts';
import { MqttLink } from './mqtt-link.ts';
import { patternReadings } from './pattern-readings.ts';
import { createRandom } from './random.ts';
import type { ReadingSource } from './reading.ts';
import { type Recording, readRecording } from './recording.ts';
import { replayReadings } from './replay-readings.ts';
import type { ReplaySettings, Scenario, ScenarioDevice } from './scenario.ts';
import { Statistics, type StatisticsSnapshot, statisticsLine } from './statistics.ts';
import { VirtualDevice } from './virtual-device.ts';

const TICK_MS = 20;
/** Connections are opened one after the other, so that thousands do not come in the same instant. */
const CONNECT_SPACING_MS = 2;
const STOP_GRACE_MS = 5000;
const STATISTICS_INTERVAL_MS = 10_000;
const BUFFER_MESSAGES_MAX = 10_000;
const PAUSE_MS_MAX = 60_000;

export interface RunOptions {
  /** Folder to which file names in the scenario are relative; default: the working folder. */
  readonly folder?: string;
  /** Override what the scenario says. */
  readonly host?: string;
  readonly port?: number;
  readonly organization?: string;
  readonly credentials?: Credentials;
  /** Whether the `history` of devices is sent before the present; default true. */
  readonly history?: boolean;
  readonly signal?: AbortSignal;
  /** Gets a line of statistics now and then, and one sentence for each new problem of a connection. */
  readonly print?: (line: string) => void;
  readonly clock?: Clock;
}

/** Runs until it is told to stop or the scenario ends; resolves with the final count. */
export async function runScenario(scenario: Scenario, options: RunOptions = {}): Promise<StatisticsSnapshot> {
  const { signal = new AbortController().signal, print = () => {}, clock = systemClock } = options;
  const startTime = clock.nowMicros();
  const statistics = new Statistics();
  const sources = await sourcesOf(scenario, options.folder ?? '.', startTime);
  const connect = await connector(scenario, options, statistics, print);
  const devices: VirtualDevice[] = [];
  const report = setInterval(
    () => print(statisticsLine(statistics.snapshot())),
    scenario.statisticsIntervalMs ?? STATISTICS_INTERVAL_MS,
  );
  const ending = endOf(signal, scenario.durationMs);
  let ticker: NodeJS.Timeout | undefined;
  try {
    for (const [key, { settings, source }] of sources) {
      if (ending.aborted) break;
      const random = createRandom(`${scenario.seed ?? 1}/${key}/behavior`);
      devices.push(
        new VirtualDevice({ key, settings, source, random, statistics, link: connect(key, settings) }, startTime),
      );
      if (sources.size > 50) await sleep(CONNECT_SPACING_MS, ending);
    }
    const live = new Set<VirtualDevice>();
    ticker = setInterval(() => {
      const now = clock.nowMicros();
      for (const device of live) device.tick(now);
    }, TICK_MS);
    await Promise.all(
      devices.map(async (device) => {
        const history = options.history === false ? undefined : sources.get(device.key)!.settings.history;
        if (history !== undefined) await device.sendHistory(history, startTime, ending);
        live.add(device);
      }),
    );
    await aborted(ending);
  } finally {
    clearInterval(ticker);
    await Promise.all(devices.map((device) => device.stop(STOP_GRACE_MS)));
    clearInterval(report);
  }
  const result = statistics.snapshot();
  print(statisticsLine(result));
  return result;
}

function endOf(signal: AbortSignal, durationMs: number | undefined): AbortSignal {
  return durationMs === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(durationMs)]);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

type Sources = Map<string, { settings: ScenarioDevice; source: ReadingSource }>;

/** A source for each device, by key; a file that several devices replay is read once. */
async function sourcesOf(scenario: Scenario, folder: string, startTime: Micros): Promise<Sources> {
  const recordings = new Map<string, Recording>();
  const sources: Sources = new Map();
  for (const settings of scenario.devices) {
    const keys = settings.count === undefined ? [settings.key] : numbered(settings.key, settings.count);
    for (const key of keys) {
      const source =
        settings.replay === undefined
          ? patternReadings(settings.metrics ?? {}, settings.ratePerSecond ?? 1, `${scenario.seed ?? 1}/${key}`)
          : await replaySource(settings.replay, folder, recordings, startTime);
      if (sources.has(key)) throw new FieldlineError('CONFIG_INVALID', `scenario: there are two devices "${key}"`);
      sources.set(key, { settings, source });
    }
  }
  return sources;
}

function numbered(key: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${key}-${index + 1}`);
}

async function replaySource(
  replay: ReplaySettings,
  folder: string,
  recordings: Map<string, Recording>,
  startTime: Micros,
): Promise<ReadingSource> {
  const file = path.resolve(folder, replay.file);
  const cacheKey = JSON.stringify([file, replay.mapping, replay.pauseMsMax]);
  let recording = recordings.get(cacheKey);
  if (recording === undefined) {
    recording = await readRecording(file, (replay.mapping ?? {}) as CsvMapping, replay.pauseMsMax ?? PAUSE_MS_MAX);
    recordings.set(cacheKey, recording);
  }
  const startElapsed = replay.startAt === undefined ? 0 : recording.elapsedAt(replay.startAt);
  return replayReadings(recording, { startTime, startElapsed, speed: replay.speed ?? 1, loop: replay.loop ?? true });
}

/** How a device gets its connection: address, credentials, topic. */
async function connector(
  scenario: Scenario,
  options: RunOptions,
  statistics: Statistics,
  print: (line: string) => void,
): Promise<(key: string, settings: ScenarioDevice) => MqttLink> {
  const { host = '127.0.0.1', tls = false, caFile, port = tls ? 8883 : 1883 } = scenario.broker ?? {};
  const url = `${tls ? 'mqtts' : 'mqtt'}://${hostForUrl(options.host ?? host)}:${options.port ?? port}`;
  const organization = options.organization ?? options.credentials?.organization ?? scenario.organization;
  const ca = caFile === undefined ? undefined : await readPem(path.resolve(options.folder ?? '.', caFile));
  return (key, settings) => {
    const credential = options.credentials?.devices[key] ?? {};
    const topic = topicOf(settings, key, organization ?? '');
    if (topic.includes('//') || topic.endsWith('/')) {
      throw new FieldlineError(
        'CONFIG_INVALID',
        `device ${key}: topic "${topic}" has an empty level; set organization`,
      );
    }
    statistics.devices += 1;
    return new MqttLink({
      url,
      client: { ...login(key, settings, credential, organization), ...(ca && { ca }) },
      topic,
      bufferMessagesMax: settings.behavior?.bufferMessagesMax ?? BUFFER_MESSAGES_MAX,
      statistics,
      onProblem: (problem) => print(`${key} at ${url}: ${problem}`),
    });
  };
}

function login(
  key: string,
  settings: ScenarioDevice,
  credential: DeviceCredential,
  organization: string | undefined,
): IClientOptions {
  const clientId = `simulator-${key}-${process.pid}`;
  const { certificate, privateKey } = credential;
  if (certificate !== undefined && privateKey !== undefined) return { clientId, cert: certificate, key: privateKey };
  const username =
    credential.username ?? settings.username ?? (organization === undefined ? key : `${organization}/${key}`);
  const password = credential.token ?? settings.token;
  return password === undefined ? { clientId } : { clientId, username, password };
}

function hostForUrl(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

async function readPem(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new FieldlineError('CONFIG_INVALID', `broker.caFile ${file}: ${messageOf(error)}`, { cause: error });
  }
}
