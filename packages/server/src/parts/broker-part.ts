/** The part `broker`: who may connect, and the listeners, closed long before the log, so that what comes in always has somewhere to go: the log. */
import { FieldlineError, messageOf } from '@fieldline/kit';
import type { Installation } from '../installation.ts';

export async function startListeners(of: Installation): Promise<void> {
  await followDirectory(of);
  try {
    of.mqtt = await of.brokerThread.host.listen();
  } catch (error) {
    const { tls, ws } = of.config.broker;
    const settings = `broker.host and broker.port${tls.certFile === '' ? '' : ', broker.tls.*'}${ws.enabled ? ', broker.ws.*' : ''}`;
    throw new FieldlineError('CONFIG_INVALID', `${messageOf(error)} (settings ${settings})`, { cause: error });
  }
}

export async function stopListeners(of: Installation): Promise<void> {
  await of.brokerThread?.host.closeListeners();
}

/** The broker knows devices and mappings, not series: those come by the thousand and would empty its routes for nothing. */
async function followDirectory(of: Installation): Promise<void> {
  const { host } = of.brokerThread;
  await host.loadDirectory({ ...of.directorySnapshot, series: [] });
  of.directoryReached.note('broker', of.directorySnapshot.version);
  of.endings.push(
    of.catalog.system.directory.watch(of.directorySnapshot.version, (changes) => {
      const concerning = changes.filter(({ kind }) => kind !== 'series');
      const applied = concerning.length > 0 ? host.applyDirectory(concerning) : Promise.resolve();
      of.directoryReached.noteWhen(applied, 'broker', changes.at(-1)!.version);
    }),
  );
}
