-- Gives the lock of a scratch schema back.
select pg_catalog.pg_advisory_unlock($1)
