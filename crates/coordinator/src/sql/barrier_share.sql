-- Enters the commit barrier of all processes, for a commit on one shard alone. $1: lock class.
select pg_advisory_lock_shared($1::int, 0);
