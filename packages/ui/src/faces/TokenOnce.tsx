/** A secret that is shown this once: with its warning and a copy button. */
import { KeyRound } from 'lucide-react';
import { t } from '../i18n/index.ts';
import { CopyBlock } from './CopyBlock.tsx';

interface Props {
  readonly token: string;
  readonly note?: string;
  readonly label?: string;
}

export function TokenOnce({ token, note = t.token.once, label = t.token.title }: Props) {
  return (
    <div style={{ display: 'grid', gap: 8, gridTemplateColumns: 'minmax(0, 1fr)' }}>
      <div className="fl-stale-bar" style={{ borderRadius: 6 }}>
        <KeyRound size={15} aria-hidden style={{ flex: 'none' }} />
        {note}
      </div>
      <CopyBlock text={token} label={label} />
    </div>
  );
}
