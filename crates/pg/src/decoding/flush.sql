-- Brings all of the log up to here to the disk, also what asynchronous commits left in memory: logical decoding reads
-- nothing that is not flushed. The message belongs to this statement's transaction, which commits synchronously.
select set_config('synchronous_commit', 'on', true),
       pg_logical_emit_message(true, $1, '')::text as lsn
