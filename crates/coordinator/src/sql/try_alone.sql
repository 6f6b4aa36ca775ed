-- Whether no session of the epoch is left on this shard: the lock that each of them shares is to be had alone.
-- Given back with the end of this statement's transaction. $1: lock class, $2: epoch.
select pg_try_advisory_xact_lock($1::int, $2::int);
