-- After a reconnection: begins a new epoch of the shard if it is still held by this instance ($2), so that whatever the
-- lost session may have left behind can no longer commit. No row: another instance took over. $1: shard.
-- The instance and not the epoch is compared, because this very statement may have lost its answer the last time.
-- The flush number tells whether the commit that was under way when the connection broke went through: nobody else
-- writes it meanwhile. This commit is synchronous and later in the log, so what it tells is as durable as itself.
update pgstrata_sequencer.shard
set epoch = epoch + 1
where shard = $1
    and token = $2
returning epoch, flush;
