-- Roles and scope. Nobody who logs in has rights of their own: each transaction goes through a door, that is, it takes on
-- fieldline_tenant (one organisation, by row-level security) or fieldline_system (what knows no organisation yet).

do $$
begin
  if not exists (select from pg_roles where rolname = 'fieldline_tenant') then
    create role fieldline_tenant nologin noinherit;
  end if;
  if not exists (select from pg_roles where rolname = 'fieldline_system') then
    create role fieldline_system nologin noinherit;
  end if;
end
$$;

grant usage on schema fieldline to fieldline_tenant, fieldline_system;
grant select on fieldline.schema_migrations to fieldline_tenant, fieldline_system;

-- The organisation of this transaction; null (and so no row at all) where none was set.
create function fieldline.scope_organization() returns uuid language sql stable parallel safe as
$$ select nullif(current_setting('fieldline.organization_id', true), '')::uuid $$;

-- True where this transaction sees every site of its organisation.
create function fieldline.scope_sees_all_sites() returns boolean language sql stable parallel safe as
$$ select coalesce(current_setting('fieldline.site_ids', true), '') = '*' $$;

-- True where this transaction sees what belongs to this site (null = to none).
create function fieldline.scope_sees_site(site uuid) returns boolean language sql stable parallel safe as
$$ select case when coalesce(current_setting('fieldline.site_ids', true), '') in ('', '*')
     then coalesce(current_setting('fieldline.site_ids', true), '') = '*'
     else coalesce(site = any (string_to_array(current_setting('fieldline.site_ids', true), ',')::uuid[]), false) end $$;

-- Switches row-level security on for a table, for its owner too, with the tenants' condition. The system door sees every
-- row of the tables that it was granted.
create procedure fieldline.protect(tbl regclass, condition text) language plpgsql as
$$
begin
  execute format('alter table %s enable row level security', tbl);
  execute format('alter table %s force row level security', tbl);
  execute format('create policy tenant on %s to fieldline_tenant using (%s) with check (%2$s)', tbl, condition);
  execute format('create policy system on %s to fieldline_system using (true) with check (true)', tbl);
end
$$;
revoke all on procedure fieldline.protect(regclass, text) from public;
