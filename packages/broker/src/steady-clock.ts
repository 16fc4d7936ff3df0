/**
 * A clock for expiry: its wall time starts with the machine's and goes on with the monotonic one. So a machine whose time is set
 * (an edge box without a battery that finds its time server after hours) ends no session, sends no will and expires no message
 * early or late. Received times stay the machine's own.
 */
import type { Clock } from '@fieldline/kit';

export function steadyClock(clock: Clock): Clock {
  const startMs = clock.nowMs() - clock.monotonicMs();
  return {
    nowMicros: () => clock.nowMicros(),
    nowMs: () => Math.floor(startMs + clock.monotonicMs()),
    monotonicMs: () => clock.monotonicMs(),
  };
}
