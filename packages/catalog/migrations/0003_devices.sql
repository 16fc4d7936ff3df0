-- Devices, their changing state, their series, and the topic mappings.

create table fieldline.devices (
  id uuid primary key,
  organization_id uuid not null references fieldline.organizations (id),
  key text not null,
  name text not null,
  kind text not null check (kind in ('robot', 'plc', 'sensor', 'gateway', 'machine', 'other')),
  site_id uuid,
  lifecycle text not null check (lifecycle in ('pending', 'active', 'decommissioned')),
  serial_number text,
  attributes jsonb not null default '{}',
  tags text[] not null default '{}',
  gateway_id uuid,
  token_sha256 text,
  deleted_at timestamptz,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  -- What a row points at belongs to the same organisation.
  constraint devices_site_fkey foreign key (organization_id, site_id) references fieldline.sites (organization_id, id),
  constraint devices_gateway_fkey foreign key (organization_id, gateway_id) references fieldline.devices (organization_id, id),
  constraint devices_gateway_other check (gateway_id <> id)
);
call fieldline.protect('fieldline.devices',
  'organization_id = fieldline.scope_organization() and fieldline.scope_sees_site(site_id)');
-- The key of a deleted device is free again.
create unique index devices_key_unique on fieldline.devices (organization_id, key) where deleted_at is null;
create index devices_site on fieldline.devices (site_id);
create index devices_gateway on fieldline.devices (gateway_id);
grant select, insert, update on fieldline.devices to fieldline_tenant;
grant select, insert on fieldline.devices to fieldline_system;

-- Apart from devices, because it is written often.
create table fieldline.device_states (
  device_id uuid primary key,
  organization_id uuid not null,
  connectivity_status text not null check (connectivity_status in ('unknown', 'online', 'offline')),
  connectivity_changed_at timestamptz,
  last_seen timestamptz,
  foreign key (organization_id, device_id) references fieldline.devices (organization_id, id)
) with (fillfactor = 70);
call fieldline.protect('fieldline.device_states',
  'organization_id = fieldline.scope_organization() and (fieldline.scope_sees_all_sites()
   or exists (select from fieldline.devices d where d.id = device_id))');
grant select on fieldline.device_states to fieldline_tenant;
grant select, insert, update on fieldline.device_states to fieldline_system;

create table fieldline.series (
  id integer primary key generated always as identity,
  organization_id uuid not null references fieldline.organizations (id),
  subject_kind text not null check (subject_kind in ('device', 'asset')),
  subject_id uuid not null,
  -- The subject where it is a device: holds the reference within the organisation.
  device_id uuid,
  metric_key text not null check (char_length(metric_key) between 1 and 256),
  value_kind text not null check (value_kind in ('number', 'boolean', 'text')),
  unit text not null default '',
  source_unit text not null default '',
  scale double precision not null default 1,
  "offset" double precision not null default 0,
  minimum double precision,
  maximum double precision,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint series_metric_unique unique (subject_id, metric_key),
  foreign key (organization_id, device_id) references fieldline.devices (organization_id, id),
  check (subject_kind <> 'device' or (device_id is not null and device_id = subject_id))
);
call fieldline.protect('fieldline.series',
  'organization_id = fieldline.scope_organization() and (fieldline.scope_sees_all_sites()
   or exists (select from fieldline.devices d where d.id = device_id))');
grant select, update on fieldline.series to fieldline_tenant;
grant select, insert on fieldline.series to fieldline_system;

create table fieldline.topic_mappings (
  id uuid primary key,
  -- null = built in, for every organisation
  organization_id uuid references fieldline.organizations (id),
  name text not null,
  pattern text not null,
  codec text not null,
  device text not null,
  metric text not null,
  priority integer not null default 0,
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint topic_mappings_name_unique unique (organization_id, name)
);
call fieldline.protect('fieldline.topic_mappings', 'organization_id = fieldline.scope_organization()');
create policy built_in on fieldline.topic_mappings for select to fieldline_tenant using (organization_id is null);
grant select, insert, update, delete on fieldline.topic_mappings to fieldline_tenant;
-- Built-in mappings are brought up to date at every start.
grant select, insert, update on fieldline.topic_mappings to fieldline_system;
