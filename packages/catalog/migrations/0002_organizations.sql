-- Organisations, their users, sites, API keys and settings.

create table fieldline.organizations (
  id uuid primary key,
  slug text not null unique,
  name text not null,
  auto_registration boolean not null default false,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
call fieldline.protect('fieldline.organizations', 'id = fieldline.scope_organization()');
grant select, update on fieldline.organizations to fieldline_tenant;
grant select, insert on fieldline.organizations to fieldline_system;

create table fieldline.users (
  id uuid primary key,
  organization_id uuid not null references fieldline.organizations (id),
  email text not null unique check (email = lower(email)),
  name text not null,
  role text not null check (role in ('admin', 'operator', 'engineer', 'viewer')),
  password_hash text,
  site_ids uuid[],
  disabled boolean not null default false,
  token_version integer not null default 1,
  last_login_at timestamptz,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id)
);
call fieldline.protect('fieldline.users', 'organization_id = fieldline.scope_organization()');
grant select, insert, update, delete on fieldline.users to fieldline_tenant;
-- The system door looks users up to log them in, ends their sessions, and makes the first administrator.
grant select, insert, update on fieldline.users to fieldline_system;

create table fieldline.sites (
  id uuid primary key,
  organization_id uuid not null references fieldline.organizations (id),
  name text not null,
  time_zone text not null default 'UTC',
  address text not null default '',
  latitude double precision check (latitude between -90 and 90),
  longitude double precision check (longitude between -180 and 180),
  attributes jsonb not null default '{}',
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  constraint sites_name_unique unique (organization_id, name)
);
call fieldline.protect('fieldline.sites',
  'organization_id = fieldline.scope_organization() and fieldline.scope_sees_site(id)');
grant select, insert, update, delete on fieldline.sites to fieldline_tenant;
-- For the sites' existence when a user is made or changed (bootstrap, registration).
grant select on fieldline.sites to fieldline_system;

create table fieldline.api_keys (
  id uuid primary key,
  organization_id uuid not null references fieldline.organizations (id),
  name text not null,
  prefix text not null unique,
  key_sha256 text not null,
  scopes text[] not null,
  site_ids uuid[],
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  created_by uuid,
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (organization_id, created_by) references fieldline.users (organization_id, id) on delete set null (created_by)
);
call fieldline.protect('fieldline.api_keys', 'organization_id = fieldline.scope_organization()');
create index on fieldline.api_keys (organization_id, created_at);
grant select, insert, update on fieldline.api_keys to fieldline_tenant;
grant select, update (last_used_at) on fieldline.api_keys to fieldline_system;

create table fieldline.settings (
  organization_id uuid not null references fieldline.organizations (id),
  key text not null,
  value jsonb not null,
  updated_at timestamptz not null default now(),
  primary key (organization_id, key)
);
call fieldline.protect('fieldline.settings', 'organization_id = fieldline.scope_organization()');
grant select, insert, update, delete on fieldline.settings to fieldline_tenant;
