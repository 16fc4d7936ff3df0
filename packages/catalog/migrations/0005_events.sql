-- What happened: events, what was done with dead letters, receipts of HTTP ingest.

create table fieldline.events (
  id uuid primary key,
  organization_id uuid not null references fieldline.organizations (id),
  type text not null,
  subject_kind text not null,
  subject_id text not null,
  time timestamptz not null,
  payload jsonb not null default '{}'
);
call fieldline.protect('fieldline.events',
  'organization_id = fieldline.scope_organization() and (fieldline.scope_sees_all_sites()
   or (subject_kind = ''device'' and exists (select from fieldline.devices d where d.id::text = subject_id)))');
create index events_by_time on fieldline.events (organization_id, time desc, id desc);
create index events_by_subject on fieldline.events (organization_id, subject_id, time desc, id desc);
create index events_age on fieldline.events (time);
grant select on fieldline.events to fieldline_tenant;
grant select, insert, delete on fieldline.events to fieldline_system;

create table fieldline.dead_letter_actions (
  id uuid primary key,
  organization_id uuid not null references fieldline.organizations (id),
  partition integer not null,
  position bigint not null,
  action text not null check (action in ('replayed', 'dismissed')),
  note text not null default '',
  user_id uuid,
  created_at timestamptz not null default now()
);
call fieldline.protect('fieldline.dead_letter_actions', 'organization_id = fieldline.scope_organization()');
create index on fieldline.dead_letter_actions (organization_id, partition, position);
grant select, insert on fieldline.dead_letter_actions to fieldline_tenant;

create table fieldline.ingest_receipts (
  id uuid primary key,
  organization_id uuid not null references fieldline.organizations (id),
  api_key_id uuid,
  received_time timestamptz not null,
  record_count integer not null,
  -- [{ partition, firstPosition, count }, …]
  ranges jsonb not null
);
call fieldline.protect('fieldline.ingest_receipts', 'organization_id = fieldline.scope_organization()');
create index on fieldline.ingest_receipts (received_time);
grant select on fieldline.ingest_receipts to fieldline_tenant;
grant select, insert, delete on fieldline.ingest_receipts to fieldline_system;
