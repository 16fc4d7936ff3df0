/** The navigation: what is watched, how the data comes in, what is set up. New pages get a line in GROUPS. */
import { Link } from '@tanstack/react-router';
import { Boxes, LayoutDashboard, type LucideIcon, MailWarning, Settings, Workflow } from 'lucide-react';
import { t } from '../i18n/index.ts';
import { useMe } from '../session/index.ts';
import type { Me } from '../session/session.ts';
import { ConnectionMark } from './ConnectionMark.tsx';
import { Mark } from './Mark.tsx';
import { UserMenu } from './UserMenu.tsx';

interface Item {
  readonly to: '/' | '/devices' | '/pipeline' | '/dead-letters' | '/settings';
  readonly label: string;
  readonly icon: LucideIcon;
  readonly needs: Me['permissions'][number];
}

const GROUPS: readonly { readonly title: string; readonly items: readonly Item[] }[] = [
  {
    title: t.nav.monitor,
    items: [
      { to: '/', label: t.nav.overview, icon: LayoutDashboard, needs: 'self' },
      { to: '/devices', label: t.nav.devices, icon: Boxes, needs: 'devices:read' },
    ],
  },
  {
    title: t.nav.pipeline,
    items: [
      { to: '/pipeline', label: t.nav.health, icon: Workflow, needs: 'pipeline:read' },
      { to: '/dead-letters', label: t.nav.deadLetters, icon: MailWarning, needs: 'dead-letters:read' },
    ],
  },
  {
    title: t.nav.administration,
    items: [{ to: '/settings', label: t.nav.settings, icon: Settings, needs: 'self' }],
  },
];

export function Nav() {
  const permissions = useMe()?.permissions ?? [];
  return (
    <nav className="fl-nav" aria-label={t.nav.label}>
      <Link to="/" className="fl-brand" aria-label={t.product}>
        <Mark />
        <span>{t.product}</span>
      </Link>
      {GROUPS.map((group) => {
        const items = group.items.filter((item) => item.needs === 'self' || permissions.includes(item.needs));
        return items.length === 0 ? null : (
          <div className="fl-nav-group" key={group.title}>
            <h3>{group.title}</h3>
            {items.map(({ to, label, icon: Icon }) => (
              <Link key={to} to={to} className="fl-nav-link" activeOptions={{ exact: to === '/' }} title={label}>
                <Icon size={17} strokeWidth={1.75} aria-hidden />
                <span>{label}</span>
              </Link>
            ))}
          </div>
        );
      })}
      <div className="fl-nav-foot">
        <ConnectionMark />
        <UserMenu />
      </div>
    </nav>
  );
}
