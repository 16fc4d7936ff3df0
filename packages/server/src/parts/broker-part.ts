/** The part `broker`: the broker's listeners, opened last and closed first, so that what comes in always has somewhere to go. */
import { FieldlineError, messageOf } from '@fieldline/kit';
import type { Installation } from '../installation.ts';

export async function startListeners(of: Installation): Promise<void> {
  try {
    of.mqtt = await of.brokerThread.host.listen();
  } catch (error) {
    const { tls } = of.config.broker;
    const settings = `broker.host and broker.port${tls.certFile === '' ? '' : ', broker.tls.*'}`;
    throw new FieldlineError('CONFIG_INVALID', `${messageOf(error)} (settings ${settings})`, { cause: error });
  }
}

export async function stopListeners(of: Installation): Promise<void> {
  await of.brokerThread?.host.closeListeners();
}
