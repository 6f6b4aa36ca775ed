-- The snapshot that a transaction gets that begins now. Asked again after the sessions were looked at: when the two are the
-- same, nothing began or ended in between.
select pg_current_snapshot()::text as snapshot
