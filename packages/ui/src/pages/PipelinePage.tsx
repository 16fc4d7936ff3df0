/** How the data path does. */
import '../faces/stat.css';
import { usePipeline } from '../api/use-pipeline.ts';
import { t } from '../i18n/index.ts';
import { Parts, PipelineDetails, PipelineStats } from '../panels/pipeline-health/index.tsx';
import { statusTone } from '../panels/pipeline-health/panel-state.ts';
import { Page } from '../shell/Page.tsx';

export function PipelinePage() {
  const { data } = usePipeline();
  return (
    <Page
      title={t.pipeline.title}
      tools={
        data !== undefined && (
          <>
            {data.health.problem !== null && <span className="fl-soft">{data.health.problem}</span>}
            <span className="fl-tag" data-tone={statusTone(data.health.status)}>
              {t.pipeline.statuses[data.health.status]}
            </span>
          </>
        )
      }
    >
      <PipelineStats />
      <div className="fl-columns">
        <div style={{ display: 'grid', gap: 16 }}>
          <PipelineDetails />
        </div>
        <Parts />
      </div>
    </Page>
  );
}
