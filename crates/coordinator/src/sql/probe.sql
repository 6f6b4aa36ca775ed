-- What a shard must offer before anything is begun: slots for prepared transactions, and that it takes writes.
select
    current_setting('max_prepared_transactions')::int as prepared_slots,
    pg_is_in_recovery() or current_setting('transaction_read_only')::bool as is_read_only;
