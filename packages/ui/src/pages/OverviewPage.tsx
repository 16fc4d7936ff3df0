/** The start page: how the plant is right now. */
import '../faces/stat.css';
import { t } from '../i18n/index.ts';
import { FleetStat, RecentEvents, SilentDevices } from '../panels/overview/index.tsx';
import { Parts, PipelineStats } from '../panels/pipeline-health/index.tsx';
import { useMay } from '../session/index.ts';
import { Page } from '../shell/Page.tsx';
import './overview.css';

export function OverviewPage() {
  const mayPipeline = useMay('pipeline:read');
  const mayEvents = useMay('events:read');
  return (
    <Page title={t.overview.title}>
      <div className="fl-overview-stats">
        <FleetStat />
        {mayPipeline && <PipelineStats brief />}
      </div>
      <div className="fl-columns" data-wide-first="true">
        {mayEvents && <RecentEvents />}
        <div style={{ display: 'grid', gap: 16 }}>
          <SilentDevices />
          <Parts />
        </div>
      </div>
    </Page>
  );
}
