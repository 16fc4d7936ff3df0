/**
 * Sends a vector over a socket of its own and says what came back in words. A message with QoS 1 behind the vector shows
 * that the connection goes on, and that nothing more is to come: its acknowledgement is behind all others.
 */
import { HexClient, text } from '../testing/harness.ts';
import { packet } from './bytes.ts';
import { describePackets } from './describe-packets.ts';
import type { PacketVector } from './vector.ts';

const PROBE_ID = 0xffff;
const ANSWER_WITHIN_MS = 5_000;

/** What is amiss, for a person; null = the broker answered as the vector says. */
export async function runVector(port: number, vector: PacketVector): Promise<string | null> {
  const client = new HexClient(port);
  client.socket.setNoDelay(true);
  try {
    const answer = await answerTo(client, vector);
    if (answer === vector.answer) return null;
    const { clause, name, version, bytes } = vector;
    const shown = bytes.length > 200 ? `${bytes.slice(0, 200)}…` : bytes;
    return `[${clause}] ${name}, version ${version}: answered "${answer}", must be "${vector.answer}"; sent ${shown}`;
  } finally {
    client.socket.destroy();
  }
}

async function answerTo(client: HexClient, vector: PacketVector): Promise<string> {
  const { version, bytes } = vector;
  const said = (): string[] => describePackets(client.received, version);
  if (vector.sent === 'connected') {
    client.send(connectBefore(vector));
    if (!(await happens(client, () => said().length > 0)) || said()[0] !== 'CONNACK 0x00')
      return `${said()} to CONNECT`;
    client.received = Buffer.alloc(0);
  }
  client.send(bytes);
  if (vector.isCutOff) client.socket.end();
  else client.send(packet('32', text('v1/telemetry/org-1/vector'), 'ffff', version === 5 ? '00' : '', '7b7d'));
  const isProbeAnswer = (words: string): boolean => words.startsWith(`PUBACK ${PROBE_ID}`);
  const hasEnded = await happens(client, () => client.isClosed || said().some(isProbeAnswer));
  const answers = said().filter((words) => !isProbeAnswer(words));
  if (!hasEnded) answers.push('then nothing');
  if (client.isClosed) answers.push('closed');
  return answers.join(', ');
}

function connectBefore({ version, connectProperties = '00' }: PacketVector): string {
  const block = version === 5 ? connectProperties : '';
  return packet('10', text('MQTT'), `0${version} c2 0000`, block, text('vector'), text('vector'), text('secret'));
}

/** Looks whenever bytes come or the socket closes. False where it did not happen in time. */
function happens(client: HexClient, condition: () => boolean): Promise<boolean> {
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      client.socket.off('data', look).off('close', look);
      resolve(condition());
    };
    const look = (): void => {
      if (condition()) finish();
    };
    const timer = setTimeout(finish, ANSWER_WITHIN_MS);
    client.socket.on('data', look).on('close', look);
    look();
  });
}
