/** The last events of the organization, live. */
import { Link } from '@tanstack/react-router';
import { History } from 'lucide-react';
import { useDeviceNames } from '../../api/use-device-names.ts';
import { useEvents } from '../../api/use-events.ts';
import { EventMark, eventDetails } from '../../faces/EventMark.tsx';
import { EmptyFace } from '../../faces/Face.tsx';
import { Faces } from '../../faces/Faces.tsx';
import { Panel } from '../../faces/Panel.tsx';
import { Time } from '../../faces/Time.tsx';
import { t } from '../../i18n/index.ts';
import { useMe } from '../../session/index.ts';

const EVENTS_SHOWN = 14;

export function RecentEvents() {
  const me = useMe();
  const events = useEvents(me === null ? null : { organizationId: me.organizationId }, undefined);
  const shown = (events.data?.items ?? []).slice(0, EVENTS_SHOWN);
  const names = useDeviceNames(shown.filter((event) => event.subjectKind === 'device').map((event) => event.subjectId));
  return (
    <Panel title={t.overview.events} className="fl-live-data">
      <Faces query={events} rows={8}>
        {() =>
          shown.length === 0 ? (
            <EmptyFace icon={History} title={t.overview.noEvents} hint={t.overview.noEventsHint} />
          ) : (
            <table className="fl-table">
              <tbody>
                {shown.map((event) => (
                  <tr key={event.id}>
                    <td style={{ width: 170 }}>
                      <EventMark type={event.type} />
                    </td>
                    <td className="fl-cut" style={{ maxWidth: 0, width: '45%' }}>
                      {event.subjectKind === 'device' ? (
                        <Link className="fl-link" to="/devices/$deviceId" params={{ deviceId: event.subjectId }}>
                          {names.get(event.subjectId) ?? event.subjectId}
                        </Link>
                      ) : (
                        event.subjectId
                      )}{' '}
                      <span className="fl-faint">{eventDetails(event.payload)}</span>
                    </td>
                    <td className="fl-right fl-faint" style={{ width: 90, whiteSpace: 'nowrap' }}>
                      <Time at={event.time} />
                    </td>
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
