-- The audit trail: what was changed in the configuration, by whom, when, from where, before and after. The database writes it
-- itself, in the transaction of the change, so no way to a change goes past it. Entries of an organisation are numbered without
-- a gap and chained: each holds the SHA-256 of the one before, so that nothing can be changed, left out or put between unseen.

-- Who acts in this transaction: {"kind", "id", "address"}.
create function fieldline.scope_actor() returns jsonb language sql stable parallel safe as
$$ select coalesce(nullif(current_setting('fieldline.actor', true), ''), '{"kind": "system"}')::jsonb $$;

create table fieldline.audit_heads (
  organization_id uuid primary key references fieldline.organizations (id),
  sequence bigint not null,
  hash text not null
);
call fieldline.protect('fieldline.audit_heads', 'organization_id = fieldline.scope_organization()');
grant select, insert, update on fieldline.audit_heads to fieldline_tenant, fieldline_system;

create table fieldline.audit_entries (
  organization_id uuid not null references fieldline.organizations (id),
  -- As it is hashed: {"previous", "sequence", "time" (µs), "actor", "action", "subject", "before", "after"}.
  content jsonb not null,
  -- SHA-256 of content::text, hexadecimal.
  hash text not null,
  sequence bigint not null generated always as ((content ->> 'sequence')::bigint) stored,
  time bigint not null generated always as ((content ->> 'time')::bigint) stored,
  actor_id text generated always as (content #>> '{actor,id}') stored,
  action text not null generated always as (content ->> 'action') stored,
  subject_kind text not null generated always as (content #>> '{subject,kind}') stored,
  subject_id text not null generated always as (content #>> '{subject,id}') stored,
  primary key (organization_id, sequence)
);
call fieldline.protect('fieldline.audit_entries', 'organization_id = fieldline.scope_organization()');
-- Whoever is bound to sites writes entries by what he does, and reads none.
create policy whole_organization on fieldline.audit_entries as restrictive for select to fieldline_tenant
  using (fieldline.scope_sees_all_sites());
create index audit_entries_by_time on fieldline.audit_entries (organization_id, time);
create index audit_entries_by_subject on fieldline.audit_entries (organization_id, subject_id, sequence desc);
create index audit_entries_by_actor on fieldline.audit_entries (organization_id, actor_id, sequence desc);
-- Append-only: no door may change or delete.
grant select, insert on fieldline.audit_entries to fieldline_tenant, fieldline_system;

-- Nor may whoever owns the table, by mistake.
create function fieldline.refuse_change() returns trigger language plpgsql as
$$ begin raise exception 'the audit trail is append-only' using errcode = 'insufficient_privilege'; end $$;
create trigger append_only before update or delete on fieldline.audit_entries
  for each row execute function fieldline.refuse_change();
create trigger append_only_truncate before truncate on fieldline.audit_entries
  for each statement execute function fieldline.refuse_change();

-- Appends an entry. The head's row is locked until the commit: entries stand in the order of their commits.
create procedure fieldline.audit(
  organization uuid, what text, kind text, thing text, value_before jsonb, value_after jsonb
) language plpgsql as
$$
declare
  head fieldline.audit_heads;
  entry jsonb;
  digest text;
begin
  insert into fieldline.audit_heads (organization_id, sequence, hash) values (organization, 0, '') on conflict do nothing;
  select * into strict head from fieldline.audit_heads where organization_id = organization for update;
  entry := jsonb_build_object(
    'previous', head.hash,
    'sequence', head.sequence + 1,
    'time', (extract(epoch from clock_timestamp()) * 1000000)::bigint,
    'actor', fieldline.scope_actor(),
    'action', what,
    'subject', jsonb_build_object('kind', kind, 'id', thing),
    'before', value_before,
    'after', value_after);
  digest := encode(sha256(convert_to(entry::text, 'UTF8')), 'hex');
  update fieldline.audit_heads set sequence = sequence + 1, hash = digest where organization_id = organization;
  insert into fieldline.audit_entries (organization_id, content, hash) values (organization, entry, digest);
end
$$;

-- Arguments: what the row is, in the field's words; columns whose values are secret; columns that change by themselves, so that a
-- change of these alone is none.
create function fieldline.audit_change() returns trigger language plpgsql as
$$
declare
  secret text[] := string_to_array(tg_argv[1], ',');
  quiet text[] := string_to_array(tg_argv[2], ',');
  old_row jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) - quiet end;
  new_row jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) - quiet end;
  shown jsonb := coalesce(new_row, old_row);
  column_name text;
begin
  if shown ->> 'organization_id' is null and tg_argv[0] <> 'organization' then
    return null; -- Built in: of no organisation.
  end if;
  if tg_op = 'UPDATE' then
    select coalesce(jsonb_object_agg(key, value), '{}') into new_row from jsonb_each(new_row)
      where value is distinct from old_row -> key;
    if new_row = '{}' then
      return null;
    end if;
    select jsonb_object_agg(key, value) into old_row from jsonb_each(old_row) where new_row ? key;
  end if;
  foreach column_name in array secret loop
    if jsonb_typeof(old_row -> column_name) <> 'null' then
      old_row := old_row || jsonb_build_object(column_name, '(secret)');
    end if;
    if jsonb_typeof(new_row -> column_name) <> 'null' then
      new_row := new_row || jsonb_build_object(column_name, '(secret)');
    end if;
  end loop;
  call fieldline.audit(
    (case when tg_argv[0] = 'organization' then shown ->> 'id' else shown ->> 'organization_id' end)::uuid,
    case when tg_op = 'INSERT' then 'create' when tg_op = 'UPDATE' and not new_row ? 'deleted_at' then 'update' else 'delete' end,
    tg_argv[0], coalesce(shown ->> 'id', shown ->> 'key'), old_row, new_row);
  return null;
end
$$;

-- Has the changes of a table audited. What is not audited is named in the conformance suite, with the reason.
create procedure fieldline.audit_table(
  tbl regclass, kind text, secret text default '', quiet text default '',
  events text default 'insert or update or delete', condition text default 'true'
)
  language plpgsql as
$$
begin
  execute format('create trigger audited after %s on %s for each row when (%s) execute function fieldline.audit_change(%L, %L, %L)',
    events, tbl, condition, kind, secret, 'version,updated_at' || case quiet when '' then '' else ',' || quiet end);
end
$$;
revoke all on procedure fieldline.audit_table(regclass, text, text, text, text, text) from public;

call fieldline.audit_table('fieldline.organizations', 'organization');
call fieldline.audit_table('fieldline.users', 'user', 'password_hash', 'token_version,last_login_at');
call fieldline.audit_table('fieldline.sites', 'site');
call fieldline.audit_table('fieldline.api_keys', 'api-key', 'key_sha256', 'last_used_at');
call fieldline.audit_table('fieldline.settings', 'setting');
call fieldline.audit_table('fieldline.devices', 'device', 'token_sha256');
-- Series come by themselves; what is configured of them is audited.
call fieldline.audit_table('fieldline.series', 'series', '', '', 'update or delete');
call fieldline.audit_table('fieldline.topic_mappings', 'mapping');
call fieldline.audit_table('fieldline.dead_letter_actions', 'dead-letter');
-- A log-in begins a session (who, from where, with what program); it ends by a log-out, a replayed token or somebody else's change.
call fieldline.audit_table('fieldline.refresh_families', 'session', '', 'expires_at,token_version', 'insert or update');
-- What people ask of jobs, not how they get on.
call fieldline.audit_table('fieldline.jobs', 'job', '', '', 'insert or update or delete', 'current_user = ''fieldline_tenant''');
