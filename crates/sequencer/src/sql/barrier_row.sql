-- The same as barrier_message.sql where that function is missing or not permitted: any synchronous commit that writes.
update pgstrata_sequencer.barrier
set flush = flush + 1;
