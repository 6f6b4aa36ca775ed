-- Takes the lock that says that the owner of a scratch schema lives.
select pg_catalog.pg_advisory_lock(pg_catalog.hashtextextended($1, 0))
