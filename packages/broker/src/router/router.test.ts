/** Subscriptions and retained messages against a plain matcher that follows the text of MQTT 5, 4.7. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NO_BYTES } from '../message.ts';
import { RetainedTree } from './retained-tree.ts';
import { SubscriptionTrie } from './subscription-trie.ts';

function matches(filter: string, topic: string): boolean {
  if (/^[+#]/.test(filter) && topic.startsWith('$')) return false;
  const filterLevels = filter.split('/');
  const topicLevels = topic.split('/');
  for (const [index, level] of filterLevels.entries()) {
    if (level === '#') return true;
    if (index >= topicLevels.length || (level !== '+' && level !== topicLevels[index])) return false;
  }
  return filterLevels.length === topicLevels.length;
}

const cases: [filter: string, topic: string, expected: boolean][] = [
  ['sport/tennis/player1/#', 'sport/tennis/player1', true],
  ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon', true],
  ['sport/tennis/+', 'sport/tennis/player1', true],
  ['sport/tennis/+', 'sport/tennis/player1/ranking', false],
  ['sport/+', 'sport', false],
  ['sport/+', 'sport/', true],
  ['+/+', '/finance', true],
  ['/+', '/finance', true],
  ['+', '/finance', false],
  ['#', '$SYS/x', false],
  ['+/monitor', '$SYS/monitor', false],
  ['$SYS/#', '$SYS/x', true],
  ['$SYS/monitor/+', '$SYS/monitor/clients', true],
  ['a//b', 'a//b', true],
  ['A', 'a', false],
];

describe('the examples of the specification (4.7)', () => {
  test.each(cases)('%s and %s: %s', (filter, topic, expected) => {
    expect(matches(filter, topic)).toBe(expected);
    expect(subscribers([filter], topic)).toEqual(expected ? [filter] : []);
    expect(retained([topic], filter)).toEqual(expected ? [topic] : []);
  });
});

const level = fc.constantFrom('', 'a', 'b', '$x');
const topics = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'));
const filters = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, wild]) => [...levels, ...(wild ? ['#'] : [])].join('/'));

test('subscriptions', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(filters, { maxLength: 12 }),
      topics.filter((topic) => topic !== ''),
      (given, topic) => {
        expect(subscribers(given.filter(Boolean), topic)).toEqual(
          given
            .filter(Boolean)
            .filter((filter) => matches(filter, topic))
            .sort(),
        );
      },
    ),
  );
});

test('retained messages', () => {
  fc.assert(
    fc.property(fc.uniqueArray(topics.filter(Boolean), { maxLength: 12 }), filters.filter(Boolean), (given, filter) => {
      expect(retained(given, filter)).toEqual(given.filter((topic) => matches(filter, topic)).sort());
    }),
  );
});

test('what was removed is gone, with its nodes and bytes', () => {
  const trie = new SubscriptionTrie<string>();
  const subscription = { filter: 'a/+/#', qos: 1 as const, noLocal: false, retainAsPublished: false, identifier: 0 };
  expect(trie.add('x', subscription)).toBe(true);
  expect(trie.add('x', subscription)).toBe(false);
  expect(trie.size).toBe(1);
  expect(trie.remove('x', 'a/+/#')).toBe(true);
  expect(trie.remove('x', 'a/+/#')).toBe(false);
  expect(trie.size).toBe(0);
  const tree = new RetainedTree();
  tree.set(message('a/b'));
  tree.set(message('a/b'));
  expect(tree.count).toBe(1);
  expect(tree.remove('a/b')).toBe(true);
  expect(tree.remove('a')).toBe(false);
  expect(tree.byteLength).toBe(0);
});

test('expired retained messages are not given out, and go', () => {
  const tree = new RetainedTree();
  tree.set({ ...message('a'), expiresAtMs: 100 });
  expect([...tree.match('#', 99)]).toHaveLength(1);
  expect([...tree.match('#', 100)]).toHaveLength(0);
  expect(tree.expire(100)).toEqual(['a']);
  expect(tree.byteLength).toBe(0);
});

function message(topic: string): Parameters<RetainedTree['set']>[0] {
  return {
    topic,
    payload: new Uint8Array(3),
    qos: 1,
    retain: true,
    properties: NO_BYTES,
    expiresAtMs: Number.POSITIVE_INFINITY,
  };
}

function subscribers(given: readonly string[], topic: string): string[] {
  const trie = new SubscriptionTrie<string>();
  for (const filter of given)
    trie.add(filter, { filter, qos: 0, noLocal: false, retainAsPublished: false, identifier: 0 });
  const found: string[] = [];
  trie.match(
    topic,
    (subscriber) => found.push(subscriber),
    () => {},
  );
  return found.sort();
}

function retained(given: readonly string[], filter: string): string[] {
  const tree = new RetainedTree();
  for (const topic of given) tree.set(message(topic));
  return [...tree.match(filter, 0)].map(({ topic }) => topic).sort();
}
