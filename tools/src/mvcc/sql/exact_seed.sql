-- Where the log is and who runs, in this order: whoever ends between the two is in the log behind the position.
select pg_current_wal_insert_lsn()::text as lsn,
       pg_current_snapshot()::text as snapshot
