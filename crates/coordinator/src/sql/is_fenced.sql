-- Whether this epoch may work on this shard no more. Asked after admit.sql and in a statement of its own: a fence is
-- written before its owner waits for the sessions, so a session that was admitted later finds it. $1: realm, $2: epoch.
select exists (
    select
    from pgstrata_coordinator.fence
    where realm = $1
        and epoch = $2
);
