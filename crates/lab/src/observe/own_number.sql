-- The number of this transaction, if it has written; savepoints have others.
select pg_current_xact_id_if_assigned()::text
