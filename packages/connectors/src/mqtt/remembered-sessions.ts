/**
 * What the bridge has left at external brokers: its sessions and what they are subscribed to. A broker keeps both while the bridge
 * is away, so what a changed setting does not want any more has to be ended there, or it would go on sending, or go on
 * keeping messages that nobody fetches. Written before a broker is told, so it never says less than there is.
 *
 *   file: JSON { "version": 1, "sessions": [{ "address", "clientId", "subscriptions": ["$share/group/filter"] }] }
 */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { FieldlineError, makeDirectorySync, messageOf, replaceFile } from '@fieldline/kit';

export interface RememberedSession {
  /** Of the broker, without user name and password. */
  readonly address: string;
  readonly clientId: string;
  readonly subscriptions: readonly string[];
}

const VERSION = 1;

export class RememberedSessions {
  readonly #path: string;
  #sessions: readonly RememberedSession[];
  #writing: Promise<void> = Promise.resolve();

  /** Throws FORMAT_TOO_NEW or CONFIG_INVALID where the file is there and cannot be used. */
  constructor(path: string) {
    this.#path = path;
    this.#sessions = read(path);
  }

  /** Those at this broker. */
  at(address: string): readonly RememberedSession[] {
    return this.#sessions.filter((session) => session.address === address);
  }

  /** Takes the place of what was known of this session; durable when it resolves. */
  note(session: RememberedSession): Promise<void> {
    return this.#replace([...this.#others(session), session]);
  }

  /** The session has ended. */
  forget(session: Pick<RememberedSession, 'address' | 'clientId'>): Promise<void> {
    return this.#replace(this.#others(session));
  }

  #others({ address, clientId }: Pick<RememberedSession, 'address' | 'clientId'>): RememberedSession[] {
    return this.#sessions.filter((other) => other.address !== address || other.clientId !== clientId);
  }

  #replace(sessions: readonly RememberedSession[]): Promise<void> {
    this.#sessions = sessions;
    this.#writing = this.#writing.catch(() => {}).then(() => write(this.#path, sessions));
    return this.#writing;
  }
}

function read(path: string): readonly RememberedSession[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return []; // Nothing was ever left anywhere.
  }
  let found: { version?: unknown; sessions?: RememberedSession[] };
  try {
    found = JSON.parse(text) as typeof found;
  } catch (error) {
    throw new FieldlineError(
      'CONFIG_INVALID',
      `${path}: ${messageOf(error)}; it names the bridge's sessions at external brokers. Move it away; sessions that are not wanted any more then have to be ended there by hand`,
    );
  }
  if (found.version === VERSION && Array.isArray(found.sessions)) return found.sessions;
  throw new FieldlineError('FORMAT_TOO_NEW', `${path}: version ${String(found.version)} is not known, only ${VERSION}`);
}

async function write(path: string, sessions: readonly RememberedSession[]): Promise<void> {
  makeDirectorySync(dirname(path));
  await replaceFile(path, [Buffer.from(`${JSON.stringify({ version: VERSION, sessions }, null, 2)}\n`)]);
}
