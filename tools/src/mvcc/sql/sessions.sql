-- Who is there, the interesting ones first: waiting, in a transaction, running; $1 is the name that observers have, $2 how many
-- are wanted. Transaction ids are 32 bits here; the epoch is added by the reader.
with session as materialized (
    select *
    from pg_stat_activity
    where pid <> pg_backend_pid()
      and application_name is distinct from $1
      and backend_type in ('client backend', 'autovacuum worker', 'parallel worker', 'walsender', 'logical replication worker')
)
select pid,
       coalesce(application_name, '') as name,
       coalesce(usename, '')::text as user_name,
       coalesce(datname, '')::text as database,
       coalesce(state, '') as state,
       backend_type,
       backend_xid::text::bigint as xid,
       backend_xmin::text::bigint as xmin,
       (extract(epoch from xact_start) * 1000000)::bigint as transaction_since_us,
       (extract(epoch from query_start) * 1000000)::bigint as query_since_us,
       (extract(epoch from backend_start) * 1000000)::bigint as since_us,
       left(coalesce(query, ''), 2000) as query,
       wait_event_type || '/' || wait_event as waits_for,
       leader_pid,
       count(*) over () as total
from session
order by (wait_event_type = 'Lock') desc nulls last,
         (backend_xid is not null) desc,
         (backend_xmin is not null) desc,
         (xact_start is not null) desc,
         (state = 'active') desc nulls last,
         pid
limit $2
