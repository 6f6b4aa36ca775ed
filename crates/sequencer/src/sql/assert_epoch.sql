-- The fence, first in each flush: locks the shard's row until the flush ends, if the epoch ($2) is still ours, and
-- notes the number of this flush ($3). No row: another instance took over, and the flush must roll back. $1: shard.
update pgstrata_sequencer.shard
set flush = $3
where shard = $1
    and epoch = $2;
