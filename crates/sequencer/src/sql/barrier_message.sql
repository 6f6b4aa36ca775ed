-- One record in the log, committed synchronously: when this is answered, every commit whose answer came earlier is
-- durable, for the log is flushed in order. true makes it part of a transaction, which has to be committed.
select pg_logical_emit_message(true, 'pgstrata_sequencer', '');
