/** Every byte budget as gauges: what is used in all and by the largest holder, and the limit beside it. Read at each scrape. */
import type { Metrics } from '@fieldline/kit';
import type { BrokerContext } from './broker-context.ts';
import { NOTED_BYTES_MAX } from './session/journal-session-store.ts';

interface Row {
  readonly budget: 'log' | 'unread' | 'queue' | 'queue-memory' | 'journal' | 'partial' | 'retained' | 'subscriptions';
  readonly scope: 'total' | 'organization' | 'device' | 'connection';
  readonly used: number;
  readonly limit: number;
}

export function registerBudgetGauges(metrics: Metrics, context: BrokerContext): void {
  const labels = ['budget', 'scope'] as const;
  const used = 'Bytes held; organization, device and connection: by the one that holds most';
  metrics.gauge('mqtt_budget_used_bytes', used, labels, (gauge) => {
    for (const { budget, scope, used } of rowsOf(context)) gauge.set({ budget, scope }, used);
  });
  metrics.gauge('mqtt_budget_limit_bytes', 'Most bytes that may be held', labels, (gauge) => {
    for (const { budget, scope, limit } of rowsOf(context)) gauge.set({ budget, scope }, limit);
  });
  metrics.gauge('mqtt_sessions_of_one_device', 'Sessions of the device with the most of them', [], (gauge) =>
    gauge.set(context.budgets.mostSessions),
  );
}

function rowsOf({ budgets, limits, connections, registry, router, spool, store }: BrokerContext): Row[] {
  const { total } = budgets;
  const most = { log: 0, unread: 0, partial: 0, queue: 0 };
  for (const { held } of connections) {
    most.log = Math.max(most.log, held.log);
    most.unread = Math.max(most.unread, held.unread);
    most.partial = Math.max(most.partial, held.partial);
  }
  for (const { outbound } of registry.all) {
    most.queue = Math.max(most.queue, outbound.queuedBytes);
  }
  const row = (budget: Row['budget'], scope: Row['scope'], used: number, limit: number): Row => ({
    budget,
    scope,
    used,
    limit,
  });
  const ofDevice = budgets.largestOfDevices.bind(budgets);
  return [
    row('log', 'total', total.log, limits.pendingBytesMax),
    row('log', 'device', ofDevice('log'), limits.pendingBytesPerDeviceMax),
    row('log', 'connection', most.log, limits.pendingBytesPerConnectionMax),
    row('unread', 'total', total.unread, limits.outboundBytesMax),
    row('unread', 'device', ofDevice('unread'), limits.outboundBytesPerDeviceMax),
    row('unread', 'connection', most.unread, limits.outboundBytesPerConnectionMax),
    row('queue', 'total', total.queue + total.inFlight, limits.queueBytesMax),
    row('queue', 'device', ofDevice('queue'), limits.queueBytesPerDeviceMax),
    row('queue', 'connection', most.queue, limits.queueBytesPerSessionMax),
    row('queue-memory', 'total', spool.objectBytes, limits.queueMemoryBytesMax),
    row('journal', 'total', store.waitingBytes, NOTED_BYTES_MAX),
    row('partial', 'total', total.partial, limits.partialBytesMax),
    row('partial', 'device', ofDevice('partial'), limits.partialBytesPerDeviceMax),
    row('partial', 'connection', most.partial, limits.packetBytesMax),
    row('retained', 'total', total.retained, limits.retainedBytesMax),
    row('retained', 'organization', router.largestOfOrganizations('retained'), limits.retainedBytesPerOrganizationMax),
    row('retained', 'device', ofDevice('retained'), limits.retainedBytesPerDeviceMax),
    row('subscriptions', 'total', total.subscriptions, limits.subscriptionBytesMax),
    row(
      'subscriptions',
      'organization',
      router.largestOfOrganizations('subscriptions'),
      limits.subscriptionBytesPerOrganizationMax,
    ),
    row('subscriptions', 'device', ofDevice('subscriptions'), limits.subscriptionBytesPerDeviceMax),
  ];
}
