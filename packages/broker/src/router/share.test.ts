/** Which member of a shared subscription gets a message (MQTT 5, 4.8.2). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type MemberCheck, Share } from './share.ts';

const ALL: MemberCheck<string> = { isReady: () => true, hasRoom: () => true };

function shareOf(...members: string[]): Share<string> {
  const share = new Share<string>();
  for (const member of members) {
    share.add(member, { filter: '$share/g/#', qos: 1, noLocal: false, retainAsPublished: false, identifier: 0 });
  }
  return share;
}

describe('fair', () => {
  test('members take turns', () => {
    const share = shareOf('x', 'y', 'z');
    const chosen = Array.from({ length: 9 }, () => share.choose('a', ALL)!.member);
    expect(chosen).toEqual(['y', 'z', 'x', 'y', 'z', 'x', 'y', 'z', 'x']);
  });

  const cases: [name: string, ready: string, room: string, expected: string][] = [
    ['ready before slow', 'xz', 'xyz', 'xz'],
    ['slow with room before one without', '', 'y', 'y'],
    ['ready, but without room: somebody slow', 'x', 'yz', 'yz'],
    ['nobody: somebody all the same, it waits there', '', '', 'xyz'],
  ];
  test.each(cases)('%s', (_, ready, room, expected) => {
    const share = shareOf('x', 'y', 'z');
    const check = { isReady: (name: string) => ready.includes(name), hasRoom: (name: string) => room.includes(name) };
    const chosen = new Set(Array.from({ length: 6 }, () => share.choose('a', check)!.member));
    expect([...chosen].sort().join('')).toBe(expected);
  });

  test('without members there is nobody', () => {
    const share = shareOf('x');
    share.remove('x');
    expect(share.choose('a', ALL)).toBeNull();
  });
});

describe('in order', () => {
  test('a topic stays with its member while it has something unanswered, and is free afterwards', () => {
    const share = shareOf('x', 'y', 'z');
    const first = share.choose('a', ALL)!;
    first.lane.hold();
    const second = share.choose('a', ALL)!;
    second.lane.hold();
    expect(second.member).toBe(first.member);
    expect(share.choose('b', ALL)!.member).not.toBe(first.member);
    first.lane.release();
    expect(share.choose('a', ALL)!.member).toBe(first.member);
    second.lane.release();
    expect(share.laneCount).toBe(0);
    expect(share.choose('a', ALL)!.member).not.toBe(first.member);
  });

  test('a member that is gone or has no room is passed over; its late answers do no harm', () => {
    const share = shareOf('x', 'y');
    const before = share.choose('a', ALL)!;
    before.lane.hold();
    const after = share.choose('a', { isReady: () => true, hasRoom: (name) => name !== before.member })!;
    after.lane.hold();
    expect(after.member).not.toBe(before.member);
    before.lane.release();
    expect(share.choose('a', ALL)!.member).toBe(after.member);
    share.remove(after.member);
    expect(share.choose('a', ALL)!.member).toBe(before.member);
  });

  test('whatever is sent and answered, unanswered messages of a topic are at one member; at the end nothing is left', () => {
    const step = fc.record({ topic: fc.constantFrom('a', 'b', 'c'), answer: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const share = shareOf('x', 'y', 'z');
        const open = new Map<string, { member: string; lanes: { release(): void }[] }>();
        for (const { topic, answer } of steps) {
          const at = open.get(topic);
          if (answer) {
            at?.lanes.shift()?.release();
            if (at?.lanes.length === 0) open.delete(topic);
            continue;
          }
          const { member, lane } = share.choose(topic, ALL)!;
          lane.hold();
          if (at === undefined) open.set(topic, { member, lanes: [lane] });
          else {
            expect(member).toBe(at.member);
            at.lanes.push(lane);
          }
        }
        expect(share.laneCount).toBe(open.size);
        for (const { lanes } of open.values()) for (const lane of lanes) lane.release();
        expect(share.laneCount).toBe(0);
      }),
    );
  });
});
