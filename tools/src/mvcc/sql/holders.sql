-- Who keeps vacuum from dead rows of ordinary tables of this database (ComputeXidHorizons in
-- src/backend/storage/ipc/procarray.c): sessions of it by snapshot or id, prepared transactions, slots, feedback of standbys. A
-- running vacuum keeps nothing from others. $1 is the name that observers have.
select 'session' as kind,
       pid::text as name,
       pid,
       backend_xmin::text::bigint as xmin,
       backend_xid::text::bigint as xid,
       (extract(epoch from coalesce(xact_start, query_start)) * 1000000)::bigint as since_us
from pg_stat_activity
where datname = current_database()
  and pid <> pg_backend_pid()
  and application_name is distinct from $1
  and backend_type <> 'walsender'
  and (backend_xmin is not null or backend_xid is not null)
  and pid not in (select pid from pg_stat_progress_vacuum)
union all
select 'prepared', gid, null, transaction::text::bigint, null, (extract(epoch from prepared) * 1000000)::bigint
from pg_prepared_xacts
where database = current_database()
union all
select 'slot', slot_name::text, active_pid, xmin::text::bigint, null, null
from pg_replication_slots
where xmin is not null
union all
select 'standby', application_name, pid, backend_xmin::text::bigint, null, null
from pg_stat_replication
where backend_xmin is not null
limit $2
