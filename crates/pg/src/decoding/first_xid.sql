-- The first transaction number that was not given out when this statement began.
select pg_snapshot_xmax(pg_current_snapshot())::text::bigint
