/**
 * Lines 1 and 2: Eclipse Paho's interoperability tests (eclipse/paho.mqtt.testing, folder `interoperability`), which stay
 * outside this repository: PAHO_DIR names the folder. One process and one broker per test, so no test sees
 * another's sessions. The broker has SCORECARD's test settings: everybody may enter and everything goes between clients.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Broker, createBroker } from '@fieldline/broker';
import type { Outcome, ScorecardLine } from './line.ts';

export const mqtt5Suite: ScorecardLine = line(1, 'MQTT 5 behaviour', 'client_test5', 27);
export const mqtt311Suite: ScorecardLine = line(2, 'MQTT 3.1.1 behaviour', 'client_test', 10);

/** Most of a test is waiting. */
const AT_ONCE = 6;
const TEST_TIMEOUT_MS = 90_000;

/** What the suites' own main parts set from the command line, and one test by its name. */
const RUN_ONE = `
import logging, sys, unittest
suite = __import__(sys.argv[1])
suite.host, suite.port, suite.topic_prefix = '127.0.0.1', int(sys.argv[2]), 'client_test5/'
suite.topics = ('TopicA', 'TopicA/B', 'Topic/C', 'TopicA/C', '/TopicA')
suite.wildtopics = ('TopicA/+', '+/C', '#', '/#', '/+', '+/+', 'TopicA/#')
suite.nosubscribe_topics = ('test/nosubscribe',)
logging.getLogger().setLevel(logging.ERROR)
unittest.main(module=suite, argv=[sys.argv[1], 'Test.' + sys.argv[3]])
`;
const LIST = `
import sys, unittest
print(' '.join(unittest.defaultTestLoader.getTestCaseNames(__import__(sys.argv[1]).Test)))
`;

function line(number: number, what: string, suite: string, count: number): ScorecardLine {
  return {
    number,
    what,
    must: `${count} of ${count} of Eclipse Paho's ${suite}.py, each at its first try`,
    run: (_, say) => runSuite(suite, count, say),
  };
}

async function runSuite(suite: string, count: number, say: (line: string) => void): Promise<Outcome> {
  const folder = process.env.PAHO_DIR ?? '';
  if (folder === '' || !existsSync(join(folder, `${suite}.py`))) {
    return { passed: null, figure: `PAHO_DIR names no folder with Eclipse Paho's ${suite}.py` };
  }
  const listed = await python(folder, LIST, [suite]);
  if (listed.exitCode !== 0) return { passed: false, figure: `the suite cannot be loaded: ${listed.lastLines}` };
  const waiting = listed.lastLines.trim().split(' ');
  const failures = new Map<string, string>();
  const work = async (): Promise<void> => {
    for (let test = waiting.shift(); test !== undefined; test = waiting.shift()) {
      const failure = await runTest(folder, suite, test);
      if (failure !== null) failures.set(test, failure);
      say(`${test} ${failure === null ? 'passed' : 'failed'}`);
    }
  };
  const listedCount = waiting.length;
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const passedCount = listedCount - failures.size;
  const again = await secondTries(folder, suite, [...failures.keys()]);
  return {
    passed: passedCount === count,
    figure: `${passedCount} of ${count} at the first try${again.size === 0 ? '' : `; ${again.size} more at a second one, which does not count`}`,
    findings: [...failures].map(
      ([test, failure]) => `${test}: ${again.has(test) ? 'at the first try: ' : ''}${failure}`,
    ),
  };
}

/**
 * Those that pass with nothing beside them: the suite's client gives up after half a second without an answer, which a busy machine
 * can take. Tells where to look; the line has failed all the same.
 */
async function secondTries(folder: string, suite: string, tests: readonly string[]): Promise<Set<string>> {
  const passed = new Set<string>();
  for (const test of tests) if ((await runTest(folder, suite, test)) === null) passed.add(test);
  return passed;
}

/** Null where the test passed, else the last lines of what it said. */
async function runTest(folder: string, suite: string, test: string): Promise<string | null> {
  const broker = openBroker();
  await broker.start();
  try {
    const { exitCode, lastLines } = await python(folder, RUN_ONE, [suite, String(broker.addresses()[0]!.port), test]);
    return exitCode === 0 ? null : lastLines;
  } finally {
    await broker.stop();
  }
}

/** SCORECARD's test settings; where they are no sensible defaults, they are settings of this broker alone. */
function openBroker(): Broker {
  return createBroker({
    listeners: { tcp: [{ host: '127.0.0.1', port: 0 }] },
    limits: { keepAliveMaxS: 60, receiveMaximum: 20 },
    dataDir: null,
    authenticate: () => ({
      accepted: true,
      identity: { organizationId: 'paho', deviceId: 'anybody', kind: 'service' },
    }),
    route: () => ({ to: 'clients' }),
    maySubscribe: (_, filter) =>
      filter === 'test/nosubscribe'
        ? { allowed: false, reasonCode: 0x80, reason: 'refused for the test' }
        : { allowed: true },
    appendToLog: () => Promise.resolve(),
  });
}

async function python(
  folder: string,
  program: string,
  args: readonly string[],
): Promise<{ exitCode: number | null; lastLines: string }> {
  const child = spawn('python3', ['-B', '-c', program, ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TEST_TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const [exitCode, output, errors] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  // Some of the tests print what went wrong and pass all the same.
  if (exitCode === 0 && errors.includes('Traceback')) return { exitCode: 1, lastLines: lastOf(errors) };
  return { exitCode, lastLines: lastOf(exitCode === 0 ? output : `${output}\n${errors}`) };
}

function lastOf(output: string): string {
  return output.trim().split('\n').slice(-8).join('\n');
}
