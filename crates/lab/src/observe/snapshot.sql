-- Which transactions the snapshot of this transaction sees; the same for all its statements from repeatable read on.
select pg_current_snapshot()::text
