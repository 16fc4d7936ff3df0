/** Draws the pipeline's figures: rates with their last minutes above, circuit breaker, log and store below. */
import { Database } from 'lucide-react';
import type { ReactNode } from 'react';
import { usePipeline } from '../../api/use-pipeline.ts';
import { EmptyFace } from '../../faces/Face.tsx';
import { Faces } from '../../faces/Faces.tsx';
import { Panel } from '../../faces/Panel.tsx';
import { Stat } from '../../faces/Stat.tsx';
import { Time } from '../../faces/Time.tsx';
import { formatBytes, formatCompact, formatCount, formatRate, formatSeconds } from '../../format/number.ts';
import { t } from '../../i18n/index.ts';
import { breakerTone, bytesPerSample, lagTone } from './panel-state.ts';

/** `brief` leaves out what the start page has no room for. */
export function PipelineStats({ brief = false }: { readonly brief?: boolean }) {
  const pipeline = usePipeline();
  return (
    <Faces query={pipeline} rows={3}>
      {({ health, trail }) => (
        <div className="fl-stats">
          <Stat
            label={t.overview.ingest}
            value={formatRate(health.rates.samplesPerSecond)}
            unit={t.common.perSecond}
            note={
              brief
                ? t.overview.ingestNote(formatRate(health.rates.recordsPerSecond))
                : t.pipeline.totals(formatCompact(health.totals.samples))
            }
            trail={trail.map((point) => point.samples)}
          />
          {!brief && (
            <Stat
              label={t.overview.messages}
              value={formatRate(health.rates.recordsPerSecond)}
              unit={t.common.perSecond}
              note={t.pipeline.totals(formatCompact(health.totals.records))}
              trail={trail.map((point) => point.records)}
            />
          )}
          <Stat
            label={t.pipeline.lag}
            value={formatCompact(health.lag.records)}
            tone={lagTone(health.lag.seconds)}
            note={
              health.lag.seconds === null ? t.overview.lagNone : t.overview.lagAge(formatSeconds(health.lag.seconds))
            }
            trail={trail.map((point) => point.lag)}
          />
          <Stat
            label={t.pipeline.letters}
            value={formatCompact(health.totals.deadLetters)}
            tone={health.rates.deadLettersPerSecond > 0 ? 'warn' : undefined}
            note={t.overview.deadLettersRate(formatRate(health.rates.deadLettersPerSecond))}
            trail={trail.map((point) => point.deadLetters)}
          />
        </div>
      )}
    </Faces>
  );
}

export function PipelineDetails() {
  const pipeline = usePipeline();
  return (
    <>
      <Panel title={t.pipeline.log}>
        <Faces query={pipeline}>
          {({ health }) =>
            health.log.length === 0 ? (
              <EmptyFace icon={Database} title={t.pipeline.emptyLog} />
            ) : (
              <table className="fl-table">
                <thead>
                  <tr>
                    <th>{t.pipeline.logTopic}</th>
                    <th className="fl-right">{t.pipeline.logRecords}</th>
                    <th className="fl-right">{t.pipeline.logBytes}</th>
                  </tr>
                </thead>
                <tbody>
                  {health.log.map((topic) => (
                    <tr key={topic.topic}>
                      <td className="fl-mono">{topic.topic}</td>
                      <td className="fl-right">{formatCount(topic.records)}</td>
                      <td className="fl-right">{formatBytes(topic.bytes)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            )
          }
        </Faces>
      </Panel>
      <Panel title={t.pipeline.store}>
        <Faces query={pipeline}>
          {({ health: { store, circuitBreaker, lastStoredAt } }) => {
            const perSample = bytesPerSample(store);
            return (
              <dl className="fl-facts">
                <Fact label={t.pipeline.lastStored}>
                  <Time at={lastStoredAt} />
                </Fact>
                <Fact label={t.pipeline.breaker}>
                  <span className="fl-tag" data-tone={breakerTone(circuitBreaker.state)}>
                    {t.pipeline.breakerStates[circuitBreaker.state]}
                  </span>
                  {circuitBreaker.reason !== null && <div className="fl-soft">{circuitBreaker.reason}</div>}
                </Fact>
                <Fact label={t.pipeline.hotRows}>{formatCount(store.hotRows)}</Fact>
                <Fact label={t.pipeline.sealedRows}>{formatCount(store.sealedRows)}</Fact>
                <Fact label={t.pipeline.sealedBytes}>{formatBytes(store.sealedBytes)}</Fact>
                <Fact label={t.pipeline.sealedFiles}>{formatCount(store.sealedFiles)}</Fact>
                <Fact label={t.pipeline.bytesPerSample}>{perSample === null ? '–' : perSample.toFixed(2)}</Fact>
              </dl>
            );
          }}
        </Faces>
      </Panel>
    </>
  );
}

function Fact({ label, children }: { readonly label: string; readonly children: ReactNode }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}
