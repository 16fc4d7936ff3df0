/** What a running server says of itself at /metrics. */
import type { RunningServer } from '../tests/support/server-process.ts';

/** Values by name and labels, as they stand there. */
export type Figures = ReadonlyMap<string, number>;

export async function metricsOf(server: RunningServer): Promise<Figures> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const rows = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(rows.map((row) => [row.slice(0, row.lastIndexOf(' ')), Number(row.slice(row.lastIndexOf(' ') + 1))]));
}

/** Over all labels. */
export function sum(figures: Figures, name: string): number {
  return [...figures].filter(([key]) => key.startsWith(name)).reduce((total, [, value]) => total + value, 0);
}

/** Totals that are beyond their limit by more than what is on the way of one turn. */
export async function budgetsExceeded(server: RunningServer): Promise<string[]> {
  const figures = await metricsOf(server);
  return [...figures].flatMap(([key, used]) => {
    if (!/^(ws|mqtt)_budget_used_bytes/.test(key) || !key.includes('total')) return [];
    const limit = figures.get(key.replace('_used_', '_limit_'))!;
    return used > 1.25 * limit ? [`${key} ${used}`] : [];
  });
}
