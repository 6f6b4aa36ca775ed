-- Takes the lock of a scratch schema for this session, unless its owner lives.
select pg_catalog.pg_try_advisory_lock($1)
