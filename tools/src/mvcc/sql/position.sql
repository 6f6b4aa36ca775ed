-- How far the server's log is. Asked when everything else of a look was answered: nothing that it saw was caused by records behind
-- this position.
select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end::text as lsn
