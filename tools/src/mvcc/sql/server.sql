-- The server now: its clock, start, and the snapshot that a transaction gets that begins now.
select pg_current_snapshot()::text as snapshot,
       (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint as started_us,
       (extract(epoch from clock_timestamp()) * 1000000)::bigint as now_us
