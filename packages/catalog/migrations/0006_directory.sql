-- The directory's changes. One row per thing, with the version of its last change, so that the table never grows beyond the
-- things there are. Versions are handed out under a row lock that is held until the commit: they are visible in their order,
-- and whoever has seen version n has seen all below it.

create table fieldline.directory_clock (
  one boolean primary key default true check (one),
  version bigint not null
);
insert into fieldline.directory_clock (version) values (0);
alter table fieldline.directory_clock enable row level security;
alter table fieldline.directory_clock force row level security;
create policy everybody on fieldline.directory_clock to fieldline_tenant, fieldline_system using (true) with check (true);
grant select, update on fieldline.directory_clock to fieldline_tenant, fieldline_system;

create table fieldline.directory_changes (
  kind text not null check (kind in ('organization', 'device', 'mapping', 'series')),
  thing_id text not null,
  -- null = a built-in mapping
  organization_id uuid references fieldline.organizations (id),
  version bigint not null,
  primary key (kind, thing_id)
);
call fieldline.protect('fieldline.directory_changes', 'organization_id = fieldline.scope_organization()');
create unique index directory_changes_version on fieldline.directory_changes (version);
grant select, insert, update on fieldline.directory_changes to fieldline_tenant, fieldline_system;

-- Takes so many versions and notes the changes: things[i] of organizations[i] has changed. The caller's rights apply.
create procedure fieldline.note_changes(changed_kind text, things text[], owners uuid[]) language plpgsql as
$$
declare
  last_version bigint;
begin
  if coalesce(array_length(things, 1), 0) = 0 then
    return;
  end if;
  update fieldline.directory_clock set version = version + array_length(things, 1) returning version into last_version;
  insert into fieldline.directory_changes as stored (kind, thing_id, organization_id, version)
    select changed_kind, t.thing, t.owner, last_version - array_length(things, 1) + t.ordinal
    from unnest(things, owners) with ordinality as t (thing, owner, ordinal)
    on conflict (kind, thing_id) do update set version = excluded.version;
  perform pg_notify('fieldline_catalog', 'directory');
end
$$;

create function fieldline.note_inserted() returns trigger language plpgsql as
$$
declare
  things text[];
  owners uuid[];
begin
  if tg_argv[0] = 'organization' then
    select array_agg(id::text order by id), array_agg(id order by id) into things, owners from changed;
  else
    execute 'select array_agg(id::text order by id), array_agg(organization_id order by id) from changed' into things, owners;
  end if;
  call fieldline.note_changes(tg_argv[0], things, owners);
  return null;
end
$$;

-- Arguments: the kind, then the columns that the directory does not show: a change of these alone is none.
create function fieldline.note_updated() returns trigger language plpgsql as
$$
declare
  things text[];
  owners uuid[];
  owner text := case when tg_argv[0] = 'organization' then 'id' else 'organization_id' end;
begin
  execute format(
    'select array_agg(after.id::text order by after.id), array_agg(after.%I order by after.id)
     from changed after join before on before.id = after.id
     where to_jsonb(after) - $1 is distinct from to_jsonb(before) - $1', owner)
    into things, owners using tg_argv[1:];
  call fieldline.note_changes(tg_argv[0], things, owners);
  return null;
end
$$;

create function fieldline.note_deleted() returns trigger language plpgsql as
$$
declare
  things text[];
  owners uuid[];
begin
  select array_agg(id::text order by id), array_agg(organization_id order by id) into things, owners from before;
  call fieldline.note_changes(tg_argv[0], things, owners);
  return null;
end
$$;

create trigger note_inserted after insert on fieldline.organizations referencing new table as changed
  for each statement execute function fieldline.note_inserted('organization');
create trigger note_updated after update on fieldline.organizations referencing old table as before new table as changed
  for each statement execute function fieldline.note_updated('organization', 'version', 'updated_at');

create trigger note_inserted after insert on fieldline.devices referencing new table as changed
  for each statement execute function fieldline.note_inserted('device');
create trigger note_updated after update on fieldline.devices referencing old table as before new table as changed
  for each statement execute function
  fieldline.note_updated('device', 'version', 'updated_at', 'attributes', 'tags', 'serial_number');

create trigger note_inserted after insert on fieldline.topic_mappings referencing new table as changed
  for each statement execute function fieldline.note_inserted('mapping');
create trigger note_updated after update on fieldline.topic_mappings referencing old table as before new table as changed
  for each statement execute function fieldline.note_updated('mapping', 'updated_at');
create trigger note_deleted after delete on fieldline.topic_mappings referencing old table as before
  for each statement execute function fieldline.note_deleted('mapping');

create trigger note_inserted after insert on fieldline.series referencing new table as changed
  for each statement execute function fieldline.note_inserted('series');
create trigger note_updated after update on fieldline.series referencing old table as before new table as changed
  for each statement execute function fieldline.note_updated('series', 'updated_at');
