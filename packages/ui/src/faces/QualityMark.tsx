/** A sample's quality: icon and word. */
import { CircleCheck, CircleX, TriangleAlert } from 'lucide-react';
import { t } from '../i18n/index.ts';

const LOOK = {
  good: { icon: CircleCheck, color: 'var(--fl-good)' },
  uncertain: { icon: TriangleAlert, color: 'var(--fl-warn)' },
  bad: { icon: CircleX, color: 'var(--fl-bad)' },
} as const;

export function QualityMark({ quality }: { readonly quality: keyof typeof LOOK }) {
  const { icon: Icon, color } = LOOK[quality];
  return (
    <span className="fl-status" style={{ gap: 5 }}>
      <Icon size={14} style={{ color }} aria-hidden />
      <span className={quality === 'good' ? 'fl-faint' : ''}>{t.latest.qualities[quality]}</span>
    </span>
  );
}
