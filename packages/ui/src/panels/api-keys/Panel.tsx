/** Draws the API keys. */
import { Button, Group, Modal, Stack } from '@mantine/core';
import { KeyRound } from 'lucide-react';
import { useState } from 'react';
import { EmptyFace } from '../../faces/Face.tsx';
import { Faces } from '../../faces/Faces.tsx';
import { Panel } from '../../faces/Panel.tsx';
import { Time } from '../../faces/Time.tsx';
import { t } from '../../i18n/index.ts';
import { useMay } from '../../session/index.ts';
import { CreateApiKey } from './CreateApiKey.tsx';
import { keyState, scopeName } from './panel-state.ts';
import { useApiKeys, useRevokeApiKey } from './use-api-keys.ts';

const words = t.settings.apiKeys;
const TONES = { active: 'good', revoked: 'bad', expired: 'warn' } as const;

export function ApiKeys() {
  const keys = useApiKeys();
  const mayWrite = useMay('api-keys:write');
  const revoke = useRevokeApiKey();
  const [asking, setAsking] = useState<{ id: string; name: string } | null>(null);
  return (
    <Panel title={t.settings.tabs['api-keys']} tools={mayWrite && <CreateApiKey />}>
      <p className="fl-soft" style={{ margin: 0, padding: '12px 16px 4px', fontSize: '0.8125rem' }}>
        {words.intro}
      </p>
      <Faces query={keys}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyFace icon={KeyRound} title={words.empty} hint={words.emptyHint} />
          ) : (
            <table className="fl-table">
              <thead>
                <tr>
                  <th>{words.name}</th>
                  <th>{words.prefix}</th>
                  <th>{words.scopes}</th>
                  <th>{words.state}</th>
                  <th>{words.lastUsed}</th>
                  <th>{words.expires}</th>
                  <th />
                </tr>
              </thead>
              <tbody>
                {items.map((key) => {
                  const state = keyState(key, Date.now());
                  return (
                    <tr key={key.id} style={state === 'active' ? {} : { color: 'var(--fl-text-faint)' }}>
                      <td style={{ fontWeight: 500 }}>{key.name}</td>
                      <td className="fl-mono">{key.prefix}…</td>
                      <td>{key.scopes.map((scope) => scopeName(scope, words.scopeNames)).join(', ')}</td>
                      <td>
                        <span className="fl-tag" data-tone={TONES[state]}>
                          {words[state]}
                        </span>
                      </td>
                      <td>
                        <Time at={key.lastUsedAt} never={words.never} />
                      </td>
                      <td>
                        <Time at={key.expiresAt} as="clock" never={words.expiresNever} />
                      </td>
                      <td className="fl-right">
                        {mayWrite && state === 'active' && (
                          <Button size="compact-xs" variant="subtle" color="red" onClick={() => setAsking(key)}>
                            {words.revoke}
                          </Button>
                        )}
                      </td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          )
        }
      </Faces>
      <Modal opened={asking !== null} onClose={() => setAsking(null)} title={<strong>{words.revoke}</strong>}>
        <Stack>
          <span>{words.revokeConfirm(asking?.name ?? '')}</span>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setAsking(null)}>
              {t.common.cancel}
            </Button>
            <Button
              color="red"
              loading={revoke.isPending}
              onClick={() => asking !== null && revoke.mutate(asking.id, { onSettled: () => setAsking(null) })}
            >
              {words.revoke}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </Panel>
  );
}
