-- The snapshot of a repeatable-read transaction, as text.
select pg_current_snapshot()::text
