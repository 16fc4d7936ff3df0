/** A page: heading, tools, content. Live content dims while the connection is lost (class fl-live-data). */
import { type ReactNode, useEffect } from 'react';
import { t } from '../i18n/index.ts';
import { useLiveState } from '../live/index.ts';

interface Props {
  readonly title: string;
  readonly heading?: ReactNode;
  readonly tools?: ReactNode;
  readonly children: ReactNode;
}

export function Page({ title, heading, tools, children }: Props) {
  const { status } = useLiveState();
  useEffect(() => {
    document.title = `${title} · ${t.product}`;
  }, [title]);
  return (
    <div className="fl-page" data-live={status}>
      <header className="fl-page-head">
        {heading ?? <h1>{title}</h1>}
        {tools !== undefined && <div className="fl-page-tools">{tools}</div>}
      </header>
      {children}
    </div>
  );
}
