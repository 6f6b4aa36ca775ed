-- Takes the shard's session lock if nobody has it. It ends with the session. $1: lock class, $2: shard.
select pg_try_advisory_lock($1::int, $2::int);
