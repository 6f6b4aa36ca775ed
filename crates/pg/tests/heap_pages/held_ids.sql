-- Ids of transactions and subtransactions that a session holds.
select transactionid::text::bigint from pg_locks
where locktype = 'transactionid' and mode = 'ExclusiveLock' and granted and pid = $1::int
