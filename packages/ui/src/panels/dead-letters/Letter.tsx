/** One dead letter: why it is here, where it came from, its payload as text or hex, and the way back in. */
import { ActionIcon, Button, SegmentedControl } from '@mantine/core';
import { MailOpen, RotateCcw, X } from 'lucide-react';
import { useState } from 'react';
import { CopyBlock } from '../../faces/CopyBlock.tsx';
import { EmptyFace } from '../../faces/Face.tsx';
import { Faces } from '../../faces/Faces.tsx';
import { Panel } from '../../faces/Panel.tsx';
import { Time } from '../../faces/Time.tsx';
import { formatBytes } from '../../format/number.ts';
import { t } from '../../i18n/index.ts';
import { asHex, asText, bytesOf } from './panel-state.ts';
import { useDeadLetter } from './use-dead-letters.ts';

interface Props {
  readonly id: string | undefined;
  /** null = the user may not. */
  readonly onReplay: ((id: string) => void) | null;
  readonly isReplaying: boolean;
  readonly onClose: () => void;
}

export function Letter({ id, onReplay, isReplaying, onClose }: Props) {
  const letter = useDeadLetter(id);
  if (id === undefined) {
    return (
      <section className="fl-panel fl-letter">
        <EmptyFace icon={MailOpen} title={t.deadLetters.pick} />
      </section>
    );
  }
  const tools = (
    <>
      {onReplay !== null && (
        <Button leftSection={<RotateCcw size={14} />} loading={isReplaying} onClick={() => onReplay(id)}>
          {t.deadLetters.replay}
        </Button>
      )}
      <ActionIcon aria-label={t.common.close} onClick={onClose}>
        <X size={16} />
      </ActionIcon>
    </>
  );
  return (
    <Panel title={t.deadLetters.details} tools={tools} className="fl-letter">
      <Faces query={letter} rows={8}>
        {(data) => (
          <div className="fl-letter-body">
            <div>
              <span className="fl-tag fl-mono" data-tone="bad">
                {data.code}
              </span>{' '}
              {data.partial && (
                <span className="fl-tag" data-tone="warn">
                  {t.deadLetters.partial}
                </span>
              )}
              <p className="fl-letter-message">{data.message}</p>
            </div>
            <dl className="fl-letter-facts">
              <dt>{t.deadLetters.device}</dt>
              <dd className="fl-mono">{data.deviceId}</dd>
              <dt>{t.deadLetters.topic}</dt>
              <dd className="fl-mono">{data.topic}</dd>
              <dt>{t.deadLetters.received}</dt>
              <dd>
                <Time at={data.receivedTime} as="clock" /> (<Time at={data.receivedTime} />)
              </dd>
              <dt>{t.deadLetters.codec}</dt>
              <dd>{data.codec}</dd>
              <dt>{t.deadLetters.source}</dt>
              <dd>{data.source}</dd>
              {data.replayedAt !== null && (
                <>
                  <dt>{t.deadLetters.replayedAt}</dt>
                  <dd>
                    <Time at={data.replayedAt} as="clock" />
                  </dd>
                </>
              )}
            </dl>
            {data.rejections.length > 0 && (
              <div>
                <h3>{t.deadLetters.rejections}</h3>
                <ul className="fl-letter-rejections">
                  {data.rejections.map((rejection) => (
                    <li key={`${rejection.metric} ${rejection.code}`}>
                      <span className="fl-mono">{rejection.metric}</span> {rejection.message}
                    </li>
                  ))}
                </ul>
              </div>
            )}
            <Payload base64={data.payload ?? ''} byteLength={data.byteLength} />
          </div>
        )}
      </Faces>
    </Panel>
  );
}

function Payload({ base64, byteLength }: { readonly base64: string; readonly byteLength: number }) {
  const bytes = bytesOf(base64);
  const text = asText(bytes);
  const [view, setView] = useState<'text' | 'hex'>('text');
  const shown = text === null || view === 'hex' ? asHex(bytes) : text;
  return (
    <div>
      <div className="fl-letter-payload-head">
        <h3>
          {t.deadLetters.payload} <span className="fl-faint">{formatBytes(byteLength)}</span>
        </h3>
        {text !== null && (
          <SegmentedControl
            size="xs"
            value={view}
            onChange={(value) => setView(value as 'text' | 'hex')}
            data={[
              { value: 'text', label: t.deadLetters.asText },
              { value: 'hex', label: t.deadLetters.asHex },
            ]}
          />
        )}
      </div>
      <CopyBlock text={shown} label={t.deadLetters.payload} />
    </div>
  );
}
