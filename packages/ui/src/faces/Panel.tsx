/** The frame of a panel: title, tools on the right, body. */
import type { ReactNode } from 'react';
import './faces.css';

interface Props {
  readonly title: ReactNode;
  readonly tools?: ReactNode;
  readonly padded?: boolean;
  readonly children: ReactNode;
  readonly className?: string;
}

export function Panel({ title, tools, padded = false, children, className = '' }: Props) {
  return (
    <section className={`fl-panel ${className}`}>
      <header className="fl-panel-head">
        <h2>{title}</h2>
        {tools !== undefined && <div className="fl-panel-tools">{tools}</div>}
      </header>
      {padded ? <div className="fl-panel-body">{children}</div> : children}
    </section>
  );
}
