-- Shows up to where the log is flushed: what a standby could have.
select
  case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_flush_lsn() end::text as flushed
