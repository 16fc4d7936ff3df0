/** One device: head with its status, tabs, and the tab that the address says. */
import { ProblemError } from '@fieldline/contract/client';
import { Link, Outlet, useParams } from '@tanstack/react-router';
import { ChevronLeft, SearchX } from 'lucide-react';
import { useDevice } from '../api/use-device.ts';
import { useSiteNames } from '../api/use-sites.ts';
import { EmptyFace } from '../faces/Face.tsx';
import { Faces } from '../faces/Faces.tsx';
import { KindIcon } from '../faces/KindIcon.tsx';
import { StatusDot } from '../faces/StatusDot.tsx';
import { Time } from '../faces/Time.tsx';
import { t } from '../i18n/index.ts';
import { Page } from '../shell/Page.tsx';
import './device.css';

const TABS = [
  { to: '/devices/$deviceId', label: t.device.tabs.live },
  { to: '/devices/$deviceId/history', label: t.device.tabs.history },
  { to: '/devices/$deviceId/connect', label: t.device.tabs.connect },
  { to: '/devices/$deviceId/events', label: t.device.tabs.events },
  { to: '/devices/$deviceId/settings', label: t.device.tabs.settings },
] as const;

export function DevicePage() {
  const { deviceId } = useParams({ from: '/app/devices/$deviceId' });
  const query = useDevice(deviceId);
  const siteNames = useSiteNames();
  const device = query.data;
  if (query.error instanceof ProblemError && query.error.status === 404) {
    return (
      <Page title={t.device.notFound}>
        <EmptyFace icon={SearchX} title={t.device.notFound} hint={t.device.notFoundHint}>
          <Link to="/devices">{t.device.back}</Link>
        </EmptyFace>
      </Page>
    );
  }
  return (
    <Page
      title={device?.name ?? t.nav.devices}
      heading={
        <div className="fl-device-title">
          <Link to="/devices" className="fl-device-back" aria-label={t.device.back} title={t.device.back}>
            <ChevronLeft size={18} aria-hidden />
          </Link>
          {device !== undefined && (
            <>
              <span className="fl-device-kind-large">
                <KindIcon kind={device.kind} size={20} />
              </span>
              <div>
                <h1>{device.name}</h1>
                <div className="fl-device-sub">
                  <span className="fl-mono">{device.key}</span>
                  <span>{t.devices.kinds[device.kind]}</span>
                  <span>{device.siteId === null ? t.devices.noSite : (siteNames.get(device.siteId) ?? '')}</span>
                </div>
              </div>
            </>
          )}
        </div>
      }
      tools={
        device !== undefined && (
          <div className="fl-device-status fl-live-data">
            <StatusDot status={device.status} />
            <span className="fl-faint fl-number">
              {device.status === 'online' && device.statusSince !== null && (
                <>
                  {t.device.since} <Time at={device.statusSince} as="clock" />
                </>
              )}
              {device.status === 'offline' && device.lastSeen !== null && (
                <>
                  {t.device.seen} <Time at={device.lastSeen} />
                </>
              )}
            </span>
          </div>
        )
      }
    >
      <nav className="fl-tabs" aria-label={t.device.tabsLabel}>
        {TABS.map((tab) => (
          <Link
            key={tab.to}
            to={tab.to}
            params={{ deviceId }}
            className="fl-tab"
            activeOptions={{ exact: true, includeSearch: false }}
          >
            {tab.label}
          </Link>
        ))}
      </nav>
      <Faces query={query} rows={8}>
        {() => <Outlet />}
      </Faces>
    </Page>
  );
}
