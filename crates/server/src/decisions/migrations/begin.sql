-- One program at a time brings the history up to date; the lock ends with the transaction. The key is 'pgstrata' in ASCII.

select pg_advisory_xact_lock(8099007893640930401);
