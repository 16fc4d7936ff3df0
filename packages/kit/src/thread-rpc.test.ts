import { MessageChannel } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { FieldlineError } from './errors.ts';
import { expose, type Remote, remote, transfer } from './thread-rpc.ts';

interface Target {
  add(a: number, b: number): number;
  fail(): Promise<void>;
  crash(): void;
  never(): Promise<void>;
  bytes(): Uint8Array;
}

function pair(callsMax?: number): { far: Remote<Target>; end: () => void } {
  const { port1, port2 } = new MessageChannel();
  expose(port1, {
    add: (a, b) => a + b,
    fail: async () => {
      throw new FieldlineError('NOT_FOUND', 'no such thing', { details: { id: 7 } });
    },
    crash: () => {
      throw new TypeError('bug');
    },
    never: () => new Promise(() => {}),
    bytes: () => {
      const bytes = new Uint8Array([1, 2, 3]);
      return transfer(bytes, [bytes.buffer]);
    },
  } satisfies Target);
  return { far: remote<Target>(port2, callsMax), end: () => port1.close() };
}

test('calls give results, in any number at a time', async () => {
  const { far, end } = pair();
  expect(await Promise.all([far.add(1, 2), far.add(3, 4)])).toEqual([3, 7]);
  expect(await far.bytes()).toEqual(new Uint8Array([1, 2, 3]));
  end();
});

test('errors keep their code, message and details; others are internal', async () => {
  const { far, end } = pair();
  await expect(far.fail()).rejects.toMatchObject({ code: 'NOT_FOUND', message: 'no such thing', details: { id: 7 } });
  await expect(far.crash()).rejects.toMatchObject({ code: 'INTERNAL', message: 'bug' });
  end();
});

test('one call too many is refused; when the other side ends, open calls and later ones fail', async () => {
  const { far, end } = pair(1);
  const open = far.never();
  await expect(far.add(1, 1)).rejects.toMatchObject({ code: 'OVERLOADED' });
  end();
  await expect(open).rejects.toMatchObject({ code: 'STOPPED' });
  await expect(far.add(1, 1)).rejects.toMatchObject({ code: 'STOPPED' });
});
