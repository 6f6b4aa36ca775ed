-- The shard's epoch. $1: shard.
select epoch
from pgstrata_sequencer.shard
where shard = $1;
