/** The icon of a kind of device. */
import { Bot, Box, Cog, Cpu, type LucideIcon, Router, Thermometer } from 'lucide-react';
import { t } from '../i18n/index.ts';

const ICONS = { robot: Bot, plc: Cpu, sensor: Thermometer, gateway: Router, machine: Cog, other: Box } as const;
export type DeviceKind = keyof typeof ICONS;

export function KindIcon({ kind, size = 16 }: { readonly kind: DeviceKind; readonly size?: number }) {
  const Icon: LucideIcon = ICONS[kind];
  return <Icon size={size} strokeWidth={1.75} aria-label={t.devices.kinds[kind]} role="img" />;
}
