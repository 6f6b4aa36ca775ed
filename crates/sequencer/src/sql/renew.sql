-- After a reconnection: begins a new epoch of the shard if the last one is still ours ($2), so that whatever the lost
-- session may have left behind can no longer commit. No row: another instance took over. $1: shard.
-- The flush number tells whether the commit that was under way when the connection broke went through: nobody else
-- writes it in our epoch. This commit is synchronous and later in the log, so what it tells is as durable as itself.
update pgstrata_sequencer.shard
set epoch = epoch + 1
where shard = $1
    and epoch = $2
returning epoch, flush;
