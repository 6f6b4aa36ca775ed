-- The id of this transaction, which has written.
select pg_current_xact_id()::text
