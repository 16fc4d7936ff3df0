/** The frame around all pages: navigation at the left, banner when the live connection is lost, the page. */
import { Outlet } from '@tanstack/react-router';
import { useEffect } from 'react';
import { t } from '../i18n/index.ts';
import { live } from '../live/index.ts';
import { ConnectionBanner } from './ConnectionMark.tsx';
import { Nav } from './Nav.tsx';
import './shell.css';

export function Shell() {
  useEffect(() => {
    live.start();
    return live.stop;
  }, []);
  return (
    <div className="fl-shell">
      <a className="fl-skip" href="#content">
        {t.nav.skip}
      </a>
      <Nav />
      <main className="fl-main" id="content" tabIndex={-1} style={{ outline: 'none' }}>
        <ConnectionBanner />
        <Outlet />
      </main>
    </div>
  );
}
