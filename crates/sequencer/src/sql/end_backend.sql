-- Ends one server process that has the shard's session lock, and no other: the lock is looked at again here.
-- Needs the same role as that session's, or pg_signal_backend. $1: lock class, $2: shard, $3: its process id.
select pg_terminate_backend(l.pid)
from pg_locks as l
where l.locktype = 'advisory'
    and l.database = (select oid from pg_database where datname = current_database())
    and l.classid = $1::int::oid
    and l.objid = $2::int::oid
    and l.objsubid = 2
    and l.granted
    and l.pid = $3::int;
