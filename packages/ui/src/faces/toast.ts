/** Toasts: what was done, or what could not be. */
import { notifications } from '@mantine/notifications';
import { sayError } from '../api/client.ts';
import { t } from '../i18n/index.ts';

export function toastDone(message: string): void {
  notifications.show({ message, color: 'green', autoClose: 3500 });
}

export function toastError(error: unknown): void {
  notifications.show({ title: t.common.notSaved, message: sayError(error), color: 'red', autoClose: 9000 });
}
