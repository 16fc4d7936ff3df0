/** Signing in; afterwards the way goes on to where the user wanted to be. */

import { ProblemError } from '@fieldline/contract/client';
import { Button, PasswordInput, TextInput } from '@mantine/core';
import { useRouter, useSearch } from '@tanstack/react-router';
import { type FormEvent, useState } from 'react';
import { sayError } from '../api/client.ts';
import { t } from '../i18n/index.ts';
import { session } from '../session/index.ts';
import { Mark } from '../shell/Mark.tsx';
import { useStore } from '../store/store.ts';
import './login.css';

export function LoginPage() {
  const router = useRouter();
  const { redirect } = useSearch({ from: '/login' });
  const state = useStore(session.state);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const expired = state.status === 'signed-out' && state.reason === 'expired';

  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setProblem(null);
    try {
      await session.signIn(String(form.get('email')), String(form.get('password')));
      router.history.replace(redirect ?? '/');
    } catch (error) {
      setProblem(error instanceof ProblemError && error.status === 401 ? t.login.wrong : sayError(error));
      setBusy(false);
    }
  };

  return (
    <main className="fl-login">
      <form className="fl-login-card" onSubmit={(event) => void submit(event)}>
        <div className="fl-login-brand">
          <Mark size={36} />
          <div>
            <h1>{t.product}</h1>
            <p>{t.login.subtitle}</p>
          </div>
        </div>
        {expired && <p className="fl-login-note">{t.login.expired}</p>}
        <TextInput
          label={t.login.email}
          name="email"
          type="email"
          autoComplete="username"
          required
          withAsterisk={false}
          data-autofocus
          autoFocus
        />
        <PasswordInput
          label={t.login.password}
          name="password"
          autoComplete="current-password"
          required
          withAsterisk={false}
          error={problem}
        />
        <Button type="submit" size="sm" loading={busy} fullWidth>
          {t.login.submit}
        </Button>
        <p className="fl-login-hint">{t.login.firstStart}</p>
      </form>
    </main>
  );
}
