-- Ends the sessions of a fenced epoch on this shard. Needs the same role as theirs, or pg_signal_backend.
-- $1: lock class, $2: epoch.
select pg_terminate_backend(l.pid)
from pg_locks as l
where l.locktype = 'advisory'
    and l.database = (select oid from pg_database where datname = current_database())
    and l.classid = $1::int::oid
    and l.objid = $2::int::oid
    and l.objsubid = 2
    and l.pid <> pg_backend_pid();
