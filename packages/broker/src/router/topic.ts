/** Topic names and topic filters (MQTT 5, 4.7): what is well formed, and what a shared subscription's filter consists of. */
import { malformed, ProtocolError } from '../packets/protocol-error.ts';
import { REASON } from '../packets/reason-codes.ts';

/** Throws where a topic name is empty or holds a wildcard. [MQTT-4.7.3-1], [MQTT-3.3.2-2] */
export function checkTopicName(topic: string): void {
  if (topic.length === 0) throw malformed('the topic name is empty');
  for (let index = 0; index < topic.length; index++) {
    const code = topic.charCodeAt(index);
    if (code === 0x23 || code === 0x2b) throw malformed('the topic name contains a wildcard');
  }
}

/** Throws where a topic has more levels or characters than this broker takes (0x90). */
export function checkTopicSize(topic: string, lengthMax: number, levelsMax: number): void {
  if (topic.length > lengthMax) {
    throw new ProtocolError(
      REASON.topicNameInvalid,
      `a topic of ${topic.length} characters; at most ${lengthMax} are taken`,
    );
  }
  if (levelCount(topic) > levelsMax) {
    throw new ProtocolError(
      REASON.topicNameInvalid,
      `a topic of ${levelCount(topic)} levels; at most ${levelsMax} are taken`,
    );
  }
}

/** Throws where '#' is not a whole last level or '+' not a whole level (4.7.1). */
export function checkTopicFilter(filter: string): void {
  if (filter.length === 0) throw malformed('the topic filter is empty'); // [MQTT-4.7.3-1]
  const levels = filter.split('/');
  for (const [index, level] of levels.entries()) {
    if (level.length === 1) {
      if (level === '#' && index !== levels.length - 1)
        throw malformed("'#' stands before the end of the topic filter"); // [MQTT-4.7.1-1]
    } else if (/[+#]/.test(level)) {
      throw malformed(`the level "${level}" of the topic filter mixes a wildcard with text`); // [MQTT-4.7.1-2]
    }
  }
}

export interface FilterParts {
  /** Name of the share; null for an ordinary subscription. */
  readonly share: string | null;
  /** What topics are matched against. */
  readonly filter: string;
}

/** Takes `$share/{name}/{filter}` apart (4.8.2); checks both kinds. */
export function parseFilter(text: string): FilterParts {
  checkTopicFilter(text);
  if (!text.startsWith('$share/')) return { share: null, filter: text };
  const nameEnd = text.indexOf('/', 7);
  const share = nameEnd < 0 ? '' : text.slice(7, nameEnd);
  // [MQTT-4.8.2-1], [-2]: at least one character, no wildcard, and a filter behind it.
  if (share === '' || /[+#]/.test(share))
    throw malformed(`"${text}" is not a shared subscription: $share/{name}/{filter}`);
  const filter = text.slice(nameEnd + 1);
  checkTopicFilter(filter);
  return { share, filter };
}

/** Whether a topic name is under a filter (4.7); of a shared subscription, under the part behind the name of the share. */
export function isUnder(topic: string, filter: string): boolean {
  const levels = topic.split('/');
  const wanted = filter.split('/');
  if (topic.startsWith('$') && (wanted[0] === '#' || wanted[0] === '+')) return false; // [MQTT-4.7.2-1]
  for (const [index, level] of wanted.entries()) {
    if (level === '#') return true; // The level above, too (4.7.1.2).
    if (index >= levels.length || (level !== '+' && level !== levels[index])) return false;
  }
  return wanted.length === levels.length;
}

export function levelCount(topic: string): number {
  let count = 1;
  for (let index = 0; index < topic.length; index++) if (topic.charCodeAt(index) === 0x2f) count += 1;
  return count;
}
