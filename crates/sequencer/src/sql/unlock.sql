-- Gives the shard's session lock back at an orderly stop, so that a successor need not wait for the connection to end.
select pg_advisory_unlock($1::int, $2::int);
