/** A device's status: dot and word; the shape differs too, so that colour is never alone. */
import { t } from '../i18n/index.ts';

export function StatusDot({ status }: { readonly status: 'online' | 'offline' | 'unknown' }) {
  return (
    <span className="fl-status">
      <span className="fl-dot" data-status={status} aria-hidden />
      {t.devices.statuses[status]}
    </span>
  );
}
