/** The ready-made lines, a tab for each language. */
import { SegmentedControl } from '@mantine/core';
import { useState } from 'react';
import { CopyBlock } from '../../faces/CopyBlock.tsx';
import { t } from '../../i18n/index.ts';
import { type ConnectInfo, LANGUAGES, type Language, linesOf } from './panel-state.ts';

export function ConnectLines({ connect, token }: { readonly connect: ConnectInfo; readonly token?: string }) {
  const [language, setLanguage] = useState<Language>('mosquitto');
  return (
    <div style={{ display: 'grid', gap: 10, gridTemplateColumns: 'minmax(0, 1fr)' }}>
      <SegmentedControl
        size="xs"
        style={{ justifySelf: 'start' }}
        aria-label={t.connect.title}
        value={language}
        onChange={(value) => setLanguage(value as Language)}
        data={LANGUAGES.map((value) => ({ value, label: t.connect.languages[value] }))}
      />
      <CopyBlock
        label={t.connect.languages[language]}
        text={linesOf(language, connect, token ?? t.connect.tokenPlaceholder, t.connect.apiKeyPlaceholder)}
      />
      <div className="fl-faint" style={{ fontSize: '0.75rem' }}>
        {language === 'http' ? t.connect.httpNote : token === undefined ? t.connect.tokenNote : ''}
      </div>
    </div>
  );
}
