-- The server processes that a session waits for: holders of the lock, and those in front of it in the queue for it.
select pg_catalog.pg_blocking_pids($1)
