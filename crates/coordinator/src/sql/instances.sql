-- The instances of a realm that are not closed: whether each is fenced, and whether a session of it is there.
-- $1: realm, $2: lock class.
select
    i.epoch,
    i.holder,
    i.fenced_at is not null as is_fenced,
    exists (
        select
        from pg_locks as l
        where l.locktype = 'advisory'
            and l.database = (select oid from pg_database where datname = current_database())
            and l.classid = $2::int::oid
            and l.objid = i.epoch::oid
            and l.objsubid = 2
            and l.granted
    ) as is_alive
from pgstrata_coordinator.instance as i
where i.realm = $1
    and i.closed_at is null
order by i.epoch;
