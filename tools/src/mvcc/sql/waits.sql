-- Who waits for a lock for longer than $1 seconds, for what, and who is in the way; the longest waits first, at most $2.
-- pg_locks is read once, so that waiting and holding are of one moment.
with lock as materialized (
    select *
    from pg_locks
), waiting as (
    select *, count(*) over () as total
    from lock
    where not granted
      and pid <> pg_backend_pid()
      and (waitstart is null or waitstart <= clock_timestamp() - make_interval(secs => $1))
    order by waitstart nulls last, pid
    limit $2
)
select waiting.pid,
       (extract(epoch from waiting.waitstart) * 1000000)::bigint as since_us,
       waiting.locktype as lock_type,
       waiting.mode,
       case waiting.locktype
           when 'relation' then relation.name
           when 'extend' then relation.name
           when 'page' then format('%s (%s)', relation.name, waiting.page)
           when 'tuple' then format('%s (%s,%s)', relation.name, waiting.page, waiting.tuple)
           when 'transactionid' then format('transaction %s', waiting.transactionid)
           when 'virtualxid' then format('transaction %s', waiting.virtualxid)
           when 'speculative token' then format('insertion of transaction %s', waiting.transactionid)
           else concat_ws(' ', waiting.locktype, concat_ws(':', waiting.classid, waiting.objid, waiting.objsubid))
       end as object,
       -- Who waits for a row's transaction keeps its place in the row's own queue.
       held.place as held_row,
       blocking.pids as blockers,
       blocking.holds,
       waiting.total
from waiting
left join lateral (
    select case
               when class.oid is null then waiting.relation::text
               else format('%I.%I', space.nspname, class.relname)
           end as name
    from (values (waiting.relation)) as wanted(oid)
    left join pg_class class
      on class.oid = wanted.oid
     and waiting.database in (0, (select oid from pg_database where datname = current_database()))
    left join pg_namespace space on space.oid = class.relnamespace
) relation on true
left join lateral (
    select format('%I.%I (%s,%s)', space.nspname, class.relname, lock.page, lock.tuple) as place
    from lock
    join pg_class class on class.oid = lock.relation
    join pg_namespace space on space.oid = class.relnamespace
    where lock.pid = waiting.pid
      and lock.locktype = 'tuple'
      and lock.granted
      and lock.database = (select oid from pg_database where datname = current_database())
    limit 1
) held on true
left join lateral (
    select array_agg(blocker.pid order by blocker.pid) as pids,
           array_agg(
               exists (
                   select
                   from lock
                   where lock.granted
                     and (lock.pid = blocker.pid or blocker.pid = 0 and lock.pid is null)
                     and lock.locktype = waiting.locktype
                     and lock.database is not distinct from waiting.database
                     and lock.relation is not distinct from waiting.relation
                     and lock.page is not distinct from waiting.page
                     and lock.tuple is not distinct from waiting.tuple
                     and lock.virtualxid is not distinct from waiting.virtualxid
                     and lock.transactionid is not distinct from waiting.transactionid
                     and lock.classid is not distinct from waiting.classid
                     and lock.objid is not distinct from waiting.objid
                     and lock.objsubid is not distinct from waiting.objsubid
               )
               order by blocker.pid
           ) as holds
    from (select distinct pid from unnest(pg_blocking_pids(waiting.pid)) as found(pid)) as blocker
) blocking on true
