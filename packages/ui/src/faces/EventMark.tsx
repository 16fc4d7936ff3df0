/** What happened, as icon and words; types that are not known yet are shown as they are called. */
import { Activity, CircleSlash, HardDrive, type LucideIcon, PlugZap, Plus, Unplug } from 'lucide-react';
import { t } from '../i18n/index.ts';

const LOOK: Readonly<Record<string, { icon: LucideIcon; color: string }>> = {
  DEVICE_CONNECTED: { icon: PlugZap, color: 'var(--fl-good)' },
  DEVICE_DISCONNECTED: { icon: Unplug, color: 'var(--fl-bad)' },
  DEVICE_CONNECT_REFUSED: { icon: CircleSlash, color: 'var(--fl-warn)' },
  DEVICE_REGISTERED: { icon: Plus, color: 'var(--fl-accent)' },
  STORAGE_LOW: { icon: HardDrive, color: 'var(--fl-warn)' },
  STORAGE_FULL: { icon: HardDrive, color: 'var(--fl-bad)' },
  STORAGE_FREED: { icon: HardDrive, color: 'var(--fl-good)' },
};

export function EventMark({ type }: { readonly type: string }) {
  const { icon: Icon, color } = LOOK[type] ?? { icon: Activity, color: 'var(--fl-idle)' };
  return (
    <span className="fl-status">
      <Icon size={15} strokeWidth={1.75} style={{ color, flex: 'none' }} aria-hidden />
      {t.events.types[type] ?? type}
    </span>
  );
}

/** The payload of an event in one line: reason first, then what else is text or number. */
export function eventDetails(payload: Readonly<Record<string, unknown>>): string {
  const { reason, ...rest } = payload;
  const others = Object.entries(rest)
    .filter(([, value]) => typeof value === 'string' || typeof value === 'number')
    .map(([name, value]) => `${name} ${String(value)}`);
  return [...(typeof reason === 'string' ? [reason] : []), ...others].join(' · ');
}
