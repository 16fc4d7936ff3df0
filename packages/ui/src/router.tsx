/** All pages and their addresses. What a page shows stands in its address, so that every view can be sent to a colleague. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from '@tanstack/react-router';
import { LoadingFace } from './faces/LoadingFace.tsx';
import { CrashFace, NotFoundFace } from './pages/fallbacks.tsx';
import { readDeadLetterSearch } from './panels/dead-letters/panel-state.ts';
import { readDeviceFilter } from './panels/device-list/panel-state.ts';
import { readHistorySearch } from './panels/history-chart/panel-state.ts';
import { readLiveSearch } from './panels/live-chart/panel-state.ts';
import { session } from './session/index.ts';
import { Shell } from './shell/Shell.tsx';

const root = createRootRoute({ component: Outlet, notFoundComponent: NotFoundFace });

const login = createRoute({
  getParentRoute: () => root,
  path: '/login',
  validateSearch: (search: Record<string, unknown>): { redirect?: string } =>
    isOwnPath(search.redirect) ? { redirect: search.redirect } : {},
  component: lazyRouteComponent(() => import('./pages/LoginPage.tsx'), 'LoginPage'),
});

const app = createRoute({
  getParentRoute: () => root,
  id: 'app',
  beforeLoad: async ({ location }) => {
    if (await session.restore()) return;
    throw redirect({ to: '/login', search: location.href === '/' ? {} : { redirect: location.href } });
  },
  component: Shell,
});

const overview = createRoute({
  getParentRoute: () => app,
  path: '/',
  component: lazyRouteComponent(() => import('./pages/OverviewPage.tsx'), 'OverviewPage'),
});
const devices = createRoute({
  getParentRoute: () => app,
  path: '/devices',
  validateSearch: readDeviceFilter,
  component: lazyRouteComponent(() => import('./pages/DevicesPage.tsx'), 'DevicesPage'),
});
const device = createRoute({
  getParentRoute: () => app,
  path: '/devices/$deviceId',
  component: lazyRouteComponent(() => import('./pages/DevicePage.tsx'), 'DevicePage'),
});
const deviceLive = createRoute({
  getParentRoute: () => device,
  path: '/',
  validateSearch: readLiveSearch,
  component: lazyRouteComponent(() => import('./pages/DeviceLiveTab.tsx'), 'DeviceLiveTab'),
});
const deviceHistory = createRoute({
  getParentRoute: () => device,
  path: '/history',
  validateSearch: readHistorySearch,
  component: lazyRouteComponent(() => import('./pages/DeviceHistoryTab.tsx'), 'DeviceHistoryTab'),
});
const deviceConnect = createRoute({
  getParentRoute: () => device,
  path: '/connect',
  component: lazyRouteComponent(() => import('./pages/device-tabs.tsx'), 'DeviceConnectTab'),
});
const deviceEvents = createRoute({
  getParentRoute: () => device,
  path: '/events',
  component: lazyRouteComponent(() => import('./pages/device-tabs.tsx'), 'DeviceEventsTab'),
});
const deviceSettings = createRoute({
  getParentRoute: () => device,
  path: '/settings',
  component: lazyRouteComponent(() => import('./pages/device-tabs.tsx'), 'DeviceSettingsTab'),
});
const deadLetters = createRoute({
  getParentRoute: () => app,
  path: '/dead-letters',
  validateSearch: readDeadLetterSearch,
  component: lazyRouteComponent(() => import('./pages/DeadLettersPage.tsx'), 'DeadLettersPage'),
});
const pipeline = createRoute({
  getParentRoute: () => app,
  path: '/pipeline',
  component: lazyRouteComponent(() => import('./pages/PipelinePage.tsx'), 'PipelinePage'),
});
const settings = createRoute({
  getParentRoute: () => app,
  path: '/settings',
  component: lazyRouteComponent(() => import('./pages/SettingsPage.tsx'), 'SettingsPage'),
});
const settingsOrganization = createRoute({
  getParentRoute: () => settings,
  path: '/',
  component: lazyRouteComponent(() => import('./pages/settings-tabs.tsx'), 'OrganizationTab'),
});
const settingsApiKeys = createRoute({
  getParentRoute: () => settings,
  path: '/api-keys',
  component: lazyRouteComponent(() => import('./pages/settings-tabs.tsx'), 'ApiKeysTab'),
});
const settingsAccount = createRoute({
  getParentRoute: () => settings,
  path: '/account',
  component: lazyRouteComponent(() => import('./pages/settings-tabs.tsx'), 'AccountTab'),
});

export const router = createRouter({
  routeTree: root.addChildren([
    login,
    app.addChildren([
      overview,
      devices,
      device.addChildren([deviceLive, deviceHistory, deviceConnect, deviceEvents, deviceSettings]),
      deadLetters,
      pipeline,
      settings.addChildren([settingsOrganization, settingsApiKeys, settingsAccount]),
    ]),
  ]),
  defaultPreload: 'intent',
  defaultPendingComponent: LoadingFace,
  defaultErrorComponent: CrashFace,
  defaultNotFoundComponent: NotFoundFace,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}

/** Only paths of this page may be gone back to: no other host, no scheme. */
function isOwnPath(value: unknown): value is string {
  return typeof value === 'string' && /^\/(?![/\\])/.test(value);
}
