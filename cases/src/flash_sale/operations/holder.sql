-- Who sells on this server: the instance that wrote itself down, and the session that has the shard's lock now. Two names
-- for one shard, or a lock without an epoch, is for people. 1885827953 is the library's half of the lock's key.
select
    s.shard,
    s.epoch,
    s.flush as flushes_in_this_epoch,
    s.holder,
    s.taken_at,
    l.pid,
    v.state,
    v.wait_event,
    now() - v.state_change as since
from pgstrata_sequencer.shard as s
left join pg_locks as l on l.locktype = 'advisory'
    and l.classid = 1885827953
    and l.objid = s.shard::oid
    and l.objsubid = 2
    and l.granted
    and l.database = (
        select oid
        from pg_database
        where datname = current_database()
    )
left join pg_stat_activity as v on v.pid = l.pid
order by s.shard;
