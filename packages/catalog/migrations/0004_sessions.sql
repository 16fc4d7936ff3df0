-- Sessions: refresh tokens by family, revocations that are still young, and the keys that sign access tokens. Only the
-- system door has rights here.

create table fieldline.refresh_families (
  id uuid primary key,
  organization_id uuid not null references fieldline.organizations (id),
  user_id uuid not null,
  user_agent text not null default '',
  address text not null default '',
  -- The user's when the family began: a higher one has ended it.
  token_version integer not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  ended_at timestamptz,
  foreign key (organization_id, user_id) references fieldline.users (organization_id, id) on delete cascade
);
call fieldline.protect('fieldline.refresh_families', 'organization_id = fieldline.scope_organization()');
create index on fieldline.refresh_families (user_id);
create index on fieldline.refresh_families (expires_at);
grant select, insert, update, delete on fieldline.refresh_families to fieldline_system;

create table fieldline.refresh_tokens (
  token_sha256 text primary key,
  organization_id uuid not null references fieldline.organizations (id),
  family_id uuid not null references fieldline.refresh_families (id) on delete cascade,
  expires_at timestamptz not null,
  used_at timestamptz
);
call fieldline.protect('fieldline.refresh_tokens', 'organization_id = fieldline.scope_organization()');
create index on fieldline.refresh_tokens (family_id);
grant select, insert, update, delete on fieldline.refresh_tokens to fieldline_system;

-- Outlives the user, so that a deleted one's access tokens stay revoked after a restart.
create table fieldline.revocations (
  id bigint primary key generated always as identity,
  organization_id uuid not null references fieldline.organizations (id),
  user_id uuid not null,
  -- null = all sessions of the user whose tokens have a lower version
  family_id uuid,
  token_version integer,
  created_at timestamptz not null default now()
);
call fieldline.protect('fieldline.revocations', 'organization_id = fieldline.scope_organization()');
create index on fieldline.revocations (created_at);
grant insert on fieldline.revocations to fieldline_tenant;
grant select, insert, delete on fieldline.revocations to fieldline_system;

create table fieldline.signing_keys (
  kid uuid primary key,
  public_key_pem text not null,
  -- nonce (12 bytes), tag (16 bytes), PKCS #8 PEM under AES-256-GCM; base64
  private_key_sealed text not null,
  active boolean not null,
  created_at timestamptz not null default now()
);
call fieldline.protect('fieldline.signing_keys', 'false');
create unique index signing_keys_one_active on fieldline.signing_keys (active) where active;
grant select, insert on fieldline.signing_keys to fieldline_system;
