-- Who has the shard's session lock, if anybody. $1: lock class, $2: shard.
-- The start of the server process tells it from a later one with the same id. Another role's activity may be hidden;
-- the process id never is.
select
    l.pid,
    (extract(epoch from a.backend_start) * 1000000)::bigint as started_us,
    s.holder
from pg_locks as l
left join pg_stat_activity as a on a.pid = l.pid
left join pgstrata_sequencer.shard as s on s.shard = $2::int
where l.locktype = 'advisory'
    and l.database = (select oid from pg_database where datname = current_database())
    and l.classid = $1::int::oid
    and l.objid = $2::int::oid
    and l.objsubid = 2
    and l.granted;
