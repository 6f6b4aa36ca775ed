-- Processes that a process waits for: holders of locks, those before it in the queue, and transactions whose end a
-- deferrable one waits for. 0 stands for a prepared transaction.
select pg_catalog.pg_blocking_pids($1) || pg_catalog.pg_safe_snapshot_blocking_pids($1)
