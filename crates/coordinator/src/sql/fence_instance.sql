-- Deposes an instance, on the home shard. $1: epoch.
update pgstrata_coordinator.instance
set fenced_at = clock_timestamp()
where epoch = $1
    and fenced_at is null;
