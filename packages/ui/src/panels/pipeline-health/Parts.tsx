/** Draws the parts of the server with their state; problems are told in the server's own words. */
import { CircleCheck, CircleX, LoaderCircle } from 'lucide-react';
import { useReadiness } from '../../api/use-readiness.ts';
import { Faces } from '../../faces/Faces.tsx';
import { Panel } from '../../faces/Panel.tsx';
import { t } from '../../i18n/index.ts';

export function Parts() {
  const readiness = useReadiness();
  return (
    <Panel
      title={t.pipeline.parts}
      tools={
        readiness.data !== undefined && (
          <span className="fl-tag" data-tone={readiness.data.status === 'ready' ? 'good' : 'bad'}>
            {readiness.data.status === 'ready' ? t.overview.partsAll : t.pipeline.notReady}
          </span>
        )
      }
    >
      <Faces query={readiness} rows={6}>
        {({ parts }) => (
          <dl className="fl-facts">
            {parts.map((part) => {
              const isMoving = part.state === 'starting' || part.state === 'stopping' || part.state === 'new';
              const Icon = part.ready ? CircleCheck : isMoving ? LoaderCircle : CircleX;
              const color = part.ready ? 'var(--fl-good)' : isMoving ? 'var(--fl-warn)' : 'var(--fl-bad)';
              return (
                <div key={part.name}>
                  <dt>
                    {part.name}
                    {part.problem !== undefined && (
                      <div style={{ color: 'var(--fl-bad)', marginTop: 2 }}>{part.problem}</div>
                    )}
                  </dt>
                  <dd className="fl-status" style={{ alignSelf: 'start' }}>
                    <Icon size={14} style={{ color }} aria-hidden />
                    {t.pipeline.partStates[part.state]}
                  </dd>
                </div>
              );
            })}
          </dl>
        )}
      </Faces>
    </Panel>
  );
}
