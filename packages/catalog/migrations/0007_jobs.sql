-- Jobs: long work that outlives a request and the process. A tenant asks for one and tells it to pause or to end; the worker
-- (system door) takes it, notes how far it is, and ends it.

create table fieldline.jobs (
  id uuid primary key,
  organization_id uuid not null references fieldline.organizations (id),
  kind text not null,
  status text not null default 'queued'
    check (status in ('queued', 'running', 'paused', 'completed', 'failed', 'cancelled')),
  parameters jsonb not null default '{}',
  -- Where to go on; the worker's own form
  checkpoint jsonb,
  progress_done double precision not null default 0,
  progress_total double precision,
  -- Work that was done since started_at, for the estimate
  progress_at_start double precision not null default 0,
  result jsonb,
  error text,
  -- Attempts since the job last came further
  attempts integer not null default 0,
  attempts_max integer not null default 5 check (attempts_max > 0),
  -- Not before
  run_at timestamptz not null default now(),
  -- The worker has the job until then, unless it says that it goes on
  lease_until timestamptz,
  user_id uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz
);
call fieldline.protect('fieldline.jobs',
  'organization_id = fieldline.scope_organization() and fieldline.scope_sees_all_sites()');
create index jobs_by_time on fieldline.jobs (organization_id, created_at desc, id desc);
create index jobs_due on fieldline.jobs (run_at, id) where status in ('queued', 'running');
create index jobs_age on fieldline.jobs (finished_at) where finished_at is not null;
grant select, insert, update, delete on fieldline.jobs to fieldline_tenant;
grant select, update, delete on fieldline.jobs to fieldline_system;

-- Wakes the workers when there may be something to take up or to leave off. Progress wakes nobody.
create function fieldline.note_job() returns trigger language plpgsql as
$$
begin
  perform pg_notify('fieldline_catalog', 'job:' || new.id || ':' || new.status);
  return null;
end
$$;
create trigger note_inserted after insert on fieldline.jobs for each row execute function fieldline.note_job();
create trigger note_status after update of status on fieldline.jobs for each row
  when (old.status is distinct from new.status) execute function fieldline.note_job();
