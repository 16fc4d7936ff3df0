/** Settings: tabs, and the tab that the address says. */
import '../faces/stat.css';
import { Link, Outlet } from '@tanstack/react-router';
import { t } from '../i18n/index.ts';
import { useMay } from '../session/index.ts';
import { Page } from '../shell/Page.tsx';

export function SettingsPage() {
  const mayKeys = useMay('api-keys:read');
  return (
    <Page title={t.settings.title}>
      <nav className="fl-tabs" aria-label={t.settings.tabsLabel}>
        <Link to="/settings" className="fl-tab" activeOptions={{ exact: true }}>
          {t.settings.tabs.organization}
        </Link>
        {mayKeys && (
          <Link to="/settings/api-keys" className="fl-tab">
            {t.settings.tabs['api-keys']}
          </Link>
        )}
        <Link to="/settings/account" className="fl-tab">
          {t.settings.tabs.account}
        </Link>
      </nav>
      <Outlet />
    </Page>
  );
}
