-- The places of all rows that are seen, and the snapshot through which.
select pg_current_snapshot()::text, array(select ctid::text from item)
