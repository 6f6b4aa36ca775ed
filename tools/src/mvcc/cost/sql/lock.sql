-- A lock that one session gets and all others wait for.
select pg_advisory_lock(1);
