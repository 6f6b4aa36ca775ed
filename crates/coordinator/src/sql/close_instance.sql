-- Notes that no shard has a session of a fenced epoch any more. $1: epoch.
update pgstrata_coordinator.instance
set closed_at = clock_timestamp()
where epoch = $1
    and closed_at is null;
