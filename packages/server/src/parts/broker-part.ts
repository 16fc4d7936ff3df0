/** The part `broker`: the broker's listeners, opened last and closed first, so that what comes in always has somewhere to go. */
import type { Installation } from '../installation.ts';

export async function startListeners(of: Installation): Promise<void> {
  of.mqtt = await of.brokerThread.host.listen();
}

export async function stopListeners(of: Installation): Promise<void> {
  await of.brokerThread?.host.closeListeners();
}
