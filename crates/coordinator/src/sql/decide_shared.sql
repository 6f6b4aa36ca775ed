-- decide.sql behind the commit barrier of all processes: no row is written unless the shared lock was had, and the lock
-- stays with the session until the commit phase is over. $1 to $4 as there, $5: lock class.
with barrier as materialized (
    select pg_advisory_lock_shared($5::int, 0)
)
insert into pgstrata_coordinator.decision (realm, epoch, transaction, key, is_commit)
select $1, $2, $3, $4, true
from barrier
on conflict do nothing
returning is_commit;
