/** Draws the events of a device. */
import { History } from 'lucide-react';
import { useEvents } from '../../api/use-events.ts';
import { EventMark, eventDetails } from '../../faces/EventMark.tsx';
import { EmptyFace } from '../../faces/Face.tsx';
import { Faces } from '../../faces/Faces.tsx';
import { Panel } from '../../faces/Panel.tsx';
import { Time } from '../../faces/Time.tsx';
import { t } from '../../i18n/index.ts';

export function DeviceEvents({ deviceId }: { readonly deviceId: string }) {
  const events = useEvents({ deviceId }, deviceId);
  return (
    <Panel title={t.events.title}>
      <Faces query={events} rows={8}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyFace icon={History} title={t.events.empty} hint={t.events.emptyHint} />
          ) : (
            <table className="fl-table">
              <thead>
                <tr>
                  <th style={{ width: 170 }}>{t.events.time}</th>
                  <th style={{ width: 110 }}>{t.latest.age}</th>
                  <th style={{ width: 200 }}>{t.events.what}</th>
                  <th>{t.events.details}</th>
                </tr>
              </thead>
              <tbody>
                {items.map((event) => (
                  <tr key={event.id}>
                    <td>
                      <Time at={event.time} as="clock" />
                    </td>
                    <td className="fl-faint">
                      <Time at={event.time} />
                    </td>
                    <td>
                      <EventMark type={event.type} />
                    </td>
                    <td className="fl-soft">{eventDetails(event.payload)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )
        }
      </Faces>
    </Panel>
  );
}
