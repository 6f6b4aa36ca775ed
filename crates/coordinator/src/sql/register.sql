-- Begins a new epoch, whose first session is admitted before anybody can see that the epoch is there.
-- $1: realm, $2: the instance's name for people, $3: lock class.
with new as (
    insert into pgstrata_coordinator.instance (realm, holder)
    values ($1, $2)
    returning epoch
)
select
    new.epoch,
    pg_advisory_lock_shared($3::int, new.epoch)
from new;
