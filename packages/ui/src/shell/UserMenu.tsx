/** Who is signed in; light, dark or as the system; sign out. */
import { Menu, SegmentedControl, UnstyledButton, useMantineColorScheme } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { BookOpen, LogOut, Monitor, Moon, Sun } from 'lucide-react';
import { t } from '../i18n/index.ts';
import { session, useMe } from '../session/index.ts';

const SCHEMES = [
  { value: 'light', label: t.user.light, icon: Sun },
  { value: 'dark', label: t.user.dark, icon: Moon },
  { value: 'auto', label: t.user.system, icon: Monitor },
] as const;

export function UserMenu() {
  const me = useMe();
  const navigate = useNavigate();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  if (me === null) return null;
  const signOut = async (): Promise<void> => {
    await session.signOut();
    await navigate({ to: '/login' });
  };
  return (
    <Menu position="right-end" width={248}>
      <Menu.Target>
        <UnstyledButton className="fl-user" aria-label={t.user.menu}>
          <span className="fl-avatar" aria-hidden>
            {initials(me.name === '' ? me.email : me.name)}
          </span>
          <span className="fl-user-text">
            <span>{me.name === '' ? me.email : me.name}</span>
            <span className="fl-faint">{me.organization.name}</span>
          </span>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {me.email} · {t.user.roles[me.role]}
        </Menu.Label>
        <div style={{ padding: '2px 8px 8px' }}>
          <SegmentedControl
            fullWidth
            size="xs"
            aria-label={t.user.theme}
            value={colorScheme}
            onChange={(value) => setColorScheme(value as 'light' | 'dark' | 'auto')}
            data={SCHEMES.map(({ value, label, icon: Icon }) => ({
              value,
              label: (
                <span style={{ display: 'inline-flex', gap: 5, alignItems: 'center' }}>
                  <Icon size={13} aria-hidden />
                  {label}
                </span>
              ),
            }))}
          />
        </div>
        <Menu.Divider />
        <Menu.Item component="a" href="/docs" target="_blank" leftSection={<BookOpen size={15} />}>
          {t.nav.docs}
        </Menu.Item>
        <Menu.Item leftSection={<LogOut size={15} />} onClick={() => void signOut()}>
          {t.user.signOut}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function initials(name: string): string {
  const words = name.split(/[\s@.]+/).filter((word) => word !== '');
  return `${words[0]?.[0] ?? ''}${words[1]?.[0] ?? ''}`.toUpperCase();
}
