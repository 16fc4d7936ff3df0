/** Draws how a device connects: the lines at the left, each address by itself at the right. */
import { CopyIcon } from '../../faces/CopyBlock.tsx';
import { Faces } from '../../faces/Faces.tsx';
import { Panel } from '../../faces/Panel.tsx';
import { t } from '../../i18n/index.ts';
import { ConnectLines } from './Lines.tsx';
import type { ConnectInfo } from './panel-state.ts';
import { useConnectInfo } from './use-connect-info.ts';
import './connect.css';

export function ConnectDevice({ deviceId }: { readonly deviceId: string }) {
  const info = useConnectInfo(deviceId);
  return (
    <Panel title={t.connect.title} padded>
      <Faces query={info} rows={8}>
        {(connect) => (
          <div className="fl-connect">
            <div style={{ minWidth: 0 }}>
              <p className="fl-connect-intro">{t.connect.intro}</p>
              <ConnectLines connect={connect} />
            </div>
            <Addresses connect={connect} />
          </div>
        )}
      </Faces>
    </Panel>
  );
}

function Addresses({ connect }: { readonly connect: ConnectInfo }) {
  const { mqtt, topics, http } = connect;
  const rows: readonly (readonly [string, string | null])[] = [
    [t.connect.fields.host, mqtt.host],
    [t.connect.fields.port, mqtt.port === null ? null : String(mqtt.port)],
    [t.connect.fields.tlsPort, mqtt.tlsPort === null ? null : String(mqtt.tlsPort)],
    [t.connect.fields.clientId, mqtt.clientId],
    [t.connect.fields.username, mqtt.username],
    [t.connect.fields.topic, topics.telemetry],
    [t.connect.fields.protobuf, topics.protobuf],
    [t.connect.fields.url, http.url],
  ];
  return (
    <dl className="fl-connect-list">
      {rows.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd className={value === null ? 'fl-faint' : 'fl-mono'} title={value ?? ''}>
            {value ?? t.connect.closed}
          </dd>
          {value === null ? <span /> : <CopyIcon text={value} label={t.connect.copyLine(label)} />}
        </div>
      ))}
    </dl>
  );
}
