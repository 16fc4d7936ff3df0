/** Draws profile and change of password; the server ends all sessions, so the user signs in again. */
import { Button, Group, PasswordInput, Stack } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { api, sayError } from '../../api/client.ts';
import { Panel } from '../../faces/Panel.tsx';
import { t } from '../../i18n/index.ts';
import { session, useMe } from '../../session/index.ts';

const words = t.settings.account;
const PASSWORD_LENGTH_MIN = 8;

export function Account() {
  const me = useMe();
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const change = useMutation({
    mutationFn: () => api.auth.changePassword({ currentPassword: current, newPassword: next }),
    onSuccess: () => session.signOut(),
  });
  if (me === null) return null;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    change.mutate();
  };
  return (
    <Stack gap="md" maw={760}>
      <Panel title={words.profile}>
        <dl className="fl-facts">
          <div>
            <dt>{words.email}</dt>
            <dd>{me.email}</dd>
          </div>
          <div>
            <dt>{words.role}</dt>
            <dd>{t.user.roles[me.role]}</dd>
          </div>
        </dl>
      </Panel>
      <Panel title={words.title} padded>
        <form onSubmit={submit}>
          <Stack gap="sm">
            <Group grow align="start">
              <PasswordInput
                label={words.current}
                autoComplete="current-password"
                value={current}
                onChange={(event) => setCurrent(event.currentTarget.value)}
                error={change.isError ? sayError(change.error) : null}
              />
              <PasswordInput
                label={words.next}
                description={words.hint}
                inputWrapperOrder={['label', 'input', 'description', 'error']}
                autoComplete="new-password"
                value={next}
                onChange={(event) => setNext(event.currentTarget.value)}
              />
            </Group>
            <Group justify="flex-end">
              <Button
                type="submit"
                loading={change.isPending}
                disabled={current === '' || next.length < PASSWORD_LENGTH_MIN}
              >
                {words.submit}
              </Button>
            </Group>
          </Stack>
        </form>
      </Panel>
    </Stack>
  );
}
