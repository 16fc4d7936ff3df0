/** What could not be stored, and the way back in. */
import { useNavigate, useSearch } from '@tanstack/react-router';
import { t } from '../i18n/index.ts';
import { DeadLetters } from '../panels/dead-letters/index.tsx';
import { Page } from '../shell/Page.tsx';

export function DeadLettersPage() {
  const search = useSearch({ from: '/app/dead-letters' });
  const navigate = useNavigate();
  return (
    <Page
      title={t.deadLetters.title}
      tools={
        <span className="fl-faint" style={{ fontSize: '0.8125rem' }}>
          {t.deadLetters.intro}
        </span>
      }
    >
      <DeadLetters
        search={search}
        onSearch={(next) => void navigate({ to: '/dead-letters', search: next, replace: true })}
      />
    </Page>
  );
}
