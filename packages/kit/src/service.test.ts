import { expect, test } from 'vitest';
import { Service } from './service.ts';

test('starts once, stops once, tells its state', async () => {
  const log: string[] = [];
  let problem: string | null = null;
  const service = new Service('s', {
    start: () => void log.push('start'),
    stop: () => void log.push('stop'),
    problem: () => problem,
  });
  expect(service.health()).toEqual({ name: 's', state: 'new', ready: false });
  await Promise.all([service.start(), service.start()]);
  expect(service.health()).toEqual({ name: 's', state: 'running', ready: true });
  problem = 'cable out';
  expect(service.health()).toEqual({ name: 's', state: 'running', ready: false, problem: 'cable out' });
  problem = null;
  await Promise.all([service.stop(), service.stop()]);
  expect([service.state, log]).toEqual(['stopped', ['start', 'stop']]);
});

test('a start that fails is told; stopping what was never started is fine', async () => {
  const failing = new Service('f', { start: () => Promise.reject(new Error('no room')), stop: () => {} });
  await expect(failing.start()).rejects.toThrow('no room');
  expect(failing.health()).toMatchObject({ state: 'failed', ready: false, problem: 'no room' });
  const unused = new Service('u', { start: () => {}, stop: () => Promise.reject(new Error('never called')) });
  await unused.stop();
  expect(unused.state).toBe('stopped');
});
