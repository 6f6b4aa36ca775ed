-- An id near the next one, to find the epoch with.
select pg_snapshot_xmax(pg_current_snapshot())::text::bigint
