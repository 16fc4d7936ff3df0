/** Draws the organization's settings. */
import { Button, Group, Stack, Switch, TextInput } from '@mantine/core';
import { type FormEvent, useEffect, useState } from 'react';
import { Faces } from '../../faces/Faces.tsx';
import { Panel } from '../../faces/Panel.tsx';
import { t } from '../../i18n/index.ts';
import { useMay } from '../../session/index.ts';
import { type Organization, useOrganization, usePatchOrganization } from './use-organization.ts';

/** As the contract has it. */
const SLUG = /^[a-z0-9][a-z0-9-]{0,62}$/;
const words = t.settings.organization;

export function OrganizationSettings() {
  const organization = useOrganization();
  return (
    <Stack gap="md" maw={760}>
      <Panel title={t.settings.tabs.organization} padded>
        <Faces query={organization}>{(data) => <Names organization={data} />}</Faces>
      </Panel>
      <Panel title={t.nav.devices} padded>
        <Faces query={organization}>{(data) => <AutoRegistration organization={data} />}</Faces>
      </Panel>
    </Stack>
  );
}

function Names({ organization }: { readonly organization: Organization }) {
  const mayWrite = useMay('organization:write');
  const patch = usePatchOrganization();
  const [name, setName] = useState(organization.name);
  const [slug, setSlug] = useState(organization.slug);
  useEffect(() => {
    setName(organization.name);
    setSlug(organization.slug);
  }, [organization.name, organization.slug]);
  const isGood = name.trim() !== '' && SLUG.test(slug);
  const changed = name !== organization.name || slug !== organization.slug;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    patch.mutate({ name: name.trim(), slug, version: organization.version });
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <Group grow align="start">
          <TextInput
            label={words.name}
            disabled={!mayWrite}
            maxLength={200}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <TextInput
            label={words.slug}
            description={words.slugHint}
            inputWrapperOrder={['label', 'input', 'description', 'error']}
            error={SLUG.test(slug) ? null : words.slugWrong}
            disabled={!mayWrite}
            value={slug}
            onChange={(event) => setSlug(event.currentTarget.value)}
          />
        </Group>
        <Group justify="space-between">
          <span className="fl-faint fl-mono" style={{ fontSize: '0.75rem' }}>
            {words.id} {organization.id}
          </span>
          {mayWrite ? (
            <Button type="submit" disabled={!isGood || !changed} loading={patch.isPending}>
              {t.common.save}
            </Button>
          ) : (
            <span className="fl-faint">{t.settings.readOnly}</span>
          )}
        </Group>
      </Stack>
    </form>
  );
}

function AutoRegistration({ organization }: { readonly organization: Organization }) {
  const mayWrite = useMay('organization:write');
  const patch = usePatchOrganization();
  return (
    <Switch
      label={words.autoTitle}
      description={words.autoHint}
      disabled={!mayWrite || patch.isPending}
      checked={organization.autoRegistration}
      onChange={(event) =>
        patch.mutate({ autoRegistration: event.currentTarget.checked, version: organization.version })
      }
    />
  );
}
